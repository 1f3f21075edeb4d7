#include "runtime/fiber_account.h"

#include <gtest/gtest.h>

#include <numeric>

namespace millrace::rt {
namespace {

uint64_t Sum(const FiberAccount& account) {
  return std::accumulate(account.blocked.begin(), account.blocked.end(), account.running + account.runnable);
}
uint64_t Blocked(const FiberAccount& account, WaitReason reason) {
  return account.blocked[static_cast<size_t>(reason)];
}

TEST(FiberAccount, BooksEachStateOnItsOwnHeapAndLosesNothing) {
  FiberAccount account;
  account.BeginAt(100);
  EXPECT_EQ(account.ReadyUntil(107), 7u);
  EXPECT_EQ(account.RanUntil(120), 13u);
  EXPECT_EQ(account.BlockedUntil(WaitReason::kMutex, 150), 30u);
  account.ReadyUntil(151);
  account.RanUntil(160);
  EXPECT_EQ(account.runnable, 8u);
  EXPECT_EQ(account.running, 22u);
  EXPECT_EQ(Blocked(account, WaitReason::kMutex), 30u);
  EXPECT_EQ(Sum(account), account.since - 100);
}

TEST(FiberAccount, BooksNothingWhereTheClockOfAnotherProcessorIsBehind) {
  FiberAccount account;
  account.BeginAt(100);
  EXPECT_EQ(account.RanUntil(90), 0u);
  EXPECT_EQ(account.since, 100u);
  account.ReadyUntil(105);
  EXPECT_EQ(Sum(account), account.since - 100);
}

TEST(FiberAccount, TimeWithoutAProcessorIsABlockingCall) {
  FiberAccount account;
  account.BeginAt(100);
  account.DetachedUntil(/*lost_at=*/110, /*now=*/150);
  EXPECT_EQ(account.running, 10u);
  EXPECT_EQ(Blocked(account, WaitReason::kBlocking), 40u);
  // All of it, where the processor was gone before the present state began; and nothing of what has not been yet.
  account.DetachedUntil(/*lost_at=*/120, /*now=*/160);
  EXPECT_EQ(account.running, 10u);
  EXPECT_EQ(Blocked(account, WaitReason::kBlocking), 50u);
  account.DetachedUntil(/*lost_at=*/190, /*now=*/170);
  EXPECT_EQ(account.running, 20u);
  EXPECT_EQ(Sum(account), account.since - 100);
}

TEST(FiberAccount, ANewFiberOnAUsedStackHasSpentNothing) {
  FiberAccount account;
  account.BeginAt(100);
  account.RanUntil(120);
  account.BlockedUntil(WaitReason::kIo, 130);
  account.Clear();
  account.BeginAt(500);
  EXPECT_EQ(Sum(account), 0u);
}

}  // namespace
}  // namespace millrace::rt
