#include "dispatch/retention.h"

#include <gtest/gtest.h>

#include "dispatch/dispatcher.h"

namespace millrace::dispatch {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

constexpr MonoTime kNow{1h};

Retention::Kept Ended(uint64_t n, JobState state, int64_t bytes = 0) {
  return {.job = {.id = {1, n}, .state = state, .finished = WallTime(Nanos(n)), .bytes = bytes}};
}

TEST(Retention, HasNothingToDoUntilTheOldestIsTooOld) {
  Retention retention({10s, 10, 1 << 20}, {20s, 10, 1 << 20}, {0s});
  EXPECT_EQ(retention.Next(), MonoTime::max());
  retention.Add(Ended(1, JobState::kFailed), kNow);
  EXPECT_EQ(retention.Next(), kNow + 20s);
  retention.Add(Ended(2, JobState::kSucceeded), kNow + 1s);
  EXPECT_EQ(retention.Next(), kNow + 11s);
  EXPECT_FALSE(retention.PopTrimmed(kNow + 10s));
  EXPECT_EQ(retention.PopTrimmed(kNow + 11s)->job.id, (JobId{1, 2}));
}

TEST(Retention, TheGreatestAgeIsNoLimit) {
  Retention retention({Nanos::max(), 10, 1 << 20}, {Nanos::max(), 10, 1 << 20}, {0s});
  retention.Add(Ended(1, JobState::kSucceeded), kNow);
  retention.Add(Ended(2, JobState::kFailed), kNow);
  EXPECT_EQ(retention.Next(), MonoTime::max());
  EXPECT_FALSE(retention.PopTrimmed(kNow + 24h * 365 * 100));
}

TEST(Retention, IsWantedAtOnceWhileThereAreTooManyBytesOrJobs) {
  Retention retention({1h, 10, 5 * kJobOverheadBytes}, {1h, 2, 1 << 20}, {0s});
  for (uint64_t n = 0; n < 3; ++n) retention.Add(Ended(n, JobState::kSucceeded), kNow);
  EXPECT_EQ(retention.Next(), kNow + 1h);
  retention.Add(Ended(3, JobState::kSucceeded, 3 * kJobOverheadBytes), kNow);
  for (int trimmed = 0; trimmed < 2; ++trimmed) {
    EXPECT_LE(retention.Next(), kNow);
    EXPECT_TRUE(retention.PopTrimmed(kNow));
  }
  EXPECT_EQ(retention.Next(), kNow + 1h);
  for (uint64_t n = 10; n < 13; ++n) retention.Add(Ended(n, JobState::kFailed), kNow);
  EXPECT_LE(retention.Next(), kNow) << "the dead letters'";
  EXPECT_EQ(retention.PopTrimmed(kNow)->job.id, (JobId{1, 10}));
  EXPECT_EQ(retention.trimmed_dead_letters(), 1u);
}

TEST(Retention, WhatEndedJustNowStaysWhateverTheLimits) {
  Retention retention({0s, 0, 0}, {1h, 10, 1 << 20}, {.age = 10s, .jobs_max = 3, .bytes_max = 100 * kJobOverheadBytes});
  for (uint64_t n = 0; n < 3; ++n) retention.Add(Ended(n, JobState::kSucceeded), kNow);
  EXPECT_FALSE(retention.PopTrimmed(kNow + 9s));
  EXPECT_EQ(retention.Next(), kNow + 10s);
  retention.Add(Ended(3, JobState::kSucceeded), kNow + 9s);
  EXPECT_LE(retention.Next(), kNow) << "that is too many even for those that ended just now";
  EXPECT_EQ(retention.PopTrimmed(kNow + 9s)->job.id, (JobId{1, 0}));
  EXPECT_FALSE(retention.PopTrimmed(kNow + 9s));
  retention.Add(Ended(4, JobState::kSucceeded, 100 * kJobOverheadBytes), kNow + 9s);
  for (int trimmed = 0; trimmed < 3; ++trimmed)
    EXPECT_TRUE(retention.PopTrimmed(kNow + 9s)) << "too many bytes as well";
}

}  // namespace
}  // namespace millrace::dispatch
