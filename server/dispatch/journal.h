// Journal: what dispatch asks of those who remember jobs. store/ answers: in memory, and later on RocksDB with group commit.
//
//   Records    A record is the whole state of one job, lease and attempt included, and replaces the one before it. So recovery
//              reads live jobs only, and no old job pins anything.
//   Order      Records of one job take effect in the order of the calls; those of one call together or not at all.
//   Threads    Append and Erase (KeepRequest, DropRequest) are called with the dispatcher's lock held: they only take note and never wait for a disk. A
//              record and what it points to by reference are valid during the call; `spec` and `result` are immutable and shared,
//              so a journal may hold on to them and encode later.
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
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/status.h"
#include "job/job.h"
#include "job/lifecycle.h"

namespace millrace::dispatch {

// A job as it is remembered.
struct JobRecord {
  JobId id;
  std::shared_ptr<const JobSpec> spec;  // `pool` filled in.
  std::string request_id;               // Empty: none.
  uint64_t fingerprint = 0;             // Of the spec; with a request id.
  Lifecycle life;                       // State, and the newest attempt with its token.
  WallTime created{};
  std::optional<WallTime> due;       // SCHEDULED: when. Wall time, as the monotonic clock does not survive a restart.
  std::optional<WallTime> finished;  // Terminal states.
  int attempts = 0;                  // That count against max_attempts, a running one included.
  int losses = 0;
  bool cancel_requested = false;
  std::vector<Attempt> history;  // The newest kAttemptsKept.
  Bytes result;
  std::string error;
  // Of the whole job, remembered when it ends; while it runs they live in memory only.
  std::optional<Progress> progress;
  Bytes log_tail;
  int64_t log_bytes = 0;
};

// A request id that outlives its job for a while, so that a late repeat does not become a second job.
struct SpentRequest {
  std::string request_id;
  JobId job;
  std::optional<uint64_t>
      fingerprint;  // Of the spec. nullopt: noted by an older daemon, whose fingerprints say nothing to others.
  JobState final_state = JobState::kSucceeded;
  WallTime until{};
  bool operator==(const SpentRequest&) const = default;
};

struct JournalStats {
  HistogramSnapshot commit_seconds;  // One batch; with an fsync where the mode has one.
  HistogramSnapshot fsync_seconds;   // The fsync alone.
  HistogramSnapshot batch_records;
  uint64_t open_errors = 0, write_errors = 0, sync_errors = 0;
  uint64_t background_errors = 0;  // While the store kept order by itself.
  bool failing = false;            // New jobs are refused.
};

class Journal {
 public:
  virtual ~Journal() = default;

  virtual JournalStats Stats() const { return {}; }

  virtual Durability durability() const = 0;

  // At start, before anything else: every job that was not erased, in id order.
  virtual Status Load(const std::function<void(JobRecord)>& each) = 0;

  class Waiter {
   public:
    virtual ~Waiter() = default;
    // On any thread, with no lock of the journal held, in the order of the calls; only a failure may be told early.
    virtual void OnCommitted(const Status& status) = 0;
  };

  // Append always answers inside the call.
  virtual bool CommitsAtOnce() const = 0;

  enum class Accepting : bool { kNo, kYes };

  // nullopt: `waiter` is called later, exactly once, never inside the call, when the records are as durable as durability()
  // says. A status: this is the answer, and the waiter is not called. Without a waiter nobody wants to know.
  virtual std::optional<Status> Append(std::span<const JobRecord* const> records, Accepting accepting,
                                       Waiter* waiter) = 0;

  virtual void Erase(std::span<const JobId> ids) = 0;

  // Request ids whose jobs were erased. Called as Erase is; what is kept before a job is erased is there when the job is not.
  virtual void KeepRequest(const SpentRequest& request) = 0;
  virtual void DropRequest(const std::string& request_id) = 0;
  // At start, after Load.
  virtual Status LoadRequests(const std::function<void(SpentRequest)>& each) = 0;
};

}  // namespace millrace::dispatch
