// Lifecycle: the states of a job, the arrows between them, and the one function that moves a job along an arrow.
//
//   SCHEDULED ──▶ QUEUED ──▶ RUNNING ──▶ SUCCEEDED
//     ▲  ▲          ▲          │  │
//     │  │          └──────────┤  ├────▶ FAILED             out of attempts, or "do not retry"
//     │  └─── backoff ─────────┤  ├────▶ QUARANTINED        lost too often
//     │       (or at once: released, lost)
//     │                        │  ├────▶ CANCELLED          also from SCHEDULED, BLOCKED and QUEUED
//     │                        │  └────▶ EXPIRED            also from SCHEDULED, BLOCKED and QUEUED
//   BLOCKED waits for other jobs, or for a limit that has to be asked for before a queue. It is where a job may begin,
//   where one comes from SCHEDULED, QUEUED or RUNNING instead of going into its queue, and it leaves for SCHEDULED or
//   QUEUED. FAILED, CANCELLED, EXPIRED and QUARANTINED go back to QUEUED, or to BLOCKED, when somebody asks for a
//   retry. SUCCEEDED is final.
//
//   Claims   A start gives the job a new attempt number and a new token. Whoever moves the job says which attempt it
//            believes to be the newest; a late result, of an attempt that was given up meanwhile, is refused instead of
//            overwriting.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "job/job.h"

namespace millrace {

// The attempt for which somebody acts.
struct Claim {
  int attempt = 0;  // 0: the job was never started.
  uint64_t token = 0;
  bool operator==(const Claim&) const = default;
};

struct Lifecycle {
  JobState state = JobState::kScheduled;
  Claim claim;  // The newest attempt's.
};

// Is there an arrow?
bool IsLegal(JobState from, JobState to);

// Moves the job, or leaves it as it is and tells why: FAILED_PRECONDITION LEASE_LOST (`by` is not the newest attempt)
// or WRONG_STATE (no such arrow). Into kRunning, `new_token` becomes the token of the next attempt; it is ignored
// otherwise.
Status Transition(const JobId& job, Lifecycle* lifecycle, JobState to, const Claim& by, uint64_t new_token = 0);

}  // namespace millrace
