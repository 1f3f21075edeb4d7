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
  Retention retention({10s, 10, 1 << 20}, {20s, 10, 1 << 20});
  EXPECT_EQ(retention.Next(), MonoTime::max());
  retention.Add(Ended(1, JobState::kFailed), kNow);
  EXPECT_EQ(retention.Next(), kNow + 20s);
  retention.Add(Ended(2, JobState::kSucceeded), kNow + 1s);
  EXPECT_EQ(retention.Next(), kNow + 11s);
  EXPECT_FALSE(retention.PopTrimmed(kNow + 10s));
  EXPECT_EQ(retention.PopTrimmed(kNow + 11s)->job.id, (JobId{1, 2}));
}

TEST(Retention, TheGreatestAgeIsNoLimit) {
  Retention retention({Nanos::max(), 10, 1 << 20}, {Nanos::max(), 10, 1 << 20});
  retention.Add(Ended(1, JobState::kSucceeded), kNow);
  retention.Add(Ended(2, JobState::kFailed), kNow);
  EXPECT_EQ(retention.Next(), MonoTime::max());
  EXPECT_FALSE(retention.PopTrimmed(kNow + 24h * 365 * 100));
}

TEST(Retention, IsWantedAtOnceWhileThereAreTooManyBytesOrJobs) {
  Retention retention({1h, 10, 5 * kJobOverheadBytes}, {1h, 2, 1 << 20});
  for (uint64_t n = 0; n < 3; ++n) retention.Add(Ended(n, JobState::kSucceeded), kNow);
  EXPECT_EQ(retention.Next(), kNow + 1h);
  retention.Add(Ended(3, JobState::kSucceeded, 3 * kJobOverheadBytes), kNow);
  for (int trimmed = 0; trimmed < 2; ++trimmed) {
    EXPECT_EQ(retention.Next(), MonoTime::min());
    EXPECT_TRUE(retention.PopTrimmed(kNow));
  }
  EXPECT_EQ(retention.Next(), kNow + 1h);
  for (uint64_t n = 10; n < 13; ++n) retention.Add(Ended(n, JobState::kFailed), kNow);
  EXPECT_EQ(retention.Next(), MonoTime::min()) << "the dead letters'";
  EXPECT_EQ(retention.PopTrimmed(kNow)->job.id, (JobId{1, 10}));
  EXPECT_EQ(retention.trimmed_dead_letters(), 1u);
}

}  // namespace
}  // namespace millrace::dispatch
