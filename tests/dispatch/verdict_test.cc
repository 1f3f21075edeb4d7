#include "dispatch/verdict.h"

#include <gtest/gtest.h>

#include "job/lifecycle.h"

namespace millrace::dispatch {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using enum AttemptResult;

TEST(Verdict, SaysWhatBecomesOfTheJob) {
  const RetryPolicy policy{.max_attempts = 3, .initial_backoff = 10s};
  struct Case {
    const char* name;
    AttemptFacts facts;
    AttemptResult result;
    JobState next;
    bool counted = true;
    Nanos delay{0};
  };
  for (const Case& c : std::initializer_list<Case>{
           {"success", {.result = kSucceeded}, kSucceeded, JobState::kSucceeded},
           {"failure", {.result = kFailed, .random = 0.5}, kFailed, JobState::kScheduled, true, 5s},
           {"second failure",
            {.result = kFailed, .attempts = 2, .random = 0.5},
            kFailed,
            JobState::kScheduled,
            true,
            10s},
           {"no pause", {.result = kFailed, .random = 0}, kFailed, JobState::kQueued},
           {"last attempt", {.result = kFailed, .attempts = 3}, kFailed, JobState::kFailed},
           {"do not retry", {.result = kFailed, .do_not_retry = true}, kFailed, JobState::kFailed},
           {"retry after",
            {.result = kFailed, .retry_after = 7s, .random = 0.5},
            kFailed,
            JobState::kScheduled,
            true,
            7s},
           {"retry after the last", {.result = kFailed, .retry_after = 7s, .attempts = 3}, kFailed, JobState::kFailed},
           {"at most once", {.result = kFailed, .no_retry_after_start = true}, kFailed, JobState::kFailed},
           {"timeout",
            {.result = kSucceeded, .stopped = kStopTimeout, .random = 0.5},
            kTimedOut,
            JobState::kScheduled,
            true,
            5s},
           {"timeout, last", {.result = kFailed, .stopped = kStopTimeout, .attempts = 3}, kTimedOut, JobState::kFailed},
           {"cancel", {.result = kFailed, .stopped = kStopCancel}, kCancelled, JobState::kCancelled},
           {"cancel over success", {.result = kSucceeded, .stopped = kStopCancel}, kCancelled, JobState::kCancelled},
           {"cancel over all",
            {.result = kLost, .stopped = kStopCancel | kStopTimeout | kStopRelease},
            kCancelled,
            JobState::kCancelled},
           {"deadline", {.result = kFailed, .stopped = kStopDeadline | kStopTimeout}, kCancelled, JobState::kExpired},
           {"release", {.result = kFailed, .stopped = kStopRelease}, kReleased, JobState::kQueued, false},
           {"release, at most once",
            {.result = kFailed, .stopped = kStopRelease, .no_retry_after_start = true},
            kReleased,
            JobState::kFailed,
            false},
           {"success in release", {.result = kSucceeded, .stopped = kStopRelease}, kSucceeded, JobState::kSucceeded},
           {"not started",
            {.result = kFailed, .not_started = true, .random = 0.5},
            kReleased,
            JobState::kScheduled,
            false,
            1500ms},
           {"not started, last",
            {.result = kFailed, .not_started = true, .attempts = 3, .losses = 2},
            kReleased,
            JobState::kScheduled,
            false,
            1s},
           {"not started, at most once",
            {.result = kFailed, .not_started = true, .no_retry_after_start = true},
            kReleased,
            JobState::kScheduled,
            false,
            1s},
           {"not started, its time ran out",
            {.result = kFailed, .not_started = true, .stopped = kStopTimeout},
            kReleased,
            JobState::kScheduled,
            false,
            1s},
           {"not started, release",
            {.result = kFailed, .not_started = true, .stopped = kStopRelease},
            kReleased,
            JobState::kQueued,
            false},
           {"not started, cancel",
            {.result = kFailed, .not_started = true, .stopped = kStopCancel},
            kCancelled,
            JobState::kCancelled},
           {"not started, deadline",
            {.result = kFailed, .not_started = true, .stopped = kStopDeadline},
            kCancelled,
            JobState::kExpired},
           {"first loss", {.result = kLost}, kLost, JobState::kQueued, false},
           {"third loss", {.result = kLost, .losses = 2}, kLost, JobState::kQuarantined, false},
           {"loss, at most once", {.result = kLost, .no_retry_after_start = true}, kLost, JobState::kFailed, false},
       }) {
    AttemptFacts facts = c.facts;
    facts.retry = policy;
    Verdict verdict = Judge(facts);
    EXPECT_EQ(verdict.result, c.result) << c.name;
    EXPECT_EQ(verdict.next, c.next) << c.name;
    EXPECT_EQ(verdict.counted, c.counted) << c.name;
    EXPECT_EQ(verdict.delay, c.delay) << c.name;
    EXPECT_EQ(verdict.lost, c.result == kLost) << c.name;
    EXPECT_TRUE(IsLegal(JobState::kRunning, verdict.next)) << c.name;
  }
}

TEST(Verdict, AFailureWithoutAWordGetsOne) {
  EXPECT_EQ(Judge({.result = kFailed}).error, "the attempt failed without a word");
  EXPECT_EQ(Judge({.result = kFailed, .error = "x"}).error, "x");
  EXPECT_EQ(Judge({.result = kFailed, .error = "x", .stopped = kStopCancel, .stop_reason = "cancelled: y"}).error,
            "cancelled: y");
}

}  // namespace
}  // namespace millrace::dispatch
