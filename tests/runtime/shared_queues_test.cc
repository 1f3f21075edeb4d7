#include "runtime/shared_queues.h"

#include <gtest/gtest.h>

#include <array>

namespace millrace::rt {
namespace {

constexpr uint64_t kSlice = 1000;
constexpr int kParkedMax = 2;

struct Queues {
  SharedQueues shared{kSlice, kParkedMax};
  Processor processor;
  std::array<Fiber, 8> fibers;
  int machine = 0;

  Fiber* Push(SharedQueues::Kind kind, size_t i, bool bound = false) {
    fibers[i].account.BeginAt(i);
    fibers[i].bound = bound ? reinterpret_cast<Machine*>(&machine) : nullptr;
    LockGuard guard(shared.lock);
    shared.Push(kind, &fibers[i]);
    return &fibers[i];
  }
  SharedQueues::Taker At(uint64_t now, int procs = 1) {
    return {.processor = processor, .now = now, .spare = true, .procs = procs};
  }
};

TEST(SharedQueues, AnUrgentFiberPressesUntilItIsTaken) {
  Queues q;
  q.Push(ReadyLists::kWoken, 0);
  EXPECT_FALSE(q.shared.Presses());
  Fiber* urgent = q.Push(ReadyLists::kUrgent, 1);
  EXPECT_TRUE(q.shared.Presses());
  LockGuard guard(q.shared.lock);
  EXPECT_EQ(q.shared.PopBeforeOthers(q.At(0), /*urgent=*/true, /*hogs_too=*/false), urgent);
  EXPECT_FALSE(q.shared.Presses());
  EXPECT_EQ(q.shared.count(), 1);
}

TEST(SharedQueues, TooManyStoppedFibersPressUntilOneGoesOn) {
  Queues q;
  q.Push(ReadyLists::kStopped, 0, /*bound=*/true);
  EXPECT_FALSE(q.shared.Presses());
  q.Push(ReadyLists::kStopped, 1, /*bound=*/true);
  EXPECT_TRUE(q.shared.TooManyParked());
  EXPECT_TRUE(q.shared.Presses());
  LockGuard guard(q.shared.lock);
  EXPECT_EQ(q.shared.PopBound(q.processor), reinterpret_cast<Machine*>(&q.machine));
  EXPECT_FALSE(q.shared.Presses());
}

TEST(SharedQueues, ACrowdThatHasGrownStaysAsItIsForASliceAndLongerTheLargerItIs) {
  Queues q;
  for (size_t i = 0; i < 4; ++i) q.Push(ReadyLists::kStopped, i, /*bound=*/true);
  LockGuard guard(q.shared.lock);
  EXPECT_TRUE(q.shared.MayBegin(10, /*spare=*/true));
  EXPECT_FALSE(q.shared.MayBegin(10, /*spare=*/false));
  q.shared.HasStopped(q.fibers[0], 100);
  EXPECT_FALSE(q.shared.MayBegin(100 + 2 * kSlice - 1, /*spare=*/true));
  EXPECT_TRUE(q.shared.MayBegin(100 + 2 * kSlice, /*spare=*/true));
  // One that is stopped again is not one more.
  q.shared.HasStopped(q.fibers[0], 100'000);
  EXPECT_TRUE(q.shared.MayBegin(100'001, /*spare=*/true));
}

TEST(SharedQueues, WhoeverTakesATimelyFiberTakesItsShareOfTheWokenOnes) {
  Queues q;
  for (size_t i = 0; i < 7; ++i) q.Push(ReadyLists::kWoken, i);
  LockGuard guard(q.shared.lock);
  EXPECT_EQ(q.shared.PopTimely(q.At(0, /*procs=*/2)), &q.fibers[0]);
  EXPECT_EQ(q.processor.run_queue.Size(), 3u);
  EXPECT_EQ(q.shared.count(), 3);
}

TEST(SharedQueues, HogsComeLast) {
  Queues q;
  Fiber* hog = q.Push(ReadyLists::kGaveWay, 0);
  Fiber* timely = q.Push(ReadyLists::kWoken, 1);
  LockGuard guard(q.shared.lock);
  EXPECT_EQ(q.shared.PopLast(q.At(0)), timely);
  EXPECT_EQ(q.shared.PopLast(q.At(0)), hog);
  EXPECT_EQ(q.shared.PopLast(q.At(0)), nullptr);
}

TEST(SharedQueues, AreLookedAtEveryMillisecondAndInEverySixtyFirstSlice) {
  Queues q;
  EXPECT_FALSE(q.shared.IsDue(q.processor, 1));  // There is nothing, which holds for a tenth of a slice.
  q.Push(ReadyLists::kWoken, 0);
  q.processor.tick.Set(1);
  EXPECT_FALSE(q.shared.IsDue(q.processor, 2));
  EXPECT_TRUE(q.shared.IsDue(q.processor, 1 + kSlice / 10));
  for (uint64_t tick : {60, 61, 62, 121, 122, 1219, 1220}) {
    q.processor.tick.Set(tick);
    EXPECT_EQ(q.shared.IsDue(q.processor, 2), tick % 61 == 0) << tick;
  }
}

}  // namespace
}  // namespace millrace::rt
