// JobEntry: a job in the dispatcher's hands: what is remembered of it (JobRecord), and where it stands right now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "dispatch/event_log.h"
#include "dispatch/journal.h"
#include "dispatch/live_output.h"
#include "dispatch/runner.h"
#include "dispatch/schedule.h"
#include "job/job.h"

namespace millrace::dispatch {

class JobWaiter;
class Pool;
class RunningAttempt;

// Everything is guarded by the dispatcher's lock.
struct JobEntry {
  JobEntry() { due.job = deadline.job = this; }
  JobEntry(const JobEntry&) = delete;
  JobEntry& operator=(const JobEntry&) = delete;

  JobRecord record;

  // What clients see instead of `record`, while the journal has yet to commit how the job ended.
  std::unique_ptr<JobRecord> published;
  bool hidden = false;  // Its acceptance is not committed: for clients it does not exist.

  Pool* pool = nullptr;
  const KindOptions* kind = nullptr;
  int64_t bytes = 0;                     // Of the payload.
  bool reserved = false;                 // Accepted, holding a place in the channel that it has not taken yet.
  std::shared_ptr<const Labels> labels;  // A copy for events, which must not hold on to a payload. nullptr: none.

  // QUEUED: its place in a band. Terminal: its place in retention.
  JobEntry* previous = nullptr;
  JobEntry* next = nullptr;
  uint64_t turn = 0;  // QUEUED: numbers the pool's pushes, for ageing.
  MonoTime queued_at{};
  WallTime queued_wall{};
  MonoTime finished_at{};  // Terminal: since when, for retention.

  Alarm due;       // SCHEDULED: becomes ready. RUNNING: run_timeout.
  Alarm deadline;  // Unfinished, with a deadline.

  RunningAttempt* attempt = nullptr;  // RUNNING, until the runner has returned.
  std::shared_ptr<LiveOutput> live;   // nullptr: it never showed anything.
  std::vector<JobWaiter*> waiters;

  const JobRecord& visible() const { return published ? *published : record; }
  JobState state() const { return record.life.state; }
  EventLog::Source source() const;
};

// First in, first out; leaves from anywhere. A job is in at most one list.
class EntryList {
 public:
  void PushBack(JobEntry* entry);
  void Remove(JobEntry* entry);
  JobEntry* front() const { return front_; }
  bool empty() const { return front_ == nullptr; }
  int64_t size() const { return size_; }

 private:
  JobEntry* front_ = nullptr;
  JobEntry* back_ = nullptr;
  int64_t size_ = 0;
};

// The copy for those who look. `full`: with payload, result, history and log.
JobSnapshot SnapshotOf(const JobEntry& entry, bool full);

}  // namespace millrace::dispatch
