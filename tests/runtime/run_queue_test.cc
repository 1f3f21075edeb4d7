#include "runtime/run_queue.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace millrace::rt {
namespace {

// The queue moves pointers and never looks behind them.
Fiber* F(uintptr_t n) { return reinterpret_cast<Fiber*>(n * 64); }
uintptr_t N(Fiber* fiber) { return reinterpret_cast<uintptr_t>(fiber) / 64; }

TEST(RunQueue, GivesBackInOrderOfPush) {
  RunQueue queue;
  bool inherits;
  EXPECT_EQ(queue.Pop(&inherits), nullptr);
  for (uintptr_t i = 1; i <= 5; ++i) ASSERT_TRUE(queue.Push(F(i)));
  for (uintptr_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(N(queue.Pop(&inherits)), i);
    EXPECT_FALSE(inherits);
  }
  EXPECT_TRUE(queue.Empty());
}

TEST(RunQueue, TheNextSlotComesFirstAndInheritsTheSlice) {
  RunQueue queue;
  bool inherits;
  ASSERT_TRUE(queue.Push(F(1)));
  EXPECT_EQ(queue.PushNext(F(2)), nullptr);
  EXPECT_EQ(N(queue.PushNext(F(3))), 2u);
  EXPECT_EQ(N(queue.Pop(&inherits)), 3u);
  EXPECT_TRUE(inherits);
  EXPECT_EQ(N(queue.Pop(&inherits)), 1u);
  EXPECT_FALSE(inherits);
}

TEST(RunQueue, RefusesWhenFullAndGivesUpHalf) {
  RunQueue queue;
  for (uintptr_t i = 1; i <= RunQueue::kCapacity; ++i) ASSERT_TRUE(queue.Push(F(i)));
  EXPECT_FALSE(queue.Push(F(1000)));
  std::array<Fiber*, RunQueue::kCapacity / 2> half;
  ASSERT_EQ(queue.TakeHalf(half), RunQueue::kCapacity / 2);
  EXPECT_EQ(N(half.front()), 1u);
  EXPECT_EQ(queue.Size(), RunQueue::kCapacity / 2);
  EXPECT_TRUE(queue.Push(F(1000)));
}

TEST(RunQueue, AThiefTakesHalfRoundedUpFromTheOldEnd) {
  for (uint32_t count = 1; count <= RunQueue::kCapacity; count += 5) {
    RunQueue victim, mine;
    for (uintptr_t i = 1; i <= count; ++i) ASSERT_TRUE(victim.Push(F(i)));
    uint32_t stolen = 0;
    Fiber* run = victim.StealInto(mine, false, &stolen);
    EXPECT_EQ(stolen, count - count / 2);
    EXPECT_EQ(N(run), stolen);
    EXPECT_EQ(mine.Size(), stolen - 1);
    EXPECT_EQ(victim.Size(), count / 2);
  }
}

TEST(RunQueue, AThiefTakesTheNextSlotOnlyWhenAsked) {
  RunQueue victim, mine;
  victim.PushNext(F(7));
  uint32_t stolen = 0;
  EXPECT_EQ(victim.StealInto(mine, false, &stolen), nullptr);
  EXPECT_EQ(N(victim.StealInto(mine, true, &stolen)), 7u);
  EXPECT_TRUE(victim.Empty());
}

TEST(RunQueue, OwnerAndThievesTogetherSeeEachFiberOnce) {
  constexpr uintptr_t kFibers = 200'000;
  constexpr int kThieves = 3;
  RunQueue queue;
  std::vector<std::atomic<int>> seen(kFibers + 1);
  std::atomic<bool> done{false};
  std::vector<std::thread> thieves;
  for (int t = 0; t < kThieves; ++t) {
    thieves.emplace_back([&, t] {
      RunQueue mine;
      bool inherits;
      for (bool last_look = false; !last_look;) {
        last_look = done.load();
        uint32_t stolen;
        if (Fiber* fiber = queue.StealInto(mine, t % 2 == 0, &stolen)) seen[N(fiber)]++;
        while (Fiber* fiber = mine.Pop(&inherits)) seen[N(fiber)]++;
      }
    });
  }
  std::array<Fiber*, RunQueue::kCapacity / 2> half;
  bool inherits;
  for (uintptr_t i = 1; i <= kFibers; ++i) {
    Fiber* fiber = F(i);
    if (i % 3 == 0) fiber = queue.PushNext(fiber);
    if (fiber != nullptr) {
      while (!queue.Push(fiber)) {
        uint32_t count = queue.TakeHalf(half);
        for (uint32_t k = 0; k < count; ++k) seen[N(half[k])]++;
      }
    }
    if (i % 7 == 0) {
      if (Fiber* popped = queue.Pop(&inherits)) seen[N(popped)]++;
    }
  }
  while (Fiber* fiber = queue.Pop(&inherits)) seen[N(fiber)]++;
  done = true;
  for (std::thread& thief : thieves) thief.join();
  while (Fiber* fiber = queue.Pop(&inherits)) seen[N(fiber)]++;
  for (uintptr_t i = 1; i <= kFibers; ++i) ASSERT_EQ(seen[i].load(), 1) << "fiber " << i;
}

// Go's RunSchedLocalQueueEmptyTest: while one of two fibers goes from the slot to the ring, the queue must never look
// empty.
TEST(RunQueue, NeverLooksEmptyWhileTheSlotIsDisplacedIntoTheRing) {
  for (int round = 0; round < 500; ++round) {
    RunQueue queue;
    queue.PushNext(F(1));
    std::atomic<int> ready{0};
    bool looked_empty = false;
    std::thread reader([&] {
      ++ready;
      while (ready.load() < 2) {
      }
      looked_empty = queue.Empty();
    });
    ++ready;
    while (ready.load() < 2) {
    }
    Fiber* displaced = queue.PushNext(F(2));
    queue.Push(displaced);
    bool inherits;
    queue.Pop(&inherits);
    reader.join();
    ASSERT_FALSE(looked_empty) << "round " << round;
  }
}

}  // namespace
}  // namespace millrace::rt
