#include "runtime/dump.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "runtime/blocking.h"
#include "runtime/cycles.h"
#include "runtime/fiber.h"
#include "runtime/park.h"
#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "runtime/sanitizers.h"
#include "runtime/thread_state.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kEnd = "runtime: end of fiber dump\n";

// As a plain thread sees it; the fiber that calls this goes on running meanwhile, and its thread does not sleep.
std::string DumpFromOutside() {
  std::string text;
  std::atomic<bool> made{false};
  std::thread thread([&] {
    text = FiberDump();
    made = true;
  });
  while (!made) sched_yield();
  thread.join();
  return text;
}

// Goes on dumping until there is `text` in one: what is to be seen may not be there yet, or be over for the moment.
std::string DumpWith(const std::string& text) {
  std::string dump;
  for (int i = 0; i < 300 && dump.find(text) == std::string::npos; ++i) {
    Yield();
    dump = DumpFromOutside();
  }
  return dump;
}

__attribute__((noinline)) void WaitForTheGardener() {
  Park(WaitReason::kChannelReceive, nullptr, nullptr);
  asm volatile("");
}
__attribute__((noinline)) void TendTheGarden() {
  WaitForTheGardener();
  asm volatile("");
}

// Runs `body` beside a fiber 'rose' that is parked in the two functions above.
template <typename F>
void BesideAParkedFiber(int procs, F body) {
  test::OnProcs(procs, [&] {
    std::atomic<Fiber*> rose{nullptr};
    Go({.name = "rose"}, [&] {
      rose = CurrentFiber();
      TendTheGarden();
    });
    while (rose == nullptr || rose.load()->state != FiberState::kParked) Yield();
    body(rose.load());
    Ready(rose);
    while (rose.load()->state != FiberState::kFree) Yield();
  });
}

class DumpAnyProcs : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, DumpAnyProcs, test::kAnyProcs);

TEST_P(DumpAnyProcs, ShowsAParkedFiberWithNameReasonAndCallers) {
  BesideAParkedFiber(GetParam(), [](Fiber* rose) {
    std::string text = DumpFromOutside();
    EXPECT_THAT(text, StartsWith("runtime: fiber dump: 2 fibers: 1 channel receive, 1 running\n"));
    EXPECT_THAT(text, ContainsRegex("fiber " + std::to_string(rose->id) +
                                    " 'rose' \\[channel receive, [0-9]+ [a-z]+\\]:\n"
                                    "(  #[0-9]+ 0x[0-9a-f]+ .*\n)*"
                                    "  #[0-9]+ 0x[0-9a-f]+ .*WaitForTheGardener\\(\\) at .*dump_test.cc:[0-9]+\n"
                                    "  #[0-9]+ 0x[0-9a-f]+ .*TendTheGarden\\(\\) at .*dump_test.cc:[0-9]+\n"));
    EXPECT_THAT(text, EndsWith(kEnd));
  });
}

TEST_P(DumpAnyProcs, MadeOnAFiberShowsThatFiberToo) {
  BesideAParkedFiber(GetParam(), [](Fiber*) {
    std::string text = FiberDump();
    EXPECT_THAT(text, StartsWith("runtime: fiber dump: 2 fibers: 1 channel receive, 1 running\n"));
    EXPECT_THAT(text, HasSubstr("'rose' [channel receive"));
    EXPECT_THAT(text, ContainsRegex("'main' \\[running, [0-9]+ [a-z]+\\]:\n  #0 .*FiberDump.*\n  #1 "));
  });
}

TEST_P(DumpAnyProcs, WorksBesideFibersThatNeverStandStill) {
  Run([] {
    std::atomic<bool> stop{false};
    std::atomic<int> left{20};
    for (int i = 0; i < 20; ++i) {
      Go({.name = "bee"}, [&] {
        while (!stop) {
          std::atomic<bool> landed{false};
          Go({.name = "larva", .stack_bytes = 32 << 10}, [&] { landed = true; });
          while (!landed) Yield();
        }
        --left;
      });
    }
    for (int i = 0; i < 30; ++i) EXPECT_THAT(FiberDump(), EndsWith(kEnd));
    stop = true;
    while (left > 0) Yield();
  });
}

