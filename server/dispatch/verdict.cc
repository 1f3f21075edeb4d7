#include "dispatch/verdict.h"

#include <utility>

namespace millrace::dispatch {

namespace {

// After a failure or a timeout.
Verdict Retried(AttemptFacts facts, AttemptResult result, std::string error) {
  Verdict verdict{.result = result, .next = JobState::kFailed, .error = std::move(error)};
  if (facts.do_not_retry || facts.no_retry_after_start) return verdict;
  std::optional<Nanos> delay = NextDelay(facts.retry, facts.attempts, facts.random);
  if (!delay) return verdict;
  if (facts.retry_after && result == AttemptResult::kFailed) delay = facts.retry_after;
  verdict.delay = *delay;
  verdict.next = *delay > Nanos(0) ? JobState::kScheduled : JobState::kQueued;
  return verdict;
}

}  // namespace

Verdict Judge(AttemptFacts facts) {
  using enum AttemptResult;
  if (facts.stopped & kStopCancel) {
    return {.result = kCancelled, .next = JobState::kCancelled, .error = std::move(facts.stop_reason)};
  }
  if (facts.stopped & kStopDeadline) {
    return {.result = kCancelled, .next = JobState::kExpired, .error = std::move(facts.stop_reason)};
  }
  if (facts.not_started) {
    Verdict verdict{.result = kReleased, .next = JobState::kQueued, .counted = false, .error = std::move(facts.error)};
    if (facts.stopped & kStopRelease) return verdict;
    verdict.next = JobState::kScheduled;
    verdict.delay = kStartPause + Nanos(static_cast<int64_t>(static_cast<double>(kStartPause.count()) * facts.random));
    return verdict;
  }
  if (facts.stopped & kStopTimeout) {
    std::string error = std::move(facts.stop_reason);
    return Retried(std::move(facts), kTimedOut, std::move(error));
  }
  if (facts.result == kSucceeded) return {.result = kSucceeded, .next = JobState::kSucceeded};
  if (facts.stopped & kStopRelease) {
    return {.result = kReleased,
            .next = facts.no_retry_after_start ? JobState::kFailed : JobState::kQueued,
            .counted = false,
            .error = std::move(facts.stop_reason)};
  }
  if (facts.result == kLost) {
    JobState next = facts.no_retry_after_start             ? JobState::kFailed
                    : facts.losses + 1 >= facts.losses_max ? JobState::kQuarantined
                                                           : JobState::kQueued;
    return {.result = kLost, .next = next, .counted = false, .lost = true, .error = std::move(facts.error)};
  }
  std::string error = facts.error.empty() ? "the attempt failed without a word" : std::move(facts.error);
  return Retried(std::move(facts), kFailed, std::move(error));
}

}  // namespace millrace::dispatch
