#include "runtime/accounting.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>

#include "runtime/blocking.h"
#include "runtime/park.h"
#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"
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
    std::atomic<bool> waits{false}, computed{false}, done{false};
    Go([&] {
      FiberTimes before = CurrentFiberTimes();
      waits = true;
      // Many yields, as one proves nothing: after a pause of the machine in the other fiber, which counts as its
      // computing, this one comes first again at once (shares.h).
      while (!computed) Yield();
      spent = CurrentFiberTimes() - before;
      done = true;
    });
    while (!waits) Yield();
    // Measured by the account and not by the clock, as a part of a time by the clock may be the other fiber's.
    Nanos before = CurrentFiberTimes().running;
    while (CurrentFiberTimes().running - before < 5ms) {
    }
    computed = true;
    while (!done) Yield();
    EXPECT_GE(spent.runnable, 4ms);
  });
}

// Runs `body` and expects the parts of its account to sum up to the time it took.
template <typename F>
void ExpectPartsSumUp(F&& body) {
  SystemClock clock;
  // The account is read between two readings of the clock at each end, so a pause of the machine there does no harm.
  MonoTime outer_start = clock.Mono();
  FiberTimes before = CurrentFiberTimes();
  MonoTime inner_start = clock.Mono();
  body();
  Nanos inner = clock.Mono() - inner_start;
  Nanos sum = Sum(CurrentFiberTimes() - before);
  Nanos outer = clock.Mono() - outer_start;
  // One per cent for the rates of two clocks.
  EXPECT_LE(sum, outer + outer / 100);
  EXPECT_GE(sum, inner - inner / 100);
}

TEST_P(Accounting, ThePartsSumUpToTheWallTime) {
  Run([] {
    ExpectPartsSumUp([] {
      for (int i = 0; i < 100; ++i) {
        Yield();
        SleepFor(100us);
      }
    });
  });
}

TEST_P(Accounting, ThePartsSumUpForAFiberThatASignalStops) {
  if (!kPreemptionWorks) GTEST_SKIP() << "no preemption in this build";
  Run([] {
    std::atomic<bool> stop{false};
    sync::WaitGroup hogs;
    for (int i = 0; i < Procs(); ++i) {
      hogs.Go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    ExpectPartsSumUp([] {
      // It does not wait, so what makes it runnable is a signal.
      FiberTimes before = CurrentFiberTimes();
      while ((CurrentFiberTimes() - before).runnable == Nanos(0)) {
      }
      EXPECT_EQ((CurrentFiberTimes() - before).BlockedLost(), Nanos(0));
    });
    stop = true;
    hogs.Wait();
  });
}

// Other fibers run while it waits in the kernel: its account says that it was blocked, and hides nothing.
void ReadUntilItWasSeen(Runtime& runtime, bool announced) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  std::atomic<bool> reads{false}, done{false};
  std::atomic<uint64_t> handoffs{0};
  sync::WaitGroup reader;
  reader.Go([&] {
    constexpr auto kBlocking = static_cast<size_t>(WaitReason::kBlocking);
    FiberTimes before = CurrentFiberTimes();
    ExpectPartsSumUp([&] {
      // Should sysmon have seen somebody else asleep, once more.
      do {
        char byte;
        auto read_byte = [&] { return read(ends[0], &byte, 1); };
        handoffs = runtime.Stats().switches_handoff;
        reads = true;
        EXPECT_EQ(announced ? Blocking(read_byte) : read_byte(), 1);
        const FiberTimes without_processor = CurrentFiberTimes();
        Yield();
        // What was told before it was booked stays told.
        EXPECT_GE(CurrentFiberTimes().running, without_processor.running);
        EXPECT_GE(CurrentFiberTimes().blocked[kBlocking], without_processor.blocked[kBlocking]);
      } while ((CurrentFiberTimes() - before).blocked[kBlocking] == Nanos(0));
    });
    done = true;
  });
  // Sysmon looks at sleeping fibers only while others wait for a processor.
  sync::WaitGroup others;
  for (int i = 0; i < Procs(); ++i) {
    others.Go([&] {
      while (!done) Yield();
    });
  }
  while (!done) {
    while (!done && (!reads || runtime.Stats().switches_handoff == handoffs)) Yield();
    reads = false;
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    // Given time to come back before the next round.
    while (!done && !reads) Yield();
  }
  reader.Wait();
  others.Wait();
  close(ends[0]);
  close(ends[1]);
}

TEST_P(Accounting, ThePartsSumUpForAFiberThatBlocksUnannounced) {
  Runtime runtime({.procs = GetParam()});
  runtime.Run([&] { ReadUntilItWasSeen(runtime, false); });
}

TEST_P(Accounting, ThePartsSumUpForAFiberThatBlocksAnnounced) {
  Runtime runtime({.procs = GetParam()});
  runtime.Run([&] { ReadUntilItWasSeen(runtime, true); });
}

// The fibers are in the ring of a processor whose fiber does not let go.
TEST_P(Accounting, WhatIsStolenIsCounted) {
  if (GetParam() == 1) GTEST_SKIP() << "nobody to steal";
  Runtime runtime({.procs = GetParam()});
  std::atomic<int> ran{0};
  runtime.Run([&] {
    for (int i = 0; i < 100; ++i) Go([&] { ++ran; });
    while (ran < 100) {
    }
  });
  RuntimeStats stats = runtime.Stats();
  EXPECT_GE(stats.steals, 1u);
  EXPECT_GE(stats.fibers_stolen, stats.steals);
  EXPECT_LE(stats.fibers_stolen, stats.switches_voluntary + 100);
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
