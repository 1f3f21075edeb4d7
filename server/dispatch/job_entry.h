// JobEntry: a job in the dispatcher's hands, until it has ended. In two parts, as a million of them may wait:
//   JobEntry   What is needed to keep the job in its place: 200 bytes, always there. No labels: they may be kilobytes.
//   HotJob     What is needed to run it, to change what is remembered of it, or to show it: the record with payload,
//              texts and history. A job that waits may be without (cold); whoever needs the record reads it from the
//              journal, without the dispatcher's lock, and loads the job with it (Core::Load); Core::Evict makes it
//              cold again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "dispatch/alarms.h"
#include "dispatch/event_log.h"
#include "dispatch/in_turn.h"
#include "dispatch/journal.h"
#include "dispatch/live_output.h"
#include "dispatch/runner.h"
#include "dispatch/ties.h"
#include "job/job.h"

namespace millrace::dispatch {

class JobWaiter;
struct Line;
class Pool;
class RunningAttempt;

// Everything is guarded by the dispatcher's lock; a record that was given to Batch::End does not change any more.
struct HotJob {
  JobRecord record;  // `life` is the entry's.
  // What clients see instead of `record`, while the journal has yet to commit how the job ended.
  std::unique_ptr<JobRecord> last_committed;
  RunningAttempt* attempt = nullptr;  // RUNNING, until the runner has returned.
  std::shared_ptr<LiveOutput> live;   // nullptr: it never showed anything.
  uint64_t newest_part = 0;           // The part of what was written of it last (commits.h).
  bool evict_then = false;            // It goes cold when that is committed.
  bool saving = false;                // A checkpoint of it is being committed,
  bool save_again = false;            // and there is a newer one.

  const JobRecord& visible() const { return last_committed ? *last_committed : record; }
};

// Where a job stands with its pool's queue (ready_queue.h), whose bound counts all but the first.
enum class InQueue : uint8_t {
  kNo,
  kReserved,  // Its acceptance is not committed: its place is kept.
  kInLine,    // QUEUED.
  kAside,     // QUEUED, and a worker has it, to read it.
};

// A field that is not marked does not change any more once the entry is in the table.
struct JobEntry {
  JobEntry() = default;
  JobEntry(const JobEntry&) = delete;
  JobEntry& operator=(const JobEntry&) = delete;

  JobId id;
  Lifecycle life MR_GUARDED_BY(in_turn);
  WallTime created MR_GUARDED_BY(in_turn){};
  Pool* pool = nullptr;
  const KindOptions* kind MR_GUARDED_BY(in_turn) = nullptr;
  std::shared_ptr<HotJob> hot MR_GUARDED_BY(in_turn);       // nullptr: cold.
  JobWaiter* waiters MR_GUARDED_BY(in_turn) = nullptr;      // A chain, the newest first.
  std::shared_ptr<const Ties> ties MR_GUARDED_BY(in_turn);  // nullptr: none.

  // QUEUED and in line: its place there.
  Line* line MR_GUARDED_BY(in_turn) = nullptr;
  JobEntry* previous MR_GUARDED_BY(in_turn) = nullptr;
  JobEntry* next MR_GUARDED_BY(in_turn) = nullptr;
  uint64_t push_number MR_GUARDED_BY(in_turn) = 0;  // QUEUED: which push of its pool it was, for ageing.
  MonoTime queued_at MR_GUARDED_BY(in_turn){};
  WallTime queued_wall MR_GUARDED_BY(in_turn){};

  Alarm due MR_GUARDED_BY(in_turn);  // SCHEDULED: becomes ready. QUEUED: is to be read again. RUNNING: run_timeout.
  Alarm deadline MR_GUARDED_BY(in_turn);  // Unfinished, with a deadline.

  int64_t held MR_GUARDED_BY(in_turn) = 0;  // What it weighs on the budgets (weight.h).
  uint32_t bytes = 0;                       // The payload's.
  Band band : 2 = Band::kNormal;
  bool hidden : 1 MR_GUARDED_BY(in_turn) = false;  // Its acceptance is not committed: for clients it does not exist.
  InQueue in_queue : 2 MR_GUARDED_BY(in_turn) = InQueue::kNo;
  BlockedOn blocked_on : 3 MR_GUARDED_BY(in_turn) =
      BlockedOn::kNothing;                            // BLOCKED. What a QUEUED job waits for: ReadyQueue::WaitsFor.
  bool permitted : 1 MR_GUARDED_BY(in_turn) = false;  // Holds the permits of its ties.
  bool counted : 1 MR_GUARDED_BY(in_turn) = false;    // In the budget of jobs that wait hot.
  bool damaged : 1 MR_GUARDED_BY(in_turn) = false;    // Aside: its record could be read, and is not sound.
  bool labelled : 1 = false;  // Its record has labels, or prefers some; a cold job holds none of them.
  uint16_t generation MR_GUARDED_BY(in_turn) = 0;  // Another number each time it goes cold.

  // Whose alarm is it? Not for one of purpose kOwn.
  static JobEntry& Of(Alarm& alarm) MR_NO_THREAD_SAFETY_ANALYSIS;

  JobState state() const MR_IN_TURN { return life.state; }
  JobState visible_state() const MR_IN_TURN {
    return hot && hot->last_committed ? hot->last_committed->life.state : life.state;
  }
  JobRecord& record() const MR_IN_TURN { return hot->record; }
  std::shared_ptr<const JobRecord> shared_record() const MR_IN_TURN { return {hot, &hot->record}; }
  // Labels are told of a hot job only.
  EventLog::Source source() const MR_IN_TURN;
};

// A cold job that somebody reads without the lock. What was read holds if the job is as cold as before.
struct ColdJob {
  JobId id;
  uint16_t generation MR_GUARDED_BY(in_turn) = 0;
};

// First in, first out; leaves from anywhere. A job is in at most one list.
class EntryList {
 public:
  void PushBack(JobEntry* entry) MR_IN_TURN;
  void PushBefore(JobEntry* next, JobEntry* entry) MR_IN_TURN;  // nullptr: as the last.
  void Remove(JobEntry* entry) MR_IN_TURN;
  JobEntry* front() const { return front_; }
  bool empty() const { return front_ == nullptr; }

 private:
  JobEntry* front_ = nullptr;
  JobEntry* back_ = nullptr;
};

// The copy for those who look. `full`: with payload, result, history and log.
JobSnapshot SnapshotOf(const HotJob& job, bool full);

}  // namespace millrace::dispatch
