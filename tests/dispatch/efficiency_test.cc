#include "dispatch/efficiency.h"

#include <gtest/gtest.h>

#include "dispatch/worker.h"

namespace millrace::dispatch {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

constexpr MonoTime kStart{1000s};

TEST(Efficiency, TenCpuBoundWorkersOnTwoProcessors) {
  // Each worker was busy for the whole minute: a fifth of it on a processor, the rest waiting for one.
  EfficiencyWindow window(kStart, 10);
  window.SetBusy(kStart, 10);
  for (int worker = 0; worker < 10; ++worker) {
    window.Add(kStart, kStart + 60s, {.useful = 12s, .lost_runnable = 48s});
  }
  Efficiency e = window.Read(kStart + 60s);
  EXPECT_EQ(e.window, 60s);
  EXPECT_DOUBLE_EQ(e.speedup, 2);
  EXPECT_DOUBLE_EQ(e.efficiency, 0.2);
  EXPECT_DOUBLE_EQ(e.utilization, 1);
  EXPECT_EQ(e.work.useful, 120s);
  EXPECT_EQ(e.work.lost_runnable, 480s);
}

TEST(Efficiency, IdleWorkersLowerUtilizationAndEfficiency) {
  EfficiencyWindow window(kStart, 4);
  window.SetBusy(kStart, 1);
  window.SetBusy(kStart + 10s, 0);
  window.Add(kStart, kStart + 10s, {.useful = 10s});
  Efficiency e = window.Read(kStart + 20s);
  EXPECT_DOUBLE_EQ(e.speedup, 0.5);
  EXPECT_DOUBLE_EQ(e.efficiency, 0.125);
  EXPECT_DOUBLE_EQ(e.utilization, 10.0 / 80);
}

TEST(Efficiency, ALongAttemptIsSpreadOverTheTimeItTook) {
  EfficiencyWindow window(kStart, 1);
  window.SetBusy(kStart, 1);
  // Ten minutes in one attempt: the last minute holds a tenth of it, not all.
  window.Add(kStart, kStart + 600s, {.useful = 600s});
  Efficiency e = window.Read(kStart + 600s);
  EXPECT_EQ(e.window, 60s);
  EXPECT_NEAR(e.speedup, 1, 1e-6);
  EXPECT_NEAR(e.utilization, 1, 1e-6);
}

TEST(Efficiency, WhatIsOlderThanTheWindowIsForgotten) {
  EfficiencyWindow window(kStart, 1);
  window.Add(kStart, kStart + 1s, {.useful = 1s});
  EXPECT_GT(window.Read(kStart + 30s).speedup, 0);
  EXPECT_EQ(window.Read(kStart + 120s).speedup, 0);
  EXPECT_EQ(window.Read(kStart + 24h).utilization, 0);
}

TEST(Efficiency, FollowsAResizeInsideTheWindow) {
  EfficiencyWindow window(kStart, 1);
  window.SetBusy(kStart, 1);
  window.SetWorkers(kStart + 30s, 3);
  Efficiency e = window.Read(kStart + 60s);
  EXPECT_DOUBLE_EQ(e.utilization, 60.0 / (30 + 90));
}

TEST(Efficiency, AnEmptyWindowIsZeroNotNan) {
  EfficiencyWindow window(kStart, 1);
  Efficiency e = window.Read(kStart);
  EXPECT_EQ(e.speedup, 0);
  EXPECT_EQ(e.efficiency, 0);
  EXPECT_EQ(e.utilization, 0);
}

TEST(Efficiency, OutsideIsUsefulAndInsideIsLost) {
  WorkTimes work = WorkOf({.run = 10s, .cpu = 1s, .runnable = 2s, .blocked_inside = 3s, .blocked_outside = 4s});
  EXPECT_EQ(work.useful, 5s);
  EXPECT_EQ(work.lost_runnable, 2s);
  EXPECT_EQ(work.lost_blocked, 3s);
}

rt::FiberTimes Used(Nanos running, Nanos runnable, Nanos process, Nanos io, Nanos mutex) {
  rt::FiberTimes used{.running = running, .runnable = runnable};
  used.blocked[static_cast<size_t>(rt::WaitReason::kProcess)] = process;
  used.blocked[static_cast<size_t>(rt::WaitReason::kIo)] = io;
  used.blocked[static_cast<size_t>(rt::WaitReason::kMutex)] = mutex;
  return used;
}

TEST(AttemptTimings, TheChildsTimesTakeThePlaceOfWaitingForIt) {
  AttemptOutcome outcome;
  outcome.child_cpu = 6s;
  outcome.child_run_delay = 1s;
  AttemptTimings t = TimingsOf(Used(1s, 2s, 10s, 3s, 4s), outcome);
  EXPECT_EQ(t.cpu, 7s);
  EXPECT_EQ(t.runnable, 3s);
  EXPECT_EQ(t.blocked_inside, 4s);
  EXPECT_EQ(t.blocked_outside, 6s);
  EXPECT_EQ(t.run, 20s);
}

TEST(AttemptTimings, ManyChildrenAtOnceAreCutToTheTimeThereWas) {
  AttemptOutcome outcome;
  outcome.child_cpu = 30s;
  outcome.child_run_delay = 10s;
  AttemptTimings t = TimingsOf(Used(0s, 0s, 10s, 0s, 0s), outcome);
  EXPECT_EQ(t.run, 10s);
  EXPECT_EQ(t.cpu, 7'500ms);
  EXPECT_EQ(t.runnable, 2'500ms);
  EXPECT_EQ(t.blocked_outside, 0s);
}

}  // namespace
}  // namespace millrace::dispatch
