// Retention: how long jobs that ended are remembered: by age, number and bytes, apart for the finished (SUCCEEDED, CANCELLED)
// and the dead letters (FAILED, EXPIRED, QUARANTINED), which somebody may want to look at and retry.
//   Bytes     Payload, result, log and kJobOverheadBytes: what a job that has ended holds in memory. Without this bound a steady
//             load of large jobs would grow until the number is reached.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "dispatch/job_entry.h"

namespace millrace::dispatch {

class Retention {
 public:
  struct Limit {
    Nanos age_max;
    int64_t jobs_max;
    int64_t bytes_max;
  };
  Retention(Limit finished, Limit dead_letters) : finished_{{}, finished}, dead_{{}, dead_letters} {}

  static bool IsDeadLetter(JobState state) {
    return state == JobState::kFailed || state == JobState::kExpired || state == JobState::kQuarantined;
  }

  void Add(JobEntry* entry, MonoTime now);  // It has just ended.
  void Remove(JobEntry* entry);             // Retried or deleted.

  // Takes out and returns a job to be forgotten now; nullptr: none.
  JobEntry* PopTrimmed(MonoTime now);
  // When the next one will be too old; MonoTime::max(): none will.
  MonoTime Next() const;

  int64_t dead_letters() const { return dead_.jobs.size(); }
  uint64_t trimmed_finished() const { return finished_.trimmed; }
  uint64_t trimmed_dead_letters() const { return dead_.trimmed; }

 private:
  struct Shelf {
    EntryList jobs;  // By finish time.
    Limit limit;
    int64_t bytes = 0;
    uint64_t trimmed = 0;

    void Take(JobEntry* entry);
  };
  Shelf& ShelfOf(const JobEntry& entry) { return IsDeadLetter(entry.state()) ? dead_ : finished_; }

  Shelf finished_, dead_;
};

}  // namespace millrace::dispatch
