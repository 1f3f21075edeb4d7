#include "dispatch/retention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <vector>

#include "dispatch/dispatcher.h"

namespace millrace::dispatch {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

constexpr MonoTime kNow{1h};

Retention::Kept Ended(uint64_t n, JobState state, int64_t bytes = 0) {
  return {.job = {.id = {1, n}, .state = state, .finished = WallTime(Nanos(n)), .bytes = bytes}};
}

JobRecord RecordOf(const EndedJob& job) {
  JobRecord record;
  record.id = job.id;
  record.life.state = job.state;
  record.finished = job.finished;
  return record;
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

TEST(Retention, FindsAJobInFewStepsAlsoWhereTheWallClockWasSetBack) {
  constexpr uint64_t kJobs = 20'000;
  Retention retention({1h, kJobs, INT64_MAX}, {1h, kJobs, INT64_MAX}, {0s});
  std::vector<EndedJob> ended;
  for (uint64_t n = 0; n < kJobs; ++n) {
    Retention::Kept kept = Ended(n, JobState::kSucceeded);
    // Set back twice, so that a time may have come three times.
    const uint64_t back = n < 5000 ? 0 : n < 5500 ? 1000 : 2000;
    kept.job.finished = WallTime(std::chrono::seconds(n - back));
    retention.Add(kept, kNow);
    ended.push_back(kept.job);
  }
  for (const EndedJob& job : ended) ASSERT_TRUE(retention.Contains(RecordOf(job))) << job.id.ToString();
  EXPECT_LT(retention.looked_at(), 40 * kJobs);
  // What is not here is not looked for long either.
  const uint64_t before = retention.looked_at();
  for (EndedJob job : ended) {
    job.id.low += kJobs;
    ASSERT_FALSE(retention.Contains(RecordOf(job)));
  }
  EXPECT_LT(retention.looked_at() - before, 40 * kJobs);
}

TEST(Retention, HasExactlyWhatWasAddedAndNotTakenOutWhateverTheWallClockDoes) {
  std::mt19937 random(5);
  Retention retention({1h, 300, INT64_MAX}, {1h, 300, INT64_MAX}, {0s});
  std::vector<EndedJob> here, gone;
  WallTime wall{};
  auto move = [&](std::vector<EndedJob>::iterator job) {
    gone.push_back(*job);
    here.erase(job);
  };
  for (uint64_t n = 0; n < 6000; ++n) {
    // Often the same time again, sometimes an earlier one.
    wall += random() % 50 == 0 ? -Nanos(random() % 200) : Nanos(random() % 3);
    Retention::Kept kept = Ended(n, JobState::kSucceeded);
    kept.job.finished = wall;
    retention.Add(kept, kNow + Nanos(n));
    here.push_back(kept.job);
    while (std::optional<Retention::Kept> trimmed = retention.PopTrimmed(kNow + Nanos(n))) {
      ASSERT_EQ(trimmed->job, here.front());
      move(here.begin());
    }
    // At times most of them are taken out, so that room is given back.
    for (unsigned i = n % 1000 == 999 ? 290 : random() % 2; i > 0 && !here.empty(); --i) {
      const auto one = here.begin() + static_cast<ptrdiff_t>(random() % here.size());
      const std::optional<Retention::Kept> taken = retention.Remove(RecordOf(*one));
      ASSERT_TRUE(taken.has_value());
      ASSERT_EQ(taken->job, *one);
      move(one);
    }
    if (n % 100 != 0) continue;
    for (const EndedJob& job : here) ASSERT_TRUE(retention.Contains(RecordOf(job)));
    for (const EndedJob& job : gone) ASSERT_FALSE(retention.Contains(RecordOf(job)));
  }
}

}  // namespace
}  // namespace millrace::dispatch
