// Fibers that never yield. Hangs are caught by ctest's limit; nothing here looks at a clock.
#include "runtime/preempt.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/dump.h"
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
  Run([] {
    Hogs hogs(GetParam());
    // Each needs a processor that a hog has.
    for (int i = 0; i < 20; ++i) Yield();
    hogs.Stop();
  });
}

// As Boost.Coroutine, a JIT or an interpreter does it.
TEST_P(Preemption, AFiberThatSpinsOnAStackThatALibraryHasMadeDoesNotStopTheOthers) {
  Run([] {
    static std::atomic<bool> stop, begun;
    stop = false;
    sync::WaitGroup hogs;
    for (int i = 0; i < GetParam(); ++i) {
      begun = false;
      hogs.Go([] {
        std::vector<char> stack(size_t{64} << 10);
        ucontext_t here, there;
        getcontext(&there);
        there.uc_stack.ss_sp = stack.data();
        there.uc_stack.ss_size = stack.size();
        there.uc_link = &here;
        makecontext(
            &there,
            +[] {
              begun = true;
              while (!stop.load(std::memory_order_relaxed)) {
              }
            },
            0);
        swapcontext(&here, &there);
      });
      while (!begun.load()) Yield();
    }
    // Each needs a processor that a hog has.
    for (int i = 0; i < 20; ++i) SleepFor(milliseconds(1));
    // What a dump tells of such a fiber stops at the end of what is known.
    EXPECT_NE(FiberDump().find("runtime: end of fiber dump"), std::string::npos);
    stop = true;
    hogs.Wait();
  });
}

TEST_P(Preemption, TimersFireBesideFibersThatSpin) {
  Run([] {
    Hogs hogs(GetParam());
    for (int i = 0; i < 20; ++i) SleepFor(milliseconds(1));
    hogs.Stop();
  });
}

TEST_P(Preemption, AStoppedFiberGoesOnWhereItWasWithItsRegistersAndErrno) {
  Run([] {
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

// The signal stack is the thread's, and small: a handler of the program's own that spins there is let be.
TEST(PreemptionOnTheSignalStack, LetsAHandlerBe) {
  if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  static std::atomic<bool> go_on, in_handler;
  go_on = in_handler = false;
  struct sigaction action {};
  action.sa_handler = [](int) {
    in_handler = true;
    while (!go_on.load()) {
    }
  };
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  Runtime runtime({.procs = 1});
  std::atomic<pid_t> tid{0};
  uint64_t stops_before = 0, stops_after = 0;
  std::thread outside([&] {
    while (tid.load() == 0) std::this_thread::yield();
    syscall(SYS_tgkill, getpid(), tid.load(), SIGUSR1);
    while (!in_handler.load()) std::this_thread::yield();
    stops_before = runtime.Stats().switches_preempted;
    std::this_thread::sleep_for(5 * Nanos(kTimeSliceNs));
    stops_after = runtime.Stats().switches_preempted;
    go_on = true;
  });
  runtime.Run([&] {
    sync::WaitGroup fibers;
    fibers.Go([&] {
      tid = gettid();
      while (!in_handler.load()) {
      }
    });
    // Both want the one processor.
    fibers.Go([&] {
      while (!go_on.load()) Yield();
    });
    fibers.Wait();
    Blocking([&] { outside.join(); });
  });
  EXPECT_EQ(stops_before, stops_after);
  signal(SIGUSR1, SIG_DFL);
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
