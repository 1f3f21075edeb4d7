#include "base/budget.h"

#include <gtest/gtest.h>

#include "base/log_limit.h"
#include "base/open_files.h"

namespace millrace {
namespace {

TEST(Budget, GivesAllThatIsAskedForOrNothing) {
  Budget budget(10);
  EXPECT_TRUE(budget.TryTake(6));
  EXPECT_FALSE(budget.TryTake(5));
  EXPECT_EQ(budget.used(), 6);
  EXPECT_TRUE(budget.TryTake(4));
  budget.Give(10);
  EXPECT_EQ(budget.used(), 0);
}

TEST(Budget, AShareIsGivenBackWhenItsHolderDies) {
  Budget budget(10);
  {
    BudgetShare a(budget), b(budget);
    EXPECT_TRUE(a.TryTake(4));
    EXPECT_TRUE(a.TryTake(4));
    EXPECT_FALSE(b.TryTake(3));
    EXPECT_TRUE(b.TryTake(2));
    b.Release();
    EXPECT_EQ(budget.used(), 8);
  }
  EXPECT_EQ(budget.used(), 0);
}

TEST(Budget, APartIsTakenFromTheWholeAsWellAndLeavesTheRest) {
  Budget whole(10);
  Budget part(6, &whole);
  EXPECT_TRUE(part.TryTake(6));
  EXPECT_FALSE(part.TryTake(1));
  EXPECT_EQ(whole.used(), 6);
  EXPECT_TRUE(whole.TryTake(4)) << "the part leaves the rest to others";
  part.Give(6);
  EXPECT_TRUE(whole.TryTake(3));
  EXPECT_FALSE(part.TryTake(4)) << "the whole has no room for it";
  EXPECT_EQ(part.used(), 0);
  EXPECT_EQ(whole.used(), 7);
  part.Take(5);
  EXPECT_EQ(whole.used(), 12);
}

TEST(Budget, AShareThatIsSettledHoldsWhatItIsTold) {
  Budget budget(10);
  BudgetShare share(budget);
  EXPECT_TRUE(share.TryTake(8));
  share.Settle(3);
  EXPECT_EQ(budget.used(), 3);
  share.Settle(12);
  EXPECT_EQ(budget.used(), 12);
  share.Release();
  EXPECT_EQ(budget.used(), 0);
}

TEST(LogLimit, LeavesOutWhatComesTooOftenAndSaysHowMuch) {
  LogLimit limit(2, std::chrono::seconds(10));
  const auto start = std::chrono::steady_clock::now();
  uint64_t left_out = 0;
  EXPECT_TRUE(limit.Admit(start, &left_out));
  EXPECT_TRUE(limit.Admit(start, &left_out));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limit.Admit(start + std::chrono::seconds(9), &left_out));
  EXPECT_TRUE(limit.Admit(start + std::chrono::seconds(10), &left_out));
  EXPECT_EQ(left_out, 5u);
  EXPECT_TRUE(limit.Admit(start + std::chrono::seconds(10), &left_out));
  EXPECT_EQ(left_out, 0u);
}

TEST(OpenFiles, AreRaisedForUsAndNotForOurChildren) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  RaiseOpenFilesLimit();
  rlimit now{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, before.rlim_max);
  EXPECT_GT(OpenFilesLeft(), 0);
  EXPECT_LT(static_cast<uint64_t>(OpenFilesLeft()), before.rlim_max);
  EXPECT_EQ(OpenFilesLimitOfChildren().rlim_cur, 64u);
  EXPECT_EQ(OpenFilesLimitOfChildren().rlim_max, before.rlim_max);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace millrace
