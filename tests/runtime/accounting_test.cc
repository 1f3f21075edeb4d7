#include "runtime/accounting.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;

class Accounting : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, Accounting, test::kAnyProcs);

Nanos Sum(const FiberTimes& times) {
  Nanos sum = times.running + times.runnable;
  for (Nanos blocked : times.blocked) sum += blocked;
  return sum;
}

TEST_P(Accounting, ASleepIsTimeBlockedOnATimerAndNotLost) {
  Run([] {
    // When the machine is paused between arming the timer and parking, that time counts as running: then sleep again.
    FiberTimes spent;
    do {
      FiberTimes before = CurrentFiberTimes();
      SleepFor(20ms);
      spent = CurrentFiberTimes() - before;
      EXPECT_GE(Sum(spent), 19ms);
      EXPECT_EQ(spent.BlockedLost(), Nanos(0));
    } while (spent.blocked[static_cast<size_t>(WaitReason::kTimer)] < 19ms);
    EXPECT_GE(spent.BlockedOutside(), 19ms);
  });
}

TEST_P(Accounting, ComputingIsRunningTime) {
  Run([] {
    FiberTimes before = CurrentFiberTimes();
    SystemClock clock;
    MonoTime end = clock.Mono() + 20ms;
    while (clock.Mono() < end) {
    }
    EXPECT_GE((CurrentFiberTimes() - before).running, 19ms);
  });
}

TEST(AccountingOnOneProcessor, AReadyFiberBesideABusyOneIsRunnable) {
  test::OnProcs(1, [] {
    FiberTimes spent;
    std::atomic<bool> done{false};
    Go([&] {
      FiberTimes before = CurrentFiberTimes();
      Yield();  // The other one computes meanwhile.
      spent = CurrentFiberTimes() - before;
      done = true;
    });
    Yield();
    SystemClock clock;
    // Less than a slice: the other one gets its turn after that in any case.
    MonoTime end = clock.Mono() + 5ms;
    while (clock.Mono() < end) {
    }
    while (!done) Yield();
    EXPECT_GE(spent.runnable, 4ms);
  });
}

TEST_P(Accounting, ThePartsSumUpToTheWallTime) {
  Run([] {
    SystemClock clock;
    // The account is read between two readings of the clock at each end, so a pause of the machine there does no harm.
    MonoTime outer_start = clock.Mono();
    FiberTimes before = CurrentFiberTimes();
    MonoTime inner_start = clock.Mono();
    for (int i = 0; i < 100; ++i) {
      Yield();
      SleepFor(100us);
    }
    Nanos inner = clock.Mono() - inner_start;
    Nanos sum = Sum(CurrentFiberTimes() - before);
    Nanos outer = clock.Mono() - outer_start;
    // One per cent for the rates of two clocks.
    EXPECT_LE(sum, outer + outer / 100);
    EXPECT_GE(sum, inner - inner / 100);
  });
}

TEST(WaitReasons, WaitingForAnotherFiberIsLostAndForTheOutsideIsNot) {
  for (WaitReason lost : {WaitReason::kChannelSend, WaitReason::kChannelReceive, WaitReason::kSelect,
                          WaitReason::kMutex, WaitReason::kRwMutex, WaitReason::kCondition, WaitReason::kSemaphore,
                          WaitReason::kOnce, WaitReason::kWaitGroup}) {
    EXPECT_TRUE(IsLost(lost)) << ToString(lost);
  }
  for (WaitReason outside : {WaitReason::kNone, WaitReason::kTimer, WaitReason::kIo, WaitReason::kProcess,
                             WaitReason::kBlocking, WaitReason::kIdle, WaitReason::kExternal}) {
    EXPECT_FALSE(IsLost(outside)) << ToString(outside);
  }
}

}  // namespace
}  // namespace millrace::rt
