#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/accounting.h"
#include "runtime/lock.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int kManyFibers = 2000;  // ThreadSanitizer has room for some 8,000 contexts.
#else
constexpr int kManyFibers = 20'000;
#endif

class Scheduling : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, Scheduling, test::kAnyProcs);

TEST_P(Scheduling, RunReturnsWhatMainReturns) {
  Runtime runtime({.procs = GetParam()});
  EXPECT_EQ(runtime.Run([] { return 7; }), 7);
}

TEST_P(Scheduling, EveryFiberRunsOnce) {
  std::vector<std::atomic<int>> runs(kManyFibers);
  std::atomic<int> left{kManyFibers};
  Run([&] {
    for (int i = 0; i < kManyFibers; ++i) {
      Go([&, i] {
        runs[i]++;
        left--;
      });
    }
    while (left > 0) Yield();
  });
  for (auto& count : runs) ASSERT_EQ(count, 1);
}

TEST_P(Scheduling, FibersStartedByFibersStartedByFibersAllRun) {
  std::atomic<int> left{0};
  struct Tree {
    static void Grow(std::atomic<int>& left, int depth) {
      if (depth > 0) {
        for (int i = 0; i < 4; ++i) {
          left++;
          Go([&left, depth] { Grow(left, depth - 1); });
        }
      }
      left--;
    }
  };
  Run([&] {
    left++;
    Go([&] { Tree::Grow(left, 5); });
    while (left > 0) Yield();
  });
}

TEST_P(Scheduling, MainReturningDropsReadyAndParkedFibers) {
  std::atomic<int> after_main{0};
  bool main_returned = false;
  {
    Runtime runtime({.procs = GetParam()});
    runtime.Run([&] {
      for (int i = 0; i < 100; ++i) {
        Go([&] {
          Park(WaitReason::kExternal, nullptr, nullptr);
          after_main++;
        });
      }
      for (int i = 0; i < 100; ++i) {
        Go([&] {
          while (!main_returned) Yield();
        });
      }
      for (int i = 0; i < 10; ++i) Yield();
    });
  }
  main_returned = true;
  EXPECT_EQ(after_main, 0);
}

TEST_P(Scheduling, YieldLetsEveryOtherReadyFiberRun) {
  constexpr int kFibers = 50, kRounds = 100;
  std::array<std::atomic<int>, kFibers> rounds{};
  std::atomic<int> left{kFibers};
  Run([&] {
    for (int i = 0; i < kFibers; ++i) {
      Go([&, i] {
        for (int r = 0; r < kRounds; ++r) {
          rounds[i]++;
          Yield();
        }
        left--;
      });
    }
    while (left > 0) Yield();
  });
  for (auto& count : rounds) EXPECT_EQ(count, kRounds);
}

// What three fibers write down that yield to each other. Nothing if one of them has computed for long or has lost its
// processor: such a one comes later (shares.h), and a pause of the machine counts as computing.
std::optional<std::string> TurnsOfThree() {
  Runtime runtime({.procs = 1});
  Lock lock;  // One processor or not, fibers that share a variable need one: TSan rightly says so.
  std::string order;
  bool paused = false;
  runtime.Run([&] {
    std::atomic<int> left{3};
    for (char name : {'a', 'b', 'c'}) {
      Go([&, name] {
        Nanos until_now{0};
        for (int i = 0; i < 4; ++i) {
          {
            LockGuard guard(lock);
            order += name;
          }
          Yield();
          const Nanos running = CurrentFiberTimes().running;
          LockGuard guard(lock);
          // Half of what is long: a burst, from switch to switch, lies in two of these spans.
          if (running - std::exchange(until_now, running) > Nanos(kTimeSliceNs / 40)) paused = true;
        }
        left--;
      });
    }
    Yield();
    {
      // When the slice in which they were made is over, the one in the next slot goes behind the others.
      LockGuard guard(lock);
      if (CurrentFiberTimes().running > Nanos(kTimeSliceNs / 2)) paused = true;
    }
    while (left > 0) Yield();
  });
  return paused || runtime.Stats().switches_handoff > 0 ? std::nullopt : std::optional(order);
}

TEST(Scheduler, OnOneProcessorYieldingFibersTakeStrictTurns) {
  std::optional<std::string> order;
  while (!order) order = TurnsOfThree();
  // The fiber started last is in the next slot and goes first; then they take turns.
  EXPECT_EQ(order, "cabcabcabcab");
}

