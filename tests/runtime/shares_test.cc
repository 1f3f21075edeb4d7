// Which kind of fiber comes first on a processor, with a clock of the test's own: a slice is 100 ticks.
#include "runtime/shares.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "runtime/fiber.h"
#include "runtime/ready_lists.h"

namespace millrace::rt {
namespace {

constexpr uint64_t kBusySlice = 100;

// A processor on which something is always ready in each kind.
struct Busy {
  Shares shares;
  uint64_t now = 10'000, tick = 5;
  uint64_t urgent = 0, timely = 0, hogs = 0;  // Ticks that each kind has had.

  // Chooses as Scheduler::PopBeforeOthers does and lets the chosen one run for the time of its kind.
  void Step(bool urgent_ready, uint64_t urgent_burst, uint64_t timely_burst, uint64_t hog_burst) {
    if (urgent_ready && shares.UrgentMayGo(now, tick, kBusySlice)) {
      shares.UrgentGoes(now, tick, kBusySlice);
      Run(urgent, urgent_burst);
    } else if (shares.HogsGoFirst(now)) {
      shares.HogGoesFirst(now, tick, kBusySlice);
      Run(hogs, hog_burst);
      shares.BurstEnds(now, tick, kBusySlice);
    } else {
      Run(timely, timely_burst);
    }
  }
  void Run(uint64_t& kind, uint64_t burst) {
    ++tick;
    now += burst;
    kind += burst;
  }
};

TEST(Shares, WhatIsUrgentComesBeforeTheOthersAndLeavesThemHalfOfTheTime) {
  Busy busy;
  busy.Step(true, 1, 1, kBusySlice);
  EXPECT_EQ(busy.urgent, 1U);
  for (int i = 0; i < 100'000; ++i) busy.Step(true, 1, 1, kBusySlice);
  uint64_t all = busy.urgent + busy.timely + busy.hogs;
  EXPECT_GT(busy.urgent, all * 2 / 5);
  EXPECT_LT(busy.urgent, all * 3 / 5);
  // Who share that half as ever.
  EXPECT_GT(busy.timely, all / 6);
  EXPECT_GT(busy.hogs, all / 6);
}

TEST(Shares, AnUrgentOneNowAndThenNeverWaits) {
  Busy busy;
  for (int i = 0; i < 1000; ++i) {
    // The processor was idle, or others have run.
    busy.now += 3 * kBusySlice;
    busy.tick += static_cast<uint64_t>(i) % 2;
    ASSERT_TRUE(busy.shares.UrgentMayGo(busy.now, busy.tick, kBusySlice)) << i;
    busy.shares.UrgentGoes(busy.now, busy.tick, kBusySlice);
    busy.Run(busy.urgent, kBusySlice / 2);
  }
}

TEST(Shares, HogsGetHalfOfTheTimeOfAProcessorThatOthersWantAsWell) {
  for (uint64_t hog_burst : {kBusySlice, kBusySlice / 10}) {
    for (uint64_t timely_burst : {uint64_t{1}, kBusySlice / 3, kBusySlice}) {
      Busy busy;
      for (int i = 0; i < 100'000; ++i) busy.Step(false, 0, timely_burst, hog_burst);
      uint64_t all = busy.timely + busy.hogs;
      EXPECT_GT(busy.hogs, all / 3) << hog_burst << " " << timely_burst;
      EXPECT_LT(busy.hogs, all * 2 / 3) << hog_burst << " " << timely_burst;
    }
  }
}

// Hogs have the processor to themselves; somebody wakes while one runs.
TEST(Shares, WhoeverWakesWaitsForOneHogAtMost) {
  for (uint64_t hog_burst : {kBusySlice + 7, kBusySlice / 10}) {
    Shares shares;
    uint64_t now = 10'000, tick = 5;
    shares.HogGoesFirst(now, tick, kBusySlice);
    now += 5 * kBusySlice;
    for (int i = 0; i < 100; ++i) {
      shares.HogGoes(now, tick++, kBusySlice);
      now += hog_burst;
      shares.BurstEnds(now, tick, kBusySlice);
      EXPECT_FALSE(shares.HogsGoFirst(now)) << i;
    }
  }
}

TEST(Shares, AFiberThatBecomesAHogLeavesTheHogsTheirTurn) {
  Shares shares;
  uint64_t now = 10'000, tick = 5;
  shares.HogGoes(now, tick++, kBusySlice);
  now += kBusySlice;
  shares.BurstEnds(now, tick, kBusySlice);
  ++tick;  // A new fiber, for a whole slice.
  now += kBusySlice;
  shares.BurstEnds(now, tick, kBusySlice);
  EXPECT_TRUE(shares.HogsGoFirst(now));
}

TEST(Shares, TheRingHasATurnBetweenTwoLooksAtTheLists) {
  Shares shares;
  uint64_t now = 10'000, tick = 5;
  EXPECT_TRUE(shares.LookIsDue(now, tick));
  shares.Looks(now, kBusySlice);
  shares.Found(tick++);
  now += kBusySlice;  // It computed for a whole slice.
  EXPECT_FALSE(shares.LookIsDue(now, tick));
  EXPECT_TRUE(shares.LookIsDue(now, ++tick));
  shares.Looks(now, kBusySlice);
  EXPECT_FALSE(shares.LookIsDue(now + 1, ++tick));
}

TEST(Shares, FibersThatOnlyYieldToEachOtherAreFoundOut) {
  Shares shares;
  constexpr uint64_t kInterval = 61;
  shares.OnlyYields(kInterval);
  for (uint64_t i = 0; i < kInterval; ++i) shares.Yields();
  EXPECT_TRUE(shares.OnlyYields(kInterval));
  for (uint64_t i = 0; i < kInterval / 2; ++i) shares.Yields();
  EXPECT_FALSE(shares.OnlyYields(kInterval));
}

// ---- The lists themselves

struct Lists {
  ReadyLists ready;
  Fiber fibers[6];
  int machine = 0;

  Fiber* Ready(ReadyLists::Kind kind, size_t i, uint64_t since, bool bound = false) {
    fibers[i].account.since = since;
    fibers[i].bound = bound ? reinterpret_cast<Machine*>(&machine) : nullptr;
    ready.Push(kind, &fibers[i]);
    return &fibers[i];
  }
};

TEST(ReadyLists, TheOldestOfAKindComesFirstWhicheverListItIsIn) {
  Lists lists;
  Fiber* second = lists.Ready(ReadyLists::kWoken, 0, 20);
  Fiber* third = lists.Ready(ReadyLists::kHeldBack, 1, 30);
  Fiber* first = lists.Ready(ReadyLists::kReturned, 2, 10, /*bound=*/true);
  Fiber* gave_way = lists.Ready(ReadyLists::kGaveWay, 3, 2);
  Fiber* stopped = lists.Ready(ReadyLists::kStopped, 4, 1, /*bound=*/true);
  EXPECT_EQ(lists.ready.count(), 5);
  EXPECT_EQ(lists.ready.parked(), 2);
  EXPECT_FALSE(lists.ready.AnyUrgent());
  EXPECT_EQ(lists.ready.PopTimely(true), first);
  EXPECT_EQ(lists.ready.PopTimely(true), second);
  EXPECT_EQ(lists.ready.PopTimely(false), nullptr);
  EXPECT_EQ(lists.ready.PopTimely(true), third);
  EXPECT_EQ(lists.ready.PopHog(), stopped);
  EXPECT_EQ(lists.ready.PopHog(), gave_way);
  EXPECT_EQ(lists.ready.PopHog(), nullptr);
  EXPECT_EQ(lists.ready.count(), 0);
  EXPECT_EQ(lists.ready.parked(), 0);
}

TEST(ReadyLists, OfThoseThatKeepAThreadTheUrgentComeFirstAndHogsLast) {
  Lists lists;
  Fiber* hog = lists.Ready(ReadyLists::kStopped, 0, 1, /*bound=*/true);
  Fiber* returned = lists.Ready(ReadyLists::kReturned, 1, 2, /*bound=*/true);
  Fiber* urgent = lists.Ready(ReadyLists::kUrgentReturned, 2, 3, /*bound=*/true);
  EXPECT_TRUE(lists.ready.AnyUrgent());
  bool is_hog = true;
  EXPECT_EQ(lists.ready.PopBound(&is_hog), urgent);
  EXPECT_FALSE(is_hog);
  EXPECT_EQ(lists.ready.PopBound(&is_hog), returned);
  EXPECT_FALSE(is_hog);
  EXPECT_EQ(lists.ready.PopBound(&is_hog), hog);
  EXPECT_TRUE(is_hog);
  EXPECT_EQ(lists.ready.PopBound(&is_hog), nullptr);
  EXPECT_FALSE(lists.ready.AnyUrgent());
}

}  // namespace
}  // namespace millrace::rt