TEST(Dump, WorksBesideRuntimesThatEnd) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      test::OnProcs(2, [] {
        for (int i = 0; i < 10; ++i) Go({.name = "mayfly"}, TendTheGarden);  // Dropped where they wait.
        Yield();
      });
    }
  });
  for (int i = 0; i < 50; ++i) EXPECT_THAT(FiberDump(), EndsWith(kEnd));
  stop = true;
  other.join();
}

TEST(Dump, WithoutFibersSaysSo) { EXPECT_EQ(FiberDump(), std::string("runtime: fiber dump: 0 fibers\n") + kEnd); }

TEST(Dump, ShowsWhatAFiberThatHasNotBegunWillCall) {
  // A simulation: else the processor would be taken from this fiber, which blocks its thread, and the other would
  // begin.
  Runtime({.simulate = true}).Run([] {
    std::atomic<bool> ran{false};
    Go({.name = "seed"}, [&] { ran = true; });
    EXPECT_THAT(DumpFromOutside(), ContainsRegex("'seed' \\[ready, .*\\]:\n  #0 .*MakeFiber"));
    while (!ran) Yield();
  });
}

// The runtime's own accesses to this field are not seen by ThreadSanitizer, so this one must not be either.
MR_NO_TSAN void SetSince(Fiber* fiber, uint64_t since) { fiber->account.since = since; }

TEST(Dump, ShowsSinceWhen) {
  BesideAParkedFiber(1, [](Fiber* rose) {
    auto hours = [](double n) { return static_cast<uint64_t>(n * 3600e9 * GetTickScale().ticks_per_ns); };
    // The counter may be younger than that; it wraps, and so does the difference.
    uint64_t since = rose->account.since;
    if (since > hours(3.5)) {
      SetSince(rose, NowTicks() - hours(3.5));
      EXPECT_THAT(DumpFromOutside(), HasSubstr("'rose' [channel receive, 3 h]"));
    }
    SetSince(rose, NowTicks() + hours(1));  // Another core's counter may be ahead.
    EXPECT_THAT(DumpFromOutside(), HasSubstr("'rose' [channel receive, 0 us]"));
    SetSince(rose, since);
  });
}

// Without any call.
__attribute__((noinline)) void GrazeUntil(const int& called) {
  while (__atomic_load_n(&called, __ATOMIC_RELAXED) == 0) {
  }
  asm volatile("");
}

// The dump made beside a fiber 'cow' that grazes, once there is `text` in it.
std::string DumpBesideACow(int procs, const std::string& text) {
  std::string dump;
  test::OnProcs(procs, [&] {
    int called = 0;
    std::atomic<bool> home{false};
    Go({.name = "cow"}, [&] {
      GrazeUntil(called);
      home = true;
    });
    dump = DumpWith(text);
    __atomic_store_n(&called, 1, __ATOMIC_RELAXED);
    while (!home) Yield();
  });
  return dump;
}

TEST(Dump, ShowsAFiberThatASignalStoppedFromWhereItWas) {
  if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  // The only processor is the cow's until it is taken from it.
  EXPECT_THAT(DumpBesideACow(1, "'cow' [preempted"),
              ContainsRegex("'cow' \\[preempted, [^\n]*\\]:\n  #0 [^\n]*GrazeUntil"));
}

TEST(Dump, ShowsAFiberThatRunsOnAnotherProcessorFromWhereItIs) {
  if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  EXPECT_THAT(DumpBesideACow(2, "GrazeUntil"), ContainsRegex("'cow' \\[running, [^\n]*\\]:\n  #0 [^\n]*GrazeUntil"));
}