// Two fibers that ready each other stay in the next slot for ever; only the look at the global queue every 61st slice
// lets the fiber from outside in.
TEST(Scheduler, APairThatReadiesEachOtherCannotStarveTheGlobalQueue) {
  Runtime runtime({.procs = 1});
  std::atomic<bool> outsider_ran{false};
  runtime.Run([&] {
    Lock lock;
    Fiber* waiting = nullptr;
    auto play = [&] {
      while (!outsider_ran) {
        lock.lock();
        Fiber* partner = waiting;
        waiting = CurrentFiber();
        if (partner != nullptr) Ready(partner);
        ParkAndUnlock(WaitReason::kExternal, lock);
      }
      LockGuard guard(lock);
      if (waiting != nullptr) Ready(waiting);
      waiting = nullptr;
    };
    std::thread outsider([&] { runtime.Go([&] { outsider_ran = true; }); });
    Go(play);
    Go(play);
    while (!outsider_ran) Yield();
    outsider.join();
    for (int i = 0; i < 10; ++i) Yield();
  });
}

// Go's TestGoroutineParallelism: N fibers hand a number round without ever yielding; it moves only if all N run at
// once.
TEST_P(Scheduling, AsManyFibersRunAtTheSameTimeAsThereAreProcessors) {
  int procs = std::min(GetParam(), 4);
  for (int trial = 0; trial < 5; ++trial) {
    test::OnProcs(procs, [&] {
      std::atomic<uint32_t> turn{0};
      Parker all_done;
      std::atomic<int> left{procs};
      for (int p = 0; p < procs; ++p) {
        Go([&, p] {
          for (uint32_t i = 0; i < 5; ++i) {
            while (turn.load() != static_cast<uint32_t>(procs) * i + p) std::this_thread::yield();
            turn = procs * i + p + 1;
          }
          if (--left == 0) all_done.Wake();
        });
      }
      all_done.Wait(WaitReason::kExternal);  // Parked: a main that yields would keep a processor for itself.
    });
  }
}

TEST_P(Scheduling, AReadyFiberIsNeverLeftWhileAProcessorIsIdle) {
  // Main blocks its machine without yielding until the fibers it started have all run: others must come and steal them.
  if (GetParam() == 1) return;
  for (int trial = 0; trial < 200; ++trial) {
    Run([&] {
      std::atomic<int> left{4};
      for (int i = 0; i < 4; ++i) Go([&] { left--; });
      while (left > 0) std::this_thread::yield();
    });
  }
}

TEST_P(Scheduling, WakeUpsFromPlainThreadsAreNeverLost) {
  // Each round all machines may be asleep when the thread readies the fiber: the idle protocol's race, a few thousand
  // times.
  constexpr int kThreads = 3, kRounds = 500;
  Runtime runtime({.procs = GetParam()});
  runtime.Run([&] {
    std::atomic<int> left{kThreads};
    std::vector<std::thread> threads;
    struct Mailbox {
      std::atomic<Parker*> parker{nullptr};
    };
    std::vector<Mailbox> boxes(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kRounds; ++i) {
          Parker* parker;
          while ((parker = boxes[t].parker.exchange(nullptr)) == nullptr) std::this_thread::yield();
          parker->Wake();
        }
      });
      Go([&, t] {
        for (int i = 0; i < kRounds; ++i) {
          Parker parker;
          boxes[t].parker = &parker;
          parker.Wait(WaitReason::kExternal);
        }
        left--;
      });
    }
    while (left > 0) Yield();
    for (std::thread& thread : threads) thread.join();
  });
}

// As above, with nobody else awake: main parks as well, so that every wake-up finds all machines on their way to sleep.
TEST_P(Scheduling, TheLastSpinnerSeesALatePush) {
  constexpr int kRounds = 2000;
  Runtime runtime({.procs = GetParam()});
  runtime.Run([&] {
    std::atomic<Parker*> box{nullptr};
    std::thread waker([&] {
      for (int i = 0; i < kRounds; ++i) {
        Parker* parker;
        while ((parker = box.exchange(nullptr)) == nullptr) std::this_thread::yield();
        parker->Wake();
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      Parker parker;
      box = &parker;
      parker.Wait(WaitReason::kExternal);
    }
    waker.join();
  });
}

// The thread that wakes main for the last time may still be inside Ready when the runtime is gone and the next one
// stands in its place.
TEST_P(Scheduling, ARuntimeOutlivesThePlainThreadThatWokeItLast) {
  for (int i = 0; i < 300; ++i) {
    std::thread waker;
    Parker parker;
    {
      Runtime runtime({.procs = GetParam()});
      runtime.Run([&] {
        waker = std::thread([&] { parker.Wake(); });
        parker.Wait(WaitReason::kExternal);
      });
    }
    waker.join();
  }
}

TEST_P(Scheduling, FibersStartedByPlainThreadsAllRun) {
  Runtime runtime({.procs = GetParam()});
  constexpr int kThreads = 4, kEach = 500;
  std::atomic<int> left{kThreads * kEach};
  runtime.Run([&] {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) runtime.Go([&] { left--; });
      });
    }
    for (std::thread& thread : threads) thread.join();
    while (left > 0) Yield();
  });
}

