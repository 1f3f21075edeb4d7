// Verdict: an attempt is over; what becomes of its job? A pure function of what is known, so that every row can be
// tested.
//
//   Why it was stopped comes first: a job whose cancel was asked for is CANCELLED, one whose deadline passed is
//   EXPIRED, an attempt whose run_timeout passed has failed, whatever the handler returned. Only a release at shutdown
//   leaves a success alone: the work is done, and doing it again would help nobody.
//   An attempt that could not be started, since the daemon lacked a process, a descriptor or memory, is no attempt: the
//   job waits a moment for its next start and nothing is counted. What was asked of it meanwhile, but for its timeout,
//   still comes first. Else the handler's word counts: success; failure, which is retried with backoff while attempts
//   are left; or a loss, which burns no attempt, is counted apart, and quarantines the job when there were too many.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "dispatch/runner.h"
#include "job/job.h"
#include "job/retry.h"

namespace millrace::dispatch {

// Why an attempt was asked to stop; several may hold.
enum StopCause : unsigned { kStopNone = 0, kStopCancel = 1, kStopDeadline = 2, kStopTimeout = 4, kStopRelease = 8 };

struct AttemptFacts {
  AttemptResult result = AttemptResult::kSucceeded;  // The runner's word.
  std::string error;
  bool do_not_retry = false;
  std::optional<Nanos> retry_after;
  bool not_started = false;
  unsigned stopped = kStopNone;
  std::string stop_reason;  // For people.

  int attempts = 1;  // Counted so far, this one included.
  int losses = 0;    // Before this one.
  int losses_max = 3;
  bool no_retry_after_start = false;  // The job's wish, where the handler has begun.
  RetryPolicy retry;
  double random = 0;  // For the jitter, in [0, 1).
};

// What a job waits whose attempt could not be started: at least this, at most twice as long.
inline constexpr Nanos kStartPause = std::chrono::seconds(1);

struct Verdict {
  AttemptResult result;
  JobState next;        // kQueued: again at once.
  Nanos delay{0};       // kScheduled
  bool counted = true;  // Against max_attempts.
  bool lost = false;    // One more loss.
  std::string error;
};

Verdict Judge(AttemptFacts facts);

}  // namespace millrace::dispatch
