// Jobs that are made up, for the tests of checker and ledger.
#pragma once

#include <string>

#include "tests/crash/requests.h"

namespace millrace::crash {

inline constexpr uint64_t kSeed = 1;

// The first request of that kind.
inline Request RequestFor(Wish wish) {
  for (int64_t number = 0;; ++number) {
    if (Request request = RequestOf(kSeed, number, 1000); request.wish == wish) return request;
  }
}

inline std::string IdOf(const Request& request) { return "job-" + std::to_string(request.number); }

inline void AddAttempt(v1::Job& job, v1::AttemptResult result) {
  v1::Attempt& attempt = *job.add_attempt_history();
  attempt.set_number(job.attempt_history_size());
  attempt.set_result(result);
  if (result == v1::ATTEMPT_RESULT_LOST) {
    job.set_losses(job.losses() + 1);
  } else {
    job.set_attempts(job.attempts() + 1);
  }
}

inline v1::Job JobFor(const Request& request, v1::JobState state) {
  v1::Job job;
  job.set_id(IdOf(request));
  *job.mutable_spec() = ToMessage(request).spec();
  job.set_state(state);
  if (state == v1::JOB_STATE_SUCCEEDED) job.set_result(request.payload);
  return job;
}

}  // namespace millrace::crash
