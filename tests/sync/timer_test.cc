// Mirrors Go's time/sleep_test.go and time/tick_test.go. Where it matters when something comes, in a simulation, whose
// clock jumps from timer to timer.
#include "sync/timer.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "sync/select.h"
#include "sync/until.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class TimerTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, TimerTest, test::kAnyProcs);

template <typename F>
void Simulate(F&& body) {
  rt::Runtime({.simulate = true, .seed = 1}).Run(std::forward<F>(body));
}

TEST(SimulatedTimer, SendsTheTimeOnceWhenItIsDue) {
  Simulate([] {
    const MonoTime begin = rt::Now();
    Timer timer(5s);
    EXPECT_FALSE(timer.channel().TryReceive());
    EXPECT_EQ(timer.channel().Receive(), begin + 5s);
    EXPECT_EQ(rt::Now(), begin + 5s);
    EXPECT_FALSE(timer.channel().TryReceive(Within(100h)));
  });
}

// Go: TestAfterStop, TestTimerStopStress; since 1.23 a stopped timer's channel is empty.
TEST(SimulatedTimer, AfterAStopNothingComes) {
  Simulate([] {
    Timer early(5s), late(5s);
    EXPECT_TRUE(early.Stop());
    EXPECT_FALSE(early.Stop());
    rt::SleepFor(10s);
    EXPECT_FALSE(early.channel().TryReceive());
    // It has fired, and nobody has received its time: then it counts as stopped.
    EXPECT_TRUE(late.Stop());
    EXPECT_FALSE(late.channel().TryReceive());
    EXPECT_FALSE(late.Stop());
  });
}

// Go: TestReset, TestChan.
TEST(SimulatedTimer, AResetGivesNoTimeFromBefore) {
  Simulate([] {
    Timer timer(1s);
    rt::SleepFor(2s);
    EXPECT_TRUE(timer.Reset(5s));
    EXPECT_FALSE(timer.channel().TryReceive());
    const MonoTime reset = rt::Now();
    EXPECT_EQ(timer.channel().Receive(), reset + 5s);
    EXPECT_FALSE(timer.Reset(1s));  // Its time was received.
    EXPECT_TRUE(timer.Reset(3s));   // It was armed.
    EXPECT_EQ(timer.channel().Receive(), reset + 8s);
  });
}

TEST(SimulatedTimer, ALaterOrEarlierResetMovesAReceiverThatWaits) {
  Simulate([] {
    Timer timer(10s);
    const MonoTime begin = rt::Now();
    std::optional<MonoTime> got;
    WatchedFiber receives([&] { got = timer.channel().Receive(); });
    receives.AwaitParked();
    timer.Reset(20s);
    rt::SleepFor(15s);
    EXPECT_FALSE(got.has_value());
    timer.Reset(1s);
    receives.Join();
    EXPECT_EQ(got, begin + 16s);
  });
}

TEST(SimulatedTimer, ZeroIsAtOnceAndTheGreatestDurationNever) {
  Simulate([] {
    const MonoTime begin = rt::Now();
    Timer at_once(0s), before(-1h), never(Nanos::max()), never_either(std::chrono::hours::max());
    EXPECT_EQ(at_once.channel().Receive(), begin);
    EXPECT_EQ(before.channel().Receive(), begin);
    EXPECT_EQ(Select(Receive(never.channel()), Receive(never_either.channel()), After(24h * 365 * 100)), 2u);
    EXPECT_TRUE(never.Stop());
  });
}

// Go: TestTicker, TestTickerReset.
TEST(SimulatedTicker, TicksInItsPeriodUntilItIsStoppedOrReset) {
  Simulate([] {
    const MonoTime begin = rt::Now();
    Ticker ticker(10ms);
    for (int i = 1; i <= 100; ++i) EXPECT_EQ(ticker.channel().Receive(), begin + i * 10ms);
    ticker.Reset(1s);
    for (int i = 1; i <= 10; ++i) EXPECT_EQ(ticker.channel().Receive(), begin + 1s + i * 1s);
    ticker.Stop();
    EXPECT_FALSE(ticker.channel().TryReceive(Within(1h)));
    ticker.Reset(1s);
    EXPECT_TRUE(ticker.channel().TryReceive(Within(1h)));
  });
}

