#include "job/retry.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

TEST(Retry, TheJobsSettingComesFirstThenTheKindsThenTheDefault) {
  EXPECT_EQ(ResolveRetry({}, {}), (RetryPolicy{25, 1s, 1h, 2}));
  RetryOverrides kind{.max_attempts = 5, .initial_backoff = 2s, .max_backoff = 10min};
  RetryOverrides job{.max_attempts = 7, .multiplier = 3};
  EXPECT_EQ(ResolveRetry(job, kind), (RetryPolicy{7, 2s, 10min, 3}));
}

TEST(Retry, BackoffDoublesUpToItsCap) {
  RetryPolicy policy;
  EXPECT_EQ(BackoffCap(policy, 1), 1s);
  EXPECT_EQ(BackoffCap(policy, 2), 2s);
  EXPECT_EQ(BackoffCap(policy, 12), 2048s);
  EXPECT_EQ(BackoffCap(policy, 13), 1h);
  EXPECT_EQ(BackoffCap(policy, 1000), 1h) << "no overflow";
  policy.multiplier = 100;
  policy.max_backoff = std::chrono::hours(24 * 366);
  EXPECT_EQ(BackoffCap(policy, 1000), policy.max_backoff);
}

TEST(Retry, AConstantBackoffIsMultiplierOne) {
  RetryPolicy policy{.initial_backoff = 5s, .multiplier = 1};
  EXPECT_EQ(BackoffCap(policy, 1), 5s);
  EXPECT_EQ(BackoffCap(policy, 20), 5s);
}

TEST(Retry, TheDelayIsUniformBelowTheCap) {
  RetryPolicy policy;
  EXPECT_EQ(NextDelay(policy, 3, 0), 0s);
  EXPECT_EQ(NextDelay(policy, 3, 0.5), 2s);
  EXPECT_LT(*NextDelay(policy, 3, 0.999999), 4s);
}

TEST(Retry, EnoughIsEnough) {
  RetryPolicy policy{.max_attempts = 3};
  EXPECT_TRUE(NextDelay(policy, 2, 0).has_value());
  EXPECT_FALSE(NextDelay(policy, 3, 0).has_value());
  EXPECT_FALSE(NextDelay(policy, 4, 0).has_value());
}

}  // namespace
}  // namespace millrace
