#include "runtime/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "runtime/cycles.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "runtime/timer_heap.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;

MonoTime Now() { return SystemClock().Mono(); }

// ---- The heap alone, with time in the test's hands.

struct Recorder : Timer {
  std::vector<int>* fired = nullptr;
  int name = 0;
  static void Fire(Timer* timer) {
    auto* self = static_cast<Recorder*>(timer);
    self->fired->push_back(self->name);
  }
};

TEST(TimerHeap, FiresWhatIsDueInOrderOfTime) {
  TimerHeap heap;
  std::vector<int> fired;
  std::vector<Recorder> timers(1000);
  std::mt19937 random(42);
  std::vector<int> order(timers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::shuffle(order.begin(), order.end(), random);
  for (int name : order) {
    timers[name].fired = &fired;
    timers[name].name = name;
    heap.Insert(&timers[name], 1000 + name, Recorder::Fire);
  }
  EXPECT_EQ(heap.earliest_ns(), 1000);
  EXPECT_EQ(heap.FireDue(999), 0);
  EXPECT_EQ(heap.FireDue(1499), 500);
  EXPECT_EQ(heap.earliest_ns(), 1500);
  EXPECT_EQ(heap.FireDue(5000), 500);
  EXPECT_EQ(heap.earliest_ns(), TimerHeap::kNever);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(fired[i], i);
}

TEST(TimerHeap, OneWithAPeriodFiresAtItsMultiplesAndSkipsWhatWasMissed) {
  TimerHeap heap;
  std::vector<int> fired;
  Recorder periodic, once;
  periodic.fired = once.fired = &fired;
  periodic.name = 1, once.name = 2;
  heap.Insert(&periodic, 100, Recorder::Fire, 10);
  heap.Insert(&once, 105, Recorder::Fire);
  EXPECT_EQ(heap.FireDue(100), 1);
  EXPECT_EQ(heap.earliest_ns(), 105);
  EXPECT_EQ(heap.FireDue(109), 1);
  EXPECT_EQ(heap.earliest_ns(), 110);
  EXPECT_EQ(heap.FireDue(147), 1);  // Once for all that was missed.
  EXPECT_EQ(heap.earliest_ns(), 150);
  EXPECT_EQ(heap.FireDue(150), 1);
  EXPECT_TRUE(heap.Remove(&periodic));
  EXPECT_EQ(heap.FireDue(1000), 0);
  EXPECT_EQ(fired, (std::vector{1, 2, 1, 1}));
  heap.Insert(&periodic, 100, Recorder::Fire, TimerHeap::kNever);
  EXPECT_EQ(heap.FireDue(100), 1);
  EXPECT_EQ(heap.earliest_ns(), TimerHeap::kNever);
  EXPECT_TRUE(heap.Remove(&periodic));
}

// The scheduler asks for the time between two fibers as long as the earliest timer's ticks have passed.
TEST(TimerHeap, WhatIsDueInHundredsOfYearsIsNotLookedForBefore) {
  const uint64_t in_an_hour = NowTicks() + NsToTicks(3'600'000'000'000);
  for (int64_t deadline_ns : {TimerHeap::kNever, TimerHeap::kNever - 1, TimerHeap::kNever - 2,
                              Later(Now(), 24h * 365 * 231).time_since_epoch().count()}) {
    TimerHeap heap;
    std::vector<int> fired;
    Recorder timer;
    timer.fired = &fired;
    heap.Insert(&timer, deadline_ns, Recorder::Fire);
    EXPECT_GT(heap.earliest_ticks(), in_an_hour) << deadline_ns;
    EXPECT_EQ(heap.FireDue(NowNs()), 0);
    EXPECT_GT(heap.earliest_ticks(), in_an_hour) << deadline_ns;
    EXPECT_TRUE(heap.Remove(&timer));
  }
}

TEST(TimerHeap, AgreesWithASortedListUnderRandomInsertsAndRemovals) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  TimerHeap heap;
  std::vector<int> fired;
  std::vector<Recorder> timers(200);
  std::vector<int64_t> deadline(timers.size(), -1);  // The model; -1: not armed.
  int64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    size_t i = random() % timers.size();
    timers[i].fired = &fired;
    timers[i].name = static_cast<int>(i);
    if (random() % 10 == 0) {
      now += random() % 50;
      fired.clear();
      heap.FireDue(now);
      for (int name : fired) {
        ASSERT_GE(deadline[name], 0);
        ASSERT_LE(deadline[name], now);
        deadline[name] = -1;
      }
    } else if (deadline[i] < 0) {
      deadline[i] = now + static_cast<int64_t>(random() % 100);
      heap.Insert(&timers[i], deadline[i], Recorder::Fire);
    } else {
      ASSERT_TRUE(heap.Remove(&timers[i]));
      ASSERT_FALSE(heap.Remove(&timers[i]));
      deadline[i] = -1;
    }
    int64_t earliest = TimerHeap::kNever;
    for (int64_t d : deadline) {
      if (d >= 0) earliest = std::min(earliest, d);
    }
    ASSERT_EQ(heap.earliest_ns(), earliest);
  }
}

