// Misuse that no other file tests: each ends the process with a message that names the thing and the way out, or has a
// plain meaning. The table of all misuses is in README.md.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

#include "runtime/accounting.h"
#include "runtime/blocking.h"
#include "runtime/netpoll.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"
#include "sync/channel.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;

class BadUseDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// ---- How many

class MillraceProcs : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(OutOfRange, MillraceProcs,
                         ::testing::Values("0", "10000", "-3", "two", "2x", "1.5", "99999999999999999999"));

TEST_P(MillraceProcs, OutOfRangeIsRefusedWithTheRangeAndWhatWasThere) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        setenv("MILLRACE_PROCS", GetParam(), 1);
        Runtime runtime;
      },
      std::string("MILLRACE_PROCS is '") + GetParam() + "'; it must be a whole number from 1 to 256");
}

TEST_F(BadUseDeathTest, AnEmptyMillraceProcsIsNone) {
  EXPECT_EXIT(
      {
        setenv("MILLRACE_PROCS", "", 1);
        Runtime runtime;
        _exit(runtime.procs() >= 1 ? 3 : 4);
      },
      ::testing::ExitedWithCode(3), "");
}

TEST_F(BadUseDeathTest, TheOptionGoesBeforeTheEnvironment) {
  EXPECT_EXIT(
      {
        setenv("MILLRACE_PROCS", "10000", 1);
        Runtime runtime({.procs = 5});
        _exit(runtime.procs());
      },
      ::testing::ExitedWithCode(5), "");
}

