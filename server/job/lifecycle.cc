#include "job/lifecycle.h"

#include <initializer_list>

namespace millrace {

namespace {

constexpr uint32_t To(std::initializer_list<JobState> states) {
  uint32_t set = 0;
  for (JobState state : states) set |= 1u << static_cast<unsigned>(state);
  return set;
}

uint32_t ArrowsFrom(JobState from) {
  using enum JobState;
  switch (from) {
    case kScheduled:
    case kBlocked:
      return To({kScheduled, kBlocked, kQueued, kCancelled, kExpired}) & ~To({from});
    case kQueued:
      return To({kRunning, kBlocked, kCancelled, kExpired});
    case kRunning:
      return To({kScheduled, kBlocked, kQueued, kSucceeded, kFailed, kCancelled, kExpired, kQuarantined});
    case kSucceeded:
      return 0;
    case kFailed:
    case kCancelled:
    case kExpired:
    case kQuarantined:
      return To({kQueued, kBlocked});
  }
  return 0;
}

}  // namespace

bool IsLegal(JobState from, JobState to) { return (ArrowsFrom(from) >> static_cast<unsigned>(to) & 1) != 0; }

Status Transition(const JobId& job, Lifecycle* lifecycle, JobState to, const Claim& by, uint64_t new_token) {
  if (by != lifecycle->claim) {
    return FailedPrecondition("LEASE_LOST", "attempt " + std::to_string(by.attempt) + " of job " + job.ToString() +
                                                " does not hold it any more; the newest is attempt " +
                                                std::to_string(lifecycle->claim.attempt))
        .With("job", job.ToString())
        .With("attempt", by.attempt)
        .With("newest_attempt", lifecycle->claim.attempt);
  }
  if (!IsLegal(lifecycle->state, to)) {
    return FailedPrecondition("WRONG_STATE", "job " + job.ToString() + " is " + ToString(lifecycle->state) +
                                                 " and cannot become " + ToString(to))
        .With("job", job.ToString())
        .With("state", ToString(lifecycle->state));
  }
  lifecycle->state = to;
  if (to == JobState::kRunning) lifecycle->claim = {.attempt = lifecycle->claim.attempt + 1, .token = new_token};
  return OkStatus();
}

}  // namespace millrace