// ---- With the scheduler.

class Timers : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, Timers, test::kAnyProcs);

TEST_P(Timers, ASleepLastsAtLeastAsLongAsAsked) {
  Run([] {
    for (Nanos duration : {Nanos(0), Nanos(1), Nanos(1us), Nanos(300us), Nanos(5ms)}) {
      MonoTime start = Now();
      SleepFor(duration);
      EXPECT_GE(Now() - start, duration);
    }
  });
}

TEST_P(Timers, ASleepWithoutEndDoesNotEnd) {
  std::atomic<int> began{0}, ended{0};
  Run([&] {
    auto sleeps = [&](auto sleep) {
      Go([&, sleep] {
        ++began;
        sleep();
        ++ended;
      });
    };
    sleeps([] { SleepFor(Nanos::max()); });
    sleeps([] { SleepFor(std::chrono::hours::max()); });
    sleeps([] { SleepUntil(MonoTime::max()); });
    sleeps([] { SleepUntil(MonoTime::max() - 1ns); });
    while (began < 4) Yield();
    for (int i = 0; i < 5; ++i) SleepFor(1ms);
    EXPECT_EQ(ended, 0);
  });
}

TEST_P(Timers, ManySleepersAllWake) {
  constexpr int kSleepers = 2000;
  Run([] {
    std::atomic<int> left{kSleepers};
    for (int i = 0; i < kSleepers; ++i) {
      Go([&, i] {
        SleepFor(std::chrono::microseconds(i % 997));
        left--;
      });
    }
    while (left > 0) SleepFor(1ms);
  });
}

TEST_P(Timers, AnEarlierTimerInterruptsTheSleepTowardsALaterOne) {
  Run([] {
    struct Flag : Timer {
      std::atomic<bool> fired{false};
    } far;
    far.Start(Now() + 1h, [](Timer* timer) { static_cast<Flag*>(timer)->fired = true; });
    std::atomic<int> left{100};
    for (int i = 0; i < 100; ++i) {
      Go([&] {
        SleepFor(200us);
        left--;
      });
      SleepFor(50us);
    }
    while (left > 0) SleepFor(100us);
    EXPECT_TRUE(far.Cancel());
    EXPECT_FALSE(far.fired);
  });
}

TEST_P(Timers, CancelTellsWhetherTheTimerFired) {
  Run([] {
    struct Flag : Timer {
      std::atomic<bool> fired{false};
    };
    for (int i = 0; i < 300; ++i) {
      Flag timer;
      timer.Start(Now() + std::chrono::microseconds(i % 60), [](Timer* t) { static_cast<Flag*>(t)->fired = true; });
      if (i % 2 == 0) SleepFor(30us);
      bool cancelled = timer.Cancel();
      EXPECT_EQ(cancelled, !timer.fired.load());
      EXPECT_FALSE(timer.Cancel());
    }
  });
}

// Go's TestTimerFairness: timers fire beside fibers that are always ready.
TEST_P(Timers, FireBesideFibersThatNeverWait) {
  Run([] {
    std::atomic<bool> stop{false};
    std::atomic<int> left{4};
    for (int i = 0; i < 4; ++i) {
      Go([&] {
        while (!stop) Yield();
        left--;
      });
    }
    for (int i = 0; i < 50; ++i) SleepFor(100us);
    stop = true;
    while (left > 0) Yield();
  });
}

// The sleeper's timer belongs to a processor whose machine is stuck in a fiber that does not yield: another must fire
// it.
TEST(Timer, OfABusyProcessorIsFiredByAnotherMachine) {
  for (int trial = 0; trial < 100; ++trial) {
    test::OnProcs(2, [] {
      std::atomic<bool> woke{false};
      Go([&] {
        SleepFor(500us);
        woke = true;
      });
      Yield();
      while (!woke) std::this_thread::yield();
    });
  }
}

TEST(TimerDeathTest, StartedTwiceIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(test::OnProcs(1,
                             [] {
                               Timer timer;
                               timer.Start(Now() + 1h, [](Timer*) {});
                               timer.Start(Now() + 1h, [](Timer*) {});
                             }),
               "armed already");
}

}  // namespace
}  // namespace millrace::rt
