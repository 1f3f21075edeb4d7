// Mirrors Go's TestAfterFunc, TestAfterStop, TestAfterFuncStarvation and TestIssue5745 (time/sleep_test.go).
#include "sync/after_func.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/runtime.h"
#include "sync/channel.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;

class AfterFuncTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, AfterFuncTest, test::kAnyProcs);

template <typename F>
void Simulate(F&& body) {
  rt::Runtime({.simulate = true, .seed = 1}).Run(std::forward<F>(body));
}

TEST(SimulatedAfterFunc, RunsOnceWhenItsTimeHasCome) {
  Simulate([] {
    const MonoTime begin = rt::Now();
    std::vector<MonoTime> runs;
    AfterFunc call(5s, [&] { runs.push_back(rt::Now()); });
    rt::SleepFor(1h);
    EXPECT_EQ(runs, std::vector{begin + 5s});
    EXPECT_FALSE(call.Stop());
    EXPECT_FALSE(call.Reset(1s));
    EXPECT_TRUE(call.Reset(2s));
    rt::SleepFor(1h);
    EXPECT_EQ(runs, (std::vector{begin + 5s, begin + 1h + 2s}));
  });
}

TEST(SimulatedAfterFunc, AStopInTimeKeepsItFromRunning) {
  Simulate([] {
    bool ran = false;
    AfterFunc call(5s, [&] { ran = true; });
    EXPECT_TRUE(call.Stop());
    EXPECT_FALSE(call.Stop());
    AfterFunc never(Nanos::max(), [&] { ran = true; });
    rt::SleepFor(24h * 365);
    EXPECT_FALSE(ran);
    EXPECT_TRUE(never.Stop());
  });
}

TEST(SimulatedAfterFunc, TheDestructorStopsIt) {
  Simulate([] {
    auto watched = std::make_shared<int>();
    {
      AfterFunc call(5s, [watched] { ADD_FAILURE() << "it was destroyed before"; });
    }
    EXPECT_EQ(watched.use_count(), 1);
    rt::SleepFor(1h);
  });
}

// Go's TestAfterFunc: one that starts the next.
TEST_P(AfterFuncTest, MayResetItselfAndWait) {
  Run([] {
    Channel<int> runs;
    int left = 50;
    std::function<void()> again;
    AfterFunc call(0s, [&] {
      runs.Send(left);
      if (--left > 0) again();
    });
    again = [&] { call.Reset(1us); };
    for (int expected = 50; expected > 0; --expected) EXPECT_EQ(runs.Receive(), expected);
  });
}

TEST_P(AfterFuncTest, TheDestructorWaitsForARunThatHasBegun) {
  Run([] {
    for (int i = 0; i < 50; ++i) {
      Channel<Nothing> began;
      bool ended = false;
      {
        AfterFunc call(0s, [&] {
          began.Close();
          for (int n = 0; n < 10; ++n) rt::Yield();
          ended = true;
        });
        began.Receive();
      }
      EXPECT_TRUE(ended);
    }
  });
}

TEST_P(AfterFuncTest, EveryRunIsEitherStoppedOrMade) {
  Run([] {
    const int kRounds = test::kSlowBuild ? 100 : 2'000;
    std::atomic<int> runs{0};
    int stopped = 0;
    {
      AfterFunc call(1h, [&] { ++runs; });
      for (int i = 0; i < kRounds; ++i) {
        stopped += call.Reset(Nanos(i % 10 * 500)) ? 1 : 0;
        for (int n = i % 7; n > 0; --n) rt::Yield();
      }
      stopped += call.Stop() ? 1 : 0;
    }
    EXPECT_EQ(runs + stopped, kRounds + 1);
  });
}

TEST_P(AfterFuncTest, APlainThreadMayStopIt) {
  Run([] {
    AfterFunc call(1h, [] {});
    Channel<bool> stopped(1);
    std::thread thread([&] { stopped.Send(call.Stop()); });
    EXPECT_EQ(stopped.Receive(), true);
    thread.join();
  });
}

TEST(AfterFuncDeathTest, ToDestroyItInsideItsOwnFunctionIsFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(test::OnProcs(1,
                             [] {
                               std::unique_ptr<AfterFunc<std::function<void()>>> call;
                               std::function<void()> suicide = [&] { call.reset(); };
                               call = std::make_unique<AfterFunc<std::function<void()>>>(1ms, suicide);
                               for (;;) rt::SleepFor(1ms);
                             }),
               "an AfterFunc was destroyed inside its own function");
}

}  // namespace
}  // namespace millrace::sync
