// Journal: what dispatch asks of those who remember jobs. store/ answers: in memory, and on RocksDB with group commit.
//
//   Records    A record is the whole state of one job, lease and attempt included, and replaces the one before it. So
//              recovery reads live jobs only, and no old job pins anything.
//   Ended      A job that has ended belongs to the journal: dispatch keeps an EndedJob of it, some 50 bytes, and reads
//              the rest when somebody asks. A job that waits is let go of as well where the journal has it
//              (KeepsUnfinished).
//   Spec       What a kAccept says of a job never changes, so later entries of it may leave the payload out.
//   Order      What a Turn writes is one Batch (batch.h), in parts. Parts take effect in their order, each as a whole
//              or not at all.
//   Threads    Commit is called with the dispatcher's lock held: it only takes note and never waits for a disk. A
//              record and what it points to by reference are valid during the call; `spec` and `result` are immutable
//              and shared, so a journal may hold on to them and encode later.
//              Read and ReadEnded may be called on any thread or fiber, without that lock, and may wait for a disk.
//   Failure    Only a part that accepts new jobs may be refused, and then none of them exists. What was accepted is
//              kept: a journal that cannot write a later record keeps it and tries again, and the commit stays pending
//              until it succeeded. So a full disk stops new work and loses none.
//   Ownership  A store that several daemons reach belongs to one of them at a time. A journal that has lost it answers
//              every part with kNotOwner from then on: nothing is written any more, and the dispatcher stops serving.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "dispatch/batch.h"
#include "job/job.h"

namespace millrace::dispatch {

// The reason of a Status: another daemon owns the store now, and nothing of this one is written any more. What was not
// committed before never will be.
inline constexpr std::string_view kNotOwner = "NOT_OWNER";

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
  // Every job that has not ended, in id order. The payload of a job that is SCHEDULED or QUEUED may be left out.
  virtual Status Load(const std::function<void(JobRecord)>& each) = 0;
  // Every job that has ended, in the order of `finished`; none of them is read for it.
  virtual Status LoadEnded(const std::function<void(const EndedJob&)>& each) = 0;
  // Request ids of jobs that have ended or were forgotten.
  virtual Status LoadRequests(const std::function<void(SpentRequest)>& each) = 0;

  // ---- Writing, with the dispatcher's lock held
  using Waiter = CommitWaiter;

  // Commit always answers inside the call.
  virtual bool CommitsAtOnce() const = 0;

  // For each part: sets its `answer`, or calls its waiter later, exactly once, never inside the call, when the part is
  // as durable as durability() says.
  virtual void Commit(Batch& batch) = 0;

  // ---- Reading
  enum class Part : bool {
    kBasic,  // Payload, result and log may be left out.
    kWhole,  // Only a result that is kept apart (ResultApart) may be.
  };
  // Can jobs be read that have not ended? If not, no part has a kAccept or a kChange, and none is refused.
  virtual bool KeepsUnfinished() const = 0;
  // As it was committed last. NOT_FOUND JOB_UNKNOWN; UNAVAILABLE: the disk cannot be read now; INTERNAL STORE_DAMAGED.
  virtual Result<std::shared_ptr<const JobRecord>> Read(const JobId& id, Part part) = 0;

  // The result of a job that SUCCEEDED, of any size. Errors as Read; NOT_FOUND JOB_UNKNOWN also where it has not ended.
  virtual Result<Bytes> ReadResult(const JobId& id) = 0;

  // Jobs that have ended, basic, in id order from `after` on (exclusive) until `last` (inclusive), in the direction of
  // the two; `limit` at most.
  struct Range {
    JobId after;
    JobId last;
    size_t limit = 0;
  };
  virtual Result<std::vector<std::shared_ptr<const JobRecord>>> ReadEnded(const Range& range) = 0;
};

}  // namespace millrace::dispatch