TEST(SimulatedTicker, WhatNobodyReceivesIsDroppedAndTheBeatIsKept) {
  Simulate([] {
    const MonoTime begin = rt::Now();
    Ticker ticker(10ms);
    rt::SleepFor(95ms);
    EXPECT_EQ(ticker.channel().Receive(), begin + 10ms);  // The oldest is kept, as in Go.
    EXPECT_EQ(ticker.channel().Receive(), begin + 100ms);
  });
}

TEST(SimulatedTicker, AStopLeavesNoTickBehind) {
  Simulate([] {
    Ticker ticker(10ms);
    rt::SleepFor(95ms);
    ticker.Stop();
    EXPECT_FALSE(ticker.channel().TryReceive());
    ticker.Reset(10ms);
    rt::SleepFor(95ms);
    ticker.Reset(10ms);
    EXPECT_FALSE(ticker.channel().TryReceive());
  });
}

TEST_P(TimerTest, ATickerIsACaseOfASelectAndARange) {
  Run([] {
    Ticker ticker(100us);
    Channel<int> nothing;
    MonoTime last = rt::Now();
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(Select(Receive(nothing), Receive(ticker.channel(),
                                                 [&](std::optional<MonoTime> now) {
                                                   EXPECT_GT(*now, last);
                                                   last = *now;
                                                 })),
                1u);
    }
    int ticks = 0;
    for (MonoTime now : ticker.channel()) {
      EXPECT_GT(now, last);
      last = now;
      if (++ticks == 20) break;
    }
  });
}

// Go: TestConcurrentTimerReset, TestConcurrentTimerResetStop, TestTimerStopStress.
TEST_P(TimerTest, ManyMayStopAndResetItAtOnce) {
  Run([] {
    const int kRounds = test::kSlowBuild ? 100 : 2'000;
    Timer timer(1h);
    Ticker ticker(1h);
    WaitGroup fibers;
    std::atomic<bool> end{false};
    WatchedFiber receives([&] {
      while (!end) Select(Receive(timer.channel()), Receive(ticker.channel()), After(1ms));
    });
    for (int fiber = 0; fiber < 8; ++fiber) {
      fibers.Go([&, fiber] {
        for (int i = 0; i < kRounds; ++i) {
          if ((i + fiber) % 3 == 0) {
            timer.Stop();
            ticker.Stop();
          } else {
            timer.Reset(Nanos(i % 5 * 1'000));
            ticker.Reset(Nanos(1 + i % 5 * 1'000));
          }
        }
      });
    }
    fibers.Wait();
    end = true;
    receives.Join();
    timer.Stop();
    ticker.Stop();
    EXPECT_FALSE(timer.channel().TryReceive());
    EXPECT_FALSE(ticker.channel().TryReceive());
  });
}

// The promise of Stop and Reset, at the moment at which it fires.
TEST_P(TimerTest, AStopThatRacesWithTheTimeLeavesNothingBehind) {
  Run([] {
    const int kRounds = test::kSlowBuild ? 200 : 5'000;
    Timer timer(0ns);
    for (int i = 0; i < kRounds; ++i) {
      timer.Reset(Nanos(i % 10 * 500));
      for (int spins = i % 13; spins > 0; --spins) rt::Yield();
      timer.Stop();
      ASSERT_FALSE(timer.channel().TryReceive());
      const MonoTime reset = rt::Now();
      timer.Reset(Nanos(100));
      ASSERT_GE(*timer.channel().Receive(), reset);
    }
  });
}

TEST_P(TimerTest, APlainThreadMayReceiveAndStop) {
  Run([] {
    Timer timer(1ms);
    Ticker ticker(1ms);
    Channel<Nothing> ended;
    std::thread thread([&] {
      EXPECT_TRUE(timer.channel().Receive());
      EXPECT_TRUE(ticker.channel().Receive());
      ticker.Stop();
      EXPECT_FALSE(timer.Stop());
      ended.Close();
    });
    ended.Receive();
    thread.join();
    EXPECT_FALSE(ticker.channel().TryReceive());
  });
}

TEST(TimerDeathTest, APeriodOfNothingIsFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(test::OnProcs(1, [] { Ticker ticker(0s); }),
               "a Ticker with a period of 0 ns; it must be more than zero");
  EXPECT_DEATH(test::OnProcs(1, [] { Ticker(1s).Reset(-1ns); }), "a Ticker with a period of -1 ns");
}

}  // namespace
}  // namespace millrace::sync
