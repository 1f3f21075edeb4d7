// Journal: what dispatch asks of those who remember jobs. store/ answers: in memory, and on RocksDB with group commit.
//
//   Records    A record is the whole state of one job, lease and attempt included, and replaces the one before it. So recovery
//              reads live jobs only, and no old job pins anything.
//   Ended      A job that has ended belongs to the journal: dispatch keeps an EndedJob of it, some 50 bytes, and reads the rest
//              when somebody asks. A job that waits is let go of as well where the journal has it (KeepsUnfinished).
//   Order      Records of one job take effect in the order of the calls; those of one call together or not at all.
//   Threads    Append, End, Revive, Forget, DropRequest and Flush are called with the dispatcher's lock held: they only take note and
//              never wait for a disk. A record and what it points to by reference are valid during the call; `spec` and `result`
//              are immutable and shared, so a journal may hold on to them and encode later.
//              Read and ReadEnded may be called on any thread or fiber, without that lock, and may wait for a disk.
//   Failure    Only a call that accepts new jobs may fail, and then none of them exists. What was accepted is kept: a journal that
//              cannot write a later record keeps it and tries again, and the commit stays pending until it succeeded. So a
//              full disk stops new work and loses none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/status.h"
#include "job/job.h"
#include "job/lifecycle.h"

namespace millrace::dispatch {

// The reason of a Status: another daemon owns the store now, and nothing of this one is written any more. What was not
// committed before never will be.
inline constexpr std::string_view kNotOwner = "NOT_OWNER";

// A job as it is remembered.
struct JobRecord {
  JobId id;
  std::shared_ptr<const JobSpec> spec;  // `pool` filled in.
  int64_t payload_bytes = 0;            // Also where `spec` was read without its payload.
  std::string request_id;               // Empty: none.
  uint64_t fingerprint = 0;             // Of the spec; with a request id.
  Lifecycle life;                       // State, and the newest attempt with its token.
  WallTime created{};
  std::optional<WallTime> due;       // SCHEDULED: when. Wall time, as the monotonic clock does not survive a restart.
  std::optional<WallTime> finished;  // Terminal states.
  int attempts = 0;                  // That count against max_attempts, a running one included.
  int losses = 0;
  bool cancel_requested = false;
  bool deadline_waived = false;  // Retried after its deadline, the job has none any more.
  std::vector<Attempt> history;  // The newest kAttemptsKept.
  Bytes result;
  std::string error;
  // Of the whole job, remembered when it ends, or is let go of while it waits; else they live in memory only.
  std::optional<Progress> progress;
  Bytes log_tail;
  int64_t log_bytes = 0;
};

// What retention has to know of a job that has ended.
struct EndedJob {
  JobId id;
  JobState state = JobState::kSucceeded;
  WallTime finished{};
  int64_t bytes = 0;  // Payload, result and log.
  bool operator==(const EndedJob&) const = default;
};
EndedJob EndedOf(const JobRecord& record);

// A request id of a job that has ended: it outlives the job for a while, so that a late repeat does not become a second job.
struct SpentRequest {
  std::string request_id;
  JobId job;
  std::optional<uint64_t>
      fingerprint;  // Of the spec. nullopt: noted by an older daemon, whose fingerprints say nothing to others.
  JobState final_state = JobState::kSucceeded;
  std::optional<WallTime> until;  // nullopt: the job is remembered still.
  bool operator==(const SpentRequest&) const = default;
};

struct JournalStats {
  HistogramSnapshot commit_seconds;  // One batch; with an fsync where the mode has one.
  HistogramSnapshot fsync_seconds;   // The fsync alone.
  HistogramSnapshot batch_records;
  uint64_t open_errors = 0, write_errors = 0, sync_errors = 0, read_errors = 0;
  uint64_t background_errors = 0;  // While the store kept order by itself.
  bool failing = false;            // New jobs are refused.
};

class Journal {
 public:
  virtual ~Journal() = default;

  virtual JournalStats Stats() const { return {}; }

  virtual Durability durability() const = 0;
  // What is written now is committed when the disk works again, and nobody knows when that will be.
  virtual bool Failing() const { return false; }

  // ---- At start, before anything else and in this order
  // Every job that has not ended, in id order. Of those that are SCHEDULED or QUEUED the payload may be left out.
  virtual Status Load(const std::function<void(JobRecord)>& each) = 0;
  // Every job that has ended, in the order of `finished`; none of them is read for it.
  virtual Status LoadEnded(const std::function<void(const EndedJob&)>& each) = 0;
  // Of jobs that have ended or were forgotten.
  virtual Status LoadRequests(const std::function<void(SpentRequest)>& each) = 0;

  // ---- Writing, with the dispatcher's lock held
  class Waiter {
   public:
    virtual ~Waiter() = default;
    // On any thread, with no lock of the journal held, in the order of the calls; only a failure may be told early.
    virtual void OnCommitted(const Status& status) = 0;
  };

  // Append and End always answer inside the call.
  virtual bool CommitsAtOnce() const = 0;

  enum class Accepting : bool { kNo, kYes };

  // Jobs that have not ended. nullopt: `waiter` is called later, exactly once, never inside the call, when the records are as
  // durable as durability() says. A status: this is the answer, and the waiter is not called. Without a waiter nobody wants to
  // know.
  virtual std::optional<Status> Append(std::span<const JobRecord* const> records, Accepting accepting,
                                       Waiter* waiter) = 0;
  // The job has ended: from the commit on it can be read here. Answers as Append.
  virtual std::optional<Status> End(std::shared_ptr<const JobRecord> record, Waiter* waiter) = 0;
  // A job that had ended lives again. Answers as Append.
  virtual std::optional<Status> Revive(const JobRecord& record, const EndedJob& was, Waiter* waiter) = 0;
  // A job that has ended is gone; of its request id, if it has one, this remains. Gives what is to be freed without the lock.
  virtual std::shared_ptr<const void> Forget(const EndedJob& job, const SpentRequest* request) = 0;
  virtual void DropRequest(const std::string& request_id) = 0;
  // `waiter` is called as that of an Append, when everything that was noted before is committed. Not where that is at once.
  virtual void Flush(Waiter* waiter) = 0;

  // ---- Reading
  enum class Part : bool {
    kBasic,  // Payload, result and log may be left out.
    kWhole,
  };
  // Can jobs be read that have not ended?
  virtual bool KeepsUnfinished() const = 0;
  // As it was committed last. NOT_FOUND JOB_UNKNOWN; UNAVAILABLE: the disk cannot be read now; INTERNAL STORE_DAMAGED.
  virtual Result<std::shared_ptr<const JobRecord>> Read(const JobId& id, Part part) = 0;

  // Jobs that have ended, basic, in id order from `after` on (exclusive) until `last` (inclusive), in the direction of the two;
  // `limit` at most.
  struct Range {
    JobId after;
    JobId last;
    size_t limit = 0;
  };
  virtual Result<std::vector<std::shared_ptr<const JobRecord>>> ReadEnded(const Range& range) = 0;
};

}  // namespace millrace::dispatch
