// The number of processors changes all the time, while everything else goes on.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "runtime/blocking.h"
#include "sync/channel.h"
#include "tests/stress/torment.h"

namespace millrace::test {
namespace {

class Resizing : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Procs, Resizing, kAnyProcs);

// Go: TestStopTheWorldDeadlock.
TEST_P(Resizing, GoesOnWhileFibersYieldComputeSleepAndBlock) {
  MILLRACE_TRACE_SEED();
  rt::Runtime runtime({.procs = GetParam()});
  Tormentor tormentor(runtime);
  const Hits hits(runtime);
  std::atomic<int64_t> work{0};
  runtime.Run([&] {
    std::atomic<bool> stop{false};
    sync::WaitGroup workers, resizers;
    sync::Channel<int> numbers(2);
    for (int i = 0; i < 16; ++i) {
      workers.Go([&, i] {
        while (!stop.load()) {
          switch (i % 4) {
            case 0:
              rt::Yield();
              break;
            case 1:
              for (int k = 0; k < 100'000 && !stop.load(std::memory_order_relaxed); ++k) {
              }
              if (!rt::kPreemptionWorks) rt::Yield();
              break;
            case 2:
              rt::SleepFor(std::chrono::microseconds(50));
              break;
            default:
              rt::Blocking([] { std::this_thread::yield(); });
              static_cast<void>(numbers.TrySend(i));
              static_cast<void>(numbers.TryReceive());
          }
          work.fetch_add(1);
        }
      });
    }
    for (int r = 0; r < 3; ++r) {
      resizers.Go([&, r] {
        std::minstd_rand random(static_cast<unsigned>(TestSeed()) + static_cast<unsigned>(r));
        for (int i = 0; i < (kSlowBuild ? 20 : 100) || hits.Missing(); ++i) {
          rt::SetProcs(1 + static_cast<int>(random() % 64));
          rt::SleepFor(std::chrono::microseconds(random() % 2000));
        }
      });
    }
    resizers.Wait();
    stop = true;
    workers.Wait();
    rt::SetProcs(3);
    EXPECT_EQ(rt::Procs(), 3);
  });
  hits.Expect();
  EXPECT_GT(work.load(), 0);
}

// Timers and queues of a processor that is gone: every sleeper wakes, every started fiber runs.
TEST_P(Resizing, LosesNoTimerAndNoFiber) {
  MILLRACE_TRACE_SEED();
  rt::Runtime runtime({.procs = GetParam()});
  Tormentor tormentor(runtime);
  const Hits hits(runtime);
  std::atomic<int> ran{0};
  constexpr int kRounds = kSlowBuild ? 5 : 20, kEach = 100;
  int rounds = 0;
  runtime.Run([&] {
    std::minstd_rand random(static_cast<unsigned>(TestSeed()));
    sync::WaitGroup done;
    for (; rounds < kRounds || hits.Missing(); ++rounds) {
      rt::SetProcs(16);
      for (int i = 0; i < kEach; ++i) {
        done.Go([&, i] {
          rt::SleepFor(std::chrono::microseconds(i * 20));
          rt::Yield();
          Compute(5'000);  // Sleepers alone are hardly ever hit.
          ran.fetch_add(1);
        });
      }
      rt::SleepFor(std::chrono::microseconds(random() % 1500));
      rt::SetProcs(1 + static_cast<int>(random() % 4));
    }
    done.Wait();
  });
  hits.Expect();
  EXPECT_EQ(ran.load(), rounds * kEach);
}

TEST_P(Resizing, FromAPlainThreadToo) {
  MILLRACE_TRACE_SEED();
  rt::Runtime runtime({.procs = GetParam()});
  std::atomic<bool> stop{false};
  std::thread outside([&] {
    std::minstd_rand random(static_cast<unsigned>(TestSeed()));
    while (!stop.load()) {
      runtime.SetProcs(1 + static_cast<int>(random() % 64));
      std::this_thread::yield();
    }
  });
  std::atomic<int> ran{0};
  runtime.Run([&] {
    for (int round = 0; round < 50; ++round) {
      sync::WaitGroup done;
      for (int i = 0; i < 50; ++i) {
        done.Go([&] {
          rt::Yield();
          ran.fetch_add(1);
        });
      }
      done.Wait();
    }
  });
  stop = true;
  outside.join();
  EXPECT_EQ(ran.load(), 50 * 50);
}

// Fewer processors means fewer that run at the same time, hogs included. Go: TestGoroutineParallelism.
TEST(ResizingDown, StopsHogsThatHaveTooManyProcessors) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  rt::Runtime runtime({.procs = 8});
  runtime.Run([&] {
    std::atomic<bool> stop{false};
    std::atomic<int> begun{0};
    sync::WaitGroup hogs;
    for (int i = 0; i < 8; ++i) {
      hogs.Go([&] {
        begun.fetch_add(1);
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    while (begun.load() < 8) rt::Yield();
    rt::SetProcs(1);
    // With one processor a yield lets all others have a slice, so nobody else runs when we do.
    while (runtime.Stats().fibers_running > 1) rt::Yield();
    stop = true;
    hogs.Wait();
  });
}

// Go: TestBigGOMAXPROCS.
TEST(ResizingDeathTest, AbsurdNumbersAreRefusedWithTheRange) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(rt::Runtime({.procs = 1}).Run([] { rt::SetProcs(1'000'000); }), "must be 1 to 256");
  EXPECT_DEATH(rt::Runtime({.procs = 1}).Run([] { rt::SetProcs(0); }), "must be 1 to 256");
}

TEST(ResizingUp, ToTheMostThereCanBe) {
  OnProcs(1, [] {
    EXPECT_EQ(rt::SetProcs(rt::kMaxProcs), 1);
    std::atomic<int> ran{0};
    sync::WaitGroup done;
    for (int i = 0; i < 1000; ++i) done.Go([&] { ran.fetch_add(1); });
    done.Wait();
    EXPECT_EQ(ran.load(), 1000);
    EXPECT_EQ(rt::SetProcs(1), rt::kMaxProcs);
  });
}

}  // namespace
}  // namespace millrace::test
