// SetProcs(1) while the only fiber that runs does so on the processor that goes, and the one that stays is idle.
#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>

#include "runtime/current_machine.h"
#include "runtime/machine.h"
#include "runtime/preempt.h"
#include "runtime/processor.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

// -1: the fiber has lost its processor.
int ProcessorIndex() {
  rt::PinScope pin;
  const rt::Processor* processor = rt::CurrentMachine()->processor.Get();
  return processor != nullptr ? processor->index : -1;
}

void ComputeFor(std::chrono::nanoseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
  }
}

// Runs `body` on processor 1 of two, with 0 idle; after SetProcs(1).
void OnTheOneTooMany(const std::function<void()>& body) {
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    std::atomic<bool> on_one{false};
    while (!on_one) {
      std::atomic<bool> begun{false};
      sync::WaitGroup fiber;
      fiber.Go([&] {
        on_one = ProcessorIndex() == 1;
        begun = true;
        if (!on_one) return;
        while (runtime.Stats().procs_idle < 1) {
        }
        rt::SetProcs(1);
        body();
      });
      // It can only begin on the other processor.
      while (!begun) {
      }
      fiber.Wait();
    }
  });
}

TEST(ShrinkingToOne, AFiberThatIsStartedThereRunsThoughItsStarterComputes) {
  OnTheOneTooMany([] {
    ComputeFor(milliseconds(150));  // Until sysmon would have gone to sleep over it.
    std::atomic<bool> ran{false};
    rt::Go([&] { ran = true; });
    while (!ran) {
    }
  });
}

TEST(ShrinkingToOne, WhoComputesThereIsMovedToTheOneThatStays) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  OnTheOneTooMany([] {
    while (ProcessorIndex() != 0) {
    }
  });
}

// golang/go#38033: libraries do not expect EINTR of calls that nobody interrupts.
TEST(Sleepers, AreNotWokenByTheSignalInTheirNextCallEither) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  constexpr int kCalls = 200;
  std::atomic<int> interrupted{0};
  rt::Runtime runtime({.procs = 1});
  runtime.Run([&] {
    std::atomic<bool> stop{false};
    sync::WaitGroup hog, sleeper;
    hog.Go([&] {
      while (!stop) {
      }
    });
    sleeper.Go([&] {
      for (int i = 0; i < kCalls; ++i) {
        timespec time{.tv_sec = 0, .tv_nsec = 2'000'000};
        if (nanosleep(&time, nullptr) != 0 && errno == EINTR) ++interrupted;
        ComputeFor(std::chrono::microseconds(10));
      }
    });
    sleeper.Wait();
    stop = true;
    hog.Wait();
  });
  // A signal may still meet a thread that is on its way into the kernel. Signalled whenever it had computed, it was one
  // call in ten.
  EXPECT_LE(interrupted, kCalls / 20);
}

}  // namespace
}  // namespace millrace
