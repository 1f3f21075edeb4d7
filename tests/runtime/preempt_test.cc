// Fibers that never yield. Hangs are caught by ctest's limit; nothing here looks at a clock.
#include "runtime/preempt.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/runtime.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using std::chrono::milliseconds;

class Preemption : public test::OnAnyProcs {
 protected:
  void SetUp() override {
    if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  }
};
INSTANTIATE_TEST_SUITE_P(Procs, Preemption, test::kAnyProcs);

// Fibers that compute without any call until they are told to stop.
class Hogs {
 public:
  explicit Hogs(int count) {
    for (int i = 0; i < count; ++i) {
      fibers_.Go([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  void Stop() {
    stop_ = true;
    fibers_.Wait();
  }

 private:
  std::atomic<bool> stop_{false};
  sync::WaitGroup fibers_;
};

TEST_P(Preemption, AFiberThatSpinsWithoutAnyCallDoesNotStopTheOthers) {
  Run([this] {
    Hogs hogs(GetParam());
    // Each needs a processor that a hog has.
    for (int i = 0; i < 20; ++i) Yield();
    hogs.Stop();
  });
}

TEST_P(Preemption, TimersFireBesideFibersThatSpin) {
  Run([this] {
    Hogs hogs(GetParam());
    for (int i = 0; i < 20; ++i) SleepFor(milliseconds(1));
    hogs.Stop();
  });
}

TEST_P(Preemption, AStoppedFiberGoesOnWhereItWasWithItsRegistersAndErrno) {
  Run([this] {
    std::atomic<int> running{0};
    std::atomic<int> wrong{0};
    sync::WaitGroup hogs;
    const int count = 3 * GetParam();
    for (int i = 0; i < count; ++i) {
      hogs.Go([&, i] {
        running.fetch_add(1);
        errno = 1000 + i;
        double sum = 0;
        uint64_t mixed = static_cast<uint64_t>(i) + 1;
        // Until every one has begun, which takes as many slices as there are hogs for each processor.
        for (uint64_t round = 0; running.load(std::memory_order_relaxed) < count || round < 1000; ++round) {
          double part = 1.0;
          uint64_t x = mixed;
          for (int k = 0; k < 1000; ++k) {
            part = part * 1.0000001 + 0.5;
            x = x * 6364136223846793005u + 1442695040888963407u;
          }
          double again = 1.0;
          uint64_t y = mixed;
          for (int k = 0; k < 1000; ++k) {
            again = again * 1.0000001 + 0.5;
            y = y * 6364136223846793005u + 1442695040888963407u;
          }
          if (part != again || x != y || errno != 1000 + i) wrong.fetch_add(1);
          mixed = x;
          sum += part;
        }
        if (sum <= 0) wrong.fetch_add(1);
      });
    }
    hogs.Wait();
    EXPECT_EQ(wrong.load(), 0);
  });
}

// In a process of its own, since the threads of the hogs stay behind.
TEST_P(Preemption, ProgramsThatEndBesideHogsEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::atomic<bool> never{false};
        std::atomic<int> begun{0};
        Run([&] {
          for (int i = 0; i < GetParam() + 2; ++i) {
            Go([&] {
              begun.fetch_add(1);
              while (!never.load(std::memory_order_relaxed)) {
              }
            });
          }
          while (begun.load() < GetParam() + 2) Yield();
        });
        exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

TEST_P(Preemption, FibersThatAreStoppedAreCounted) {
  Runtime runtime({.procs = GetParam()});
  runtime.Run([&] {
    Hogs hogs(GetParam() + 1);
    while (runtime.Stats().switches_preempted < 5) Yield();
    hogs.Stop();
  });
}

}  // namespace
}  // namespace millrace::rt