TEST_F(BadUseDeathTest, SetProcsOutOfRangeIsRefusedWithTheRange) {
  for (int procs : {0, -1, 257, 10'000}) {
    std::string message = "SetProcs\\(" + std::to_string(procs) + "\\): the number of processors must be 1 to 256";
    EXPECT_DEATH(test::OnProcs(1, [procs] { SetProcs(procs); }), message);
    EXPECT_DEATH(Runtime({.procs = 1}).SetProcs(procs), message);
  }
}

TEST_F(BadUseDeathTest, TooFewThreadsAreRefused) {
  EXPECT_DEATH(Runtime({.parked_machines_max = 0}), "parked_machines_max must be at least 1");
  EXPECT_DEATH(Runtime({.machines_max = 1}), "machines_max at least 2");
}

TEST_F(BadUseDeathTest, ASimulationOfTwoProcessorsIsRefused) {
  EXPECT_DEATH(Runtime({.procs = 2, .simulate = true}), "RuntimeOptions::simulate needs procs 0 or 1");
}

TEST_F(BadUseDeathTest, SetProcsOtherThanOneInASimulationIsRefused) {
  EXPECT_DEATH(Runtime({.simulate = true}).Run([] { SetProcs(2); }), "SetProcs\\(2\\).*simulat");
  EXPECT_DEATH(Runtime({.simulate = true}).SetProcs(3), "SetProcs\\(3\\).*simulat");
}

TEST(BadUse, SetProcsOfOneInASimulationChangesNothing) {
  Runtime runtime({.simulate = true, .seed = 1});
  runtime.Run([] { EXPECT_EQ(SetProcs(1), 1); });
  EXPECT_EQ(runtime.procs(), 1);
}

// ---- Run

TEST_F(BadUseDeathTest, ASecondRunIsFatal) {
  EXPECT_DEATH(
      {
        Runtime runtime({.procs = 1});
        runtime.Run([] {});
        runtime.Run([] {});
      },
      "Runtime::Run was called twice; make a Runtime for each run");
}

TEST_F(BadUseDeathTest, RunOnAFiberIsFatal) {
  EXPECT_DEATH(test::OnProcs(1, [] { Runtime({.procs = 1}).Run([] {}); }),
               "Runtime::Run was called on a fiber; call it from a plain thread");
}

TEST(BadUse, AFiberStartedAfterRunHasEndedNeverRuns) {
  std::atomic<bool> ran{false};
  {
    Runtime runtime({.procs = 2});
    runtime.Run([] {});
    runtime.Go([&ran] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(BadUse, ARuntimeThatNeverRunsEndsQuietly) {
  std::atomic<bool> ran{false};
  {
    Runtime runtime({.procs = 2});
    runtime.Go([&ran] { ran = true; });
    runtime.SetProcs(3);
    EXPECT_EQ(runtime.procs(), 3);
  }
  EXPECT_FALSE(ran);
}

// ---- Plain threads

TEST_F(BadUseDeathTest, WhatOnlyAFiberCanDoIsFatalOnAPlainThread) {
  EXPECT_DEATH(Procs(), "this needs a fiber; call it inside Runtime::Run, or use Runtime::Go from a plain thread");
  EXPECT_DEATH(SetProcs(2), "this needs a fiber");
  EXPECT_DEATH(UseNetpoller(+[]() -> std::unique_ptr<Netpoller> { return std::make_unique<SleepPoller>(); }),
               "this needs a fiber");
  Timer timer;
  EXPECT_DEATH(timer.Start(MonoTime{}, [](Timer*) {}), "this needs a fiber");
}

TEST(BadUse, WhatAPlainThreadMayDoAsWellMeansTheUsualThingThere) {
  EXPECT_FALSE(InFiber());
  EXPECT_EQ(CurrentFiber(), nullptr);
  EXPECT_EQ(CurrentFiberId(), 0u);
  EXPECT_EQ(CurrentFiberTimes().running, Nanos(0));
  Yield();
  SleepFor(-1ns);
  MonoTime begin = Now();
  SleepUntil(begin + 1ms);
  EXPECT_GE(Now(), begin + 1ms);
  EXPECT_EQ(Blocking([] { return 3; }), 3);
  EXPECT_FALSE(Timer().Cancel());
}

// A thread that a fiber has made is no fiber, whatever it was made from.
TEST(BadUse, AThreadOfAFiberIsAPlainThread) {
  test::OnProcs(1, [] {
    bool in_fiber = true;
    std::thread([&] { in_fiber = InFiber(); }).join();
    EXPECT_FALSE(in_fiber);
    EXPECT_TRUE(InFiber());
  });
}

// ---- Waking

TEST_F(BadUseDeathTest, ASecondWakeOfAParkerIsFatal) {
  EXPECT_DEATH(
      {
        Parker parker;
        parker.Wake();
        parker.Wake();
      },
      "Parker::Wake was called twice");
}

// ---- Leaving a fiber in other ways than by its end

TEST_F(BadUseDeathTest, AnExceptionThatLeavesAnyFiberEndsTheProcess) {
  EXPECT_DEATH(test::OnProcs(2,
                             [] {
                               Go({.name = "thrower"}, [] {
                                 Yield();
                                 throw std::runtime_error("left a fiber after a wait");
                               });
                               for (;;) Yield();
                             }),
               "left a fiber after a wait");
}

// It unwinds the thread's stack down to the fiber's outermost frame, which lets nothing out. There is no exception to
// be named.
TEST_F(BadUseDeathTest, PthreadExitOnAFiberEndsTheProcess) {
#if defined(__SANITIZE_THREAD__)
  const char* words = "ThreadSanitizer: CHECK failed";  // It wants to end its own notion of the thread first.
#else
  const char* words = "terminate called without an active exception";
#endif
  EXPECT_DEATH(test::OnProcs(1, [] { pthread_exit(nullptr); }), words);
}

// ---- Out of threads

void RunWithoutAddressSpace() {
  Runtime runtime({.procs = 1});
  runtime.Go([] {});  // The first slab of stacks.
  rlimit limit{.rlim_cur = 1, .rlim_max = 1};
  setrlimit(RLIMIT_AS, &limit);
  runtime.Run([] {});
}

TEST_F(BadUseDeathTest, NotASingleThreadIsFatalWithTheWayOut) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need address space without end";
#endif
  EXPECT_DEATH(RunWithoutAddressSpace(), "cannot make a single thread for the runtime; raise the limit of threads");
}

// Every thread there may be sits in a call, and more fibers are ready. A plain thread waits for the message and then
// lets them go on.
void BlockAllThreads() {
  int pipe_ends[2], err[2];
  if (pipe(pipe_ends) != 0 || pipe(err) != 0) _exit(1);
  int real_stderr = dup(STDERR_FILENO);
  dup2(err[1], STDERR_FILENO);
  constexpr int kFibers = 8;
  std::thread([=] {
    std::string text;
    for (char c; text.find("machines_max") == std::string::npos && read(err[0], &c, 1) == 1;) text += c;
    dprintf(real_stderr, "%s\n", text.c_str());
    for (int i = 0; i < kFibers; ++i) (void)!write(pipe_ends[1], "x", 1);
  }).detach();
  std::atomic<int> returned{0};
  Runtime runtime({.procs = 2, .machines_max = 3});
  runtime.Run([&] {
    for (int i = 0; i < kFibers; ++i) {
      Go([&] {
        char c;
        Blocking([&] { return read(pipe_ends[0], &c, 1); });
        ++returned;
      });
    }
    while (returned < kFibers) SleepFor(1ms);
  });
  _exit(7);
}

TEST_F(BadUseDeathTest, AllThreadsInBlockingCallsIsSaidAndEndsWithTheCalls) {
  EXPECT_EXIT(
      BlockAllThreads(), ::testing::ExitedWithCode(7),
      "fibers are ready and a processor is idle, but all 3 threads, the most there may be, are in blocking calls; "
      "raise RuntimeOptions::machines_max");
}

}  // namespace
}  // namespace millrace::rt