__attribute__((noinline)) void AwaitThePost(int fd) {
  char byte;
  Blocking([&] { return read(fd, &byte, 1); });
  asm volatile("");
}
__attribute__((noinline)) void StandAtTheGate(int fd) {
  AwaitThePost(fd);
  asm volatile("");
}

TEST_P(DumpAnyProcs, ShowsAFiberInABlockingCallFromWhereItCalls) {
  Run([] {
    std::array<int, 2> post{};
    ASSERT_EQ(pipe2(post.data(), O_CLOEXEC), 0);
    std::atomic<Fiber*> hare{nullptr};
    std::atomic<bool> gone{false};
    Go({.name = "hare"}, [&] {
      hare = CurrentFiber();
      TendTheGarden();  // It has waited elsewhere before.
      StandAtTheGate(post[0]);
      gone = true;
    });
    while (hare == nullptr || hare.load()->state != FiberState::kParked) Yield();
    Ready(hare);
    std::string text = DumpWith("'hare' [blocking call");
    EXPECT_THAT(text, ContainsRegex("'hare' \\[blocking call, [^\n]*\\]:\n"
                                    "  #0 [^\n]*AwaitThePost[^\n]*\n"
                                    "(  #[0-9]+ [^\n]*\n)*"
                                    "  #[0-9]+ [^\n]*StandAtTheGate"));
    EXPECT_THAT(text, Not(HasSubstr("TendTheGarden")));
    EXPECT_EQ(write(post[1], "x", 1), 1);
    while (!gone) Yield();
    close(post[0]);
    close(post[1]);
  });
}

__attribute__((noinline)) void CallTheGardener() {
  Blocking([] { TendTheGarden(); });
  asm volatile("");
}

TEST_P(DumpAnyProcs, ShowsAFiberThatWaitsInsideABlockingCallFromWhereItWaits) {
  Run([] {
    std::atomic<Fiber*> rose{nullptr};
    std::atomic<bool> gone{false};
    Go({.name = "rose"}, [&] {
      rose = CurrentFiber();
      CallTheGardener();
      gone = true;
    });
    std::string text = DumpWith("'rose' [channel receive");
    EXPECT_THAT(text, ContainsRegex("'rose' \\[channel receive, [^\n]*\\]:\n"
                                    "(  #[0-9]+ [^\n]*\n)*"
                                    "  #[0-9]+ [^\n]*WaitForTheGardener[^\n]*\n"
                                    "  #[0-9]+ [^\n]*TendTheGarden[^\n]*\n"
                                    "(  #[0-9]+ [^\n]*\n)*"
                                    "  #[0-9]+ [^\n]*CallTheGardener"));
    Ready(rose);
    while (!gone) Yield();
  });
}

// poll(2) never restarts after a signal.
__attribute__((noinline)) int WatchTheNight(int fd) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  int result = poll(&watched, 1, -1);
  asm volatile("");
  return result;
}

TEST(Dump, LeavesAFiberAloneWhoseThreadSleepsInACallThatNobodyAnnounced) {
  if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  test::OnProcs(2, [] {
    std::array<int, 2> night{};
    ASSERT_EQ(pipe2(night.data(), O_CLOEXEC), 0);
    std::atomic<pid_t> tid{0};
    std::atomic<int> seen{-2};
    Go({.name = "owl"}, [&] {
      tid = gettid();
      int result = WatchTheNight(night[0]);
      seen = result;
    });
    while (tid == 0 || WhatThreadSleepsFor(tid) != SleepsFor::kOutside) Yield();
    for (int i = 0; i < 10; ++i) {
      std::string text = DumpFromOutside();
      uintptr_t pc = 0, sp = 0;
      if (WhereThreadSleeps(tid, &pc, &sp)) {
        EXPECT_THAT(text, ContainsRegex("'owl' \\[asleep in a call, [^\n]*\\]:\n"
                                        "  #0 [^\n]*poll[^\n]*\n"
                                        "(  #[0-9]+ [^\n]*\n)*"
                                        "  #[0-9]+ [^\n]*WatchTheNight"));
      } else {
        EXPECT_THAT(text, HasSubstr("'owl' [asleep in a call")) << "also where the kernel tells nobody where it sleeps";
      }
    }
    EXPECT_EQ(write(night[1], "x", 1), 1);
    while (seen == -2) Yield();
    EXPECT_EQ(seen, 1) << "no signal ended it";
    close(night[0]);
    close(night[1]);
  });
}