TEST_P(Scheduling, AFiberStartedBeforeRunStartsWithIt) {
  Runtime runtime({.procs = GetParam()});
  std::atomic<bool> ran{false};
  runtime.Go([&] { ran = true; });
  runtime.Run([&] {
    while (!ran) Yield();
  });
  EXPECT_TRUE(ran);
}

TEST_P(Scheduling, SeveralRuntimesLiveSideBySide) {
  Runtime one({.procs = GetParam()}), two({.procs = 2});
  std::atomic<int> turns{0};
  std::thread other([&] {
    two.Run([&] {
      for (int i = 0; i < 1000; ++i) {
        turns++;
        Yield();
      }
    });
  });
  one.Run([&] {
    for (int i = 0; i < 1000; ++i) {
      turns++;
      Yield();
    }
  });
  other.join();
  EXPECT_EQ(turns, 2000);
}

template <size_t kBytes>
void AddFromAClosureOf(std::atomic<size_t>& sum) {
  std::array<char, kBytes> bytes{};
  const size_t before = sum;
  Go([&sum, bytes] { sum += bytes.size(); });
  while (sum == before) Yield();
}

// AddressSanitizer once took what the outermost frame of an earlier fiber had left for the bounds of the closure; of a
// large one it looks at the first and the last bytes.
TEST_P(Scheduling, AClosureMayLieWhereTheFrameOfAnEarlierFiberWas) {
  Run([&] {
    std::atomic<size_t> sum{0};
    [&]<size_t... kStep>(std::index_sequence<kStep...>) {
      ((AddFromAClosureOf<1>(sum), AddFromAClosureOf<16 * (kStep + 1)>(sum)), ...);
    }
    (std::make_index_sequence<16>());
    EXPECT_EQ(sum, 16 + 16 * (16 * 17 / 2));
  });
}

TEST_P(Scheduling, LargeAndMoveOnlyClosuresReachTheirFiber) {
  Run([&] {
    std::array<char, 5000> large;
    large.fill('x');
    auto only = std::make_unique<int>(42);
    std::atomic<int> left{2};
    Go([&left, large] {
      EXPECT_EQ(large[4999], 'x');
      left--;
    });
    Go([&left, only = std::move(only)] {
      EXPECT_EQ(*only, 42);
      left--;
    });
    while (left > 0) Yield();
  });
}

TEST_P(Scheduling, FiberIdsAreUnique) {
  std::set<uint64_t> ids;
  Lock lock;
  std::atomic<int> left{1000};
  Run([&] {
    for (int i = 0; i < 1000; ++i) {
      Go([&] {
        uint64_t id = CurrentFiberId();
        {
          LockGuard guard(lock);
          ids.insert(id);
        }
        left--;
      });
    }
    while (left > 0) Yield();
  });
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(ids.count(0), 0u);
}

TEST_P(Scheduling, StatsAddUp) {
  Runtime runtime({.procs = GetParam()});
  runtime.Run([&] {
    std::atomic<int> left{100};
    for (int i = 0; i < 100; ++i) {
      Go([&] {
        Yield();
        left--;
      });
    }
    while (left > 0) Yield();
  });
  RuntimeStats stats = runtime.Stats();
  EXPECT_EQ(stats.procs, GetParam());
  EXPECT_EQ(stats.fibers_started, 101u);
  EXPECT_GE(stats.switches_voluntary, 201u);
  uint64_t waits = 0;
  for (uint64_t count : stats.wait_buckets) waits += count;
  EXPECT_GE(waits, 201u);
}

using SchedulerDeathTest = ::testing::Test;

TEST(SchedulerDeathTest, AnExceptionThatLeavesAFiberEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(test::OnProcs(1, [] { throw std::runtime_error("left the fiber"); }), "left the fiber");
}

TEST(SchedulerDeathTest, ProcessorsOutOfRangeAreRefusedWithTheRange) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Runtime({.procs = -1}), "RuntimeOptions::procs is -1; it must be a whole number from 1 to 256");
  EXPECT_DEATH(Runtime({.procs = 10'000}), "RuntimeOptions::procs is 10000; it must be a whole number from 1 to 256");
}

TEST(SchedulerDeathTest, GoOutsideAFiberNamesTheWayOut) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Go([] {}), "this needs a fiber.*Runtime::Go");
}

}  // namespace
}  // namespace millrace::rt
