// Retention: which jobs that have ended are remembered, and how long: by age, number and bytes, apart for the finished
// (SUCCEEDED, CANCELLED) and the dead letters (FAILED, EXPIRED, QUARANTINED), which somebody may want to look at and
// retry.
//   Memory    48 bytes a job; the job itself is the journal's. What is not here was forgotten, whatever the journal
//             still holds.
//   Bytes     Payload, result, log, labels, trace and kJobOverheadBytes: about what the job takes on the disk, or in
//             memory with the memory journal. Labels and trace of a job that ended before the start do not count, since
//             EndedOf does not know them. Without this bound a steady load of large jobs would grow until the number
//             is reached.
//   Grace     Whoever followed a job to its end is about to ask for its result. So one that ended just now is kept
//             whatever the limits say, within limits of its own for jobs that end in great number.
//   Age       By the monotonic clock; at start, what the wall clock says has passed since the job ended.
//   Cost      A job is found by its finish time, in a number of steps that grows with the logarithm of how many there
//             are, and by one for each time that the wall clock was set back since the oldest of them ended.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/clock.h"
#include "dispatch/journal.h"

namespace millrace::dispatch {

class Retention {
 public:
  struct Limit {
    Nanos age_max;
    int64_t jobs_max;
    int64_t bytes_max;
  };
  // So many of each kind, so young, are kept beyond its limit.
  struct Grace {
    Nanos age;
    int64_t jobs_max = 10'000;
    int64_t bytes_max = int64_t{16} << 20;
  };
  Retention(Limit finished, Limit dead_letters, Grace grace)
      : grace_(grace), finished_{{}, finished}, dead_{{}, dead_letters} {}

  // What is beyond them is trimmed from now on.
  void SetLimits(Limit finished, Limit dead_letters, Nanos grace) {
    finished_.limit = finished;
    dead_.limit = dead_letters;
    grace_.age = grace;
  }

  static bool IsDeadLetter(JobState state) {
    return state == JobState::kFailed || state == JobState::kExpired || state == JobState::kQuarantined;
  }

  struct Kept {
    EndedJob job;
    const std::string* request_id = nullptr;  // nullptr: it has none.
  };

  // It ended at `since`, no earlier than those before it. The request id, of request_ids, stays where it is.
  void Add(const Kept& kept, MonoTime since);
  // By what its record says; false, nullopt: it is not here.
  bool Contains(const JobRecord& record);
  std::optional<Kept> Remove(const JobRecord& record);  // Retried or deleted.

  // Takes out and returns a job to be forgotten now; nullopt: none.
  std::optional<Kept> PopTrimmed(MonoTime now);
  // When the next one is to be forgotten; a time that has passed: at once. MonoTime::max(): none is.
  MonoTime Next() const;

  int64_t dead_letters() const { return dead_.jobs; }
  uint64_t trimmed_finished() const { return finished_.trimmed; }
  uint64_t trimmed_dead_letters() const { return dead_.trimmed; }
  // How many jobs Contains and Remove have looked at, ever. For tests.
  uint64_t looked_at() const { return finished_.looked_at + dead_.looked_at; }

 private:
  struct Item {
    JobId id;
    WallTime finished;
    MonoTime since;
    const std::string* request_id;
    int64_t bytes : 56;
    JobState state;  // A tombstone where it is not terminal.

    bool gone() const { return !IsTerminal(state); }
    Kept kept() const { return {{id, state, finished, bytes}, request_id}; }
  };
  struct Ledger {
    std::deque<Item> items;  // In the order in which they ended; neither end is a tombstone.
    Limit limit;
    int64_t jobs = 0, bytes = 0;
    uint64_t trimmed = 0, looked_at = 0;
    // Where runs begin: in a run the finish times have that order too. One ends where the wall clock was set back.
    // Places count from `left` on, the number of those that were once before the first item; none is empty.
    std::deque<uint64_t> runs;
    uint64_t left = 0;

    bool over() const { return jobs > limit.jobs_max || bytes > limit.bytes_max; }
    bool far_over(const Grace& grace) const {
      return jobs - grace.jobs_max > limit.jobs_max || bytes - grace.bytes_max > limit.bytes_max;
    }
    MonoTime leaves(const Grace& grace) const;  // The front one.
    std::deque<Item>::iterator Find(const JobRecord& record);
    Kept Take(std::deque<Item>::iterator item);
    void DropTombstones();
  };
  Ledger& LedgerOf(JobState state) { return IsDeadLetter(state) ? dead_ : finished_; }

  Grace grace_;
  Ledger finished_, dead_;
};

}  // namespace millrace::dispatch