TEST(Dump, ShowsARunningFiberAsFarAsItIsToldHow) {
  test::OnProcs(1, [] {
    EXPECT_THAT(
        DumpFromOutside(),
        ContainsRegex(kPreemptionWorks ? "'main' \\[running, .*\\]:\n  #0 0x[0-9a-f]+ "
                                       : "'main' \\[running, .*\\]:\n  on a machine; its stack cannot be seen"));
    SetTraceRunning([](Fiber* fiber, uintptr_t* pcs, size_t max) -> RunningTrace {
      EXPECT_STREQ(fiber->name, "main");
      EXPECT_EQ(max, static_cast<size_t>(kFramesShown));
      pcs[0] = reinterpret_cast<uintptr_t>(&TendTheGarden) + 1;
      return {.depth = 1, .asleep = false};
    });
    EXPECT_THAT(DumpFromOutside(), ContainsRegex("'main' \\[running, .*\\]:\n  #0 .*TendTheGarden"));
    SetTraceRunning(nullptr);
  });
}

TEST(Dump, SumsUpThoseWithTheSameStackBeyondTheFirstThousand) {
  test::OnProcs(2, [] {
    constexpr int kFibers = kFibersShown + 500;
    std::atomic<int> waiting{0};
    for (int i = 0; i < kFibers; ++i) {
      Go({.name = "grass"}, [&] {
        ++waiting;
        TendTheGarden();
      });
    }
    while (waiting < kFibers) Yield();
    std::string text;
    do text = DumpFromOutside();
    while (text.find(std::to_string(kFibers) + " channel receive") == std::string::npos);
    EXPECT_THAT(text, ContainsRegex("\n50[01] more like fiber [0-9]+ 'grass' \\[channel receive, up to .*\\]:\n"
                                    "(  #[0-9]+ .*\n)*  #[0-9]+ .*TendTheGarden"));
    EXPECT_THAT(text, HasSubstr("\nfiber 1 'main' [running")) << "the oldest are shown";
    // Each line once a fiber, not once a thousand fibers.
    EXPECT_LT(text.size(), size_t{2} << 20);
  });
}

TEST(Dump, IsWrittenToADescriptorForOtherLanguages) {
  int fd = memfd_create("dump", 0);
  BesideAParkedFiber(1, [fd](Fiber*) { millrace_dump_fibers(fd); });
  char text[65536] = {};
  EXPECT_GT(pread(fd, text, sizeof text - 1, 0), 0);
  EXPECT_THAT(text, HasSubstr("'rose' [channel receive"));
  EXPECT_THAT(text, EndsWith(kEnd));
  close(fd);
  millrace_dump_fibers(-1);  // Nowhere to write to is no reason to die.
}

TEST(Dump, DoesNotTrustTheNameOfAFiberThatMayBeGone) {
  BesideAParkedFiber(1, [](Fiber* rose) {
    rose->name = reinterpret_cast<const char*>(8);
    EXPECT_THAT(DumpFromOutside(), ContainsRegex("fiber [0-9]+ \\[channel receive"));
    // A name that ends where the mapping does.
    char* pages = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(pages + 4096, 4096, PROT_NONE);
    rose->name = strcpy(pages + 4096 - 5, "edge");
    EXPECT_THAT(DumpFromOutside(), HasSubstr("'edge' [channel receive"));
    munmap(pages, 8192);
    rose->name = "rose";
  });
}

}  // namespace
}  // namespace millrace::rt
