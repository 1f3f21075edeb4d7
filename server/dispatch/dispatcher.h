// Dispatcher: the story of every job, in order: admitted, due, ready, running, finished.
//
//   Callers   Every call is safe from any thread: fibers, gRPC callbacks, plain threads. None of them waits for a job
//             or for room; what has to wait is answered later through an object the caller owns (Submission, VerbCall,
//             JobWaiter, EventListener).
//   Disk      A job that has ended is the journal's, and so is what is not needed of one that waits: calls about such
//             jobs read it, and answer UNAVAILABLE or INTERNAL STORE_DAMAGED when that fails. Submit never does.
//   Answers   Those objects are called exactly once (EventListener: whenever there is news), on any thread, perhaps
//             before the call that registered them returns, and never with a lock of ours held: they may call the
//             Dispatcher.
//   Journal   A client is told that a job was accepted, how it ended, or what a verb did, once that is as durable as
//             journal.durability() says. A verb acts at once, so a job that was cancelled does not start any more; but
//             until its end is committed, Get, List, events and waiters have it as it was. That a job runs or was asked
//             to stop, that it waits again after a Retry, and that it is gone after a Delete, they tell at once: no
//             client was promised that it stays so.
//   Pools     A pool belongs to one runner; its workers are fibers of `runtime`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/status.h"
#include "dispatch/efficiency.h"
#include "dispatch/event_log.h"
#include "dispatch/filter.h"
#include "dispatch/in_turn.h"
#include "dispatch/journal.h"
#include "dispatch/lease.h"
#include "dispatch/lease_options.h"
#include "dispatch/pool_memory.h"
#include "dispatch/pool_status.h"
#include "dispatch/runner.h"
#include "job/job.h"
#include "runtime/runtime.h"
#include "sync/mutex.h"

namespace millrace::dispatch {

class Core;
class Gate;
class Leases;
class Pool;
class Commit;
struct JobEntry;
class Turn;

enum class OnFull : uint8_t { kReject, kWait };

struct SubmitAck {
  JobId id;
  JobState state = JobState::kQueued;
  bool existing = false;  // The request id was accepted before, or the job holds the unique key.
};

// One unit of admission: its jobs are accepted together or not at all. The caller fills the inputs, keeps the object
// alive until Done (or a successful Abandon), and reads the answers then.
class Submission {
 public:
  Submission() = default;
  virtual ~Submission() = default;
  Submission(const Submission&) = delete;
  Submission& operator=(const Submission&) = delete;

  struct Item {
    JobSpec spec;
    std::string request_id;  // Empty: none.
  };
  std::vector<Item> items;  // In. May be moved from.
  OnFull on_full = OnFull::kReject;

  Status status;                // Out.
  std::vector<SubmitAck> acks;  // Out, when status is ok: one for each item.

  virtual void Done() = 0;

 private:
  // Dispatch's own.
  friend class Admission;
  friend class Gate;
  friend class Turn;
  std::shared_ptr<JobEntry> only_job_;  // Most have one item: no allocation for that.
  std::vector<std::shared_ptr<JobEntry>> many_jobs_;
  std::span<std::shared_ptr<JobEntry>> jobs_;  // What becomes of the items; nullptr: it existed before.
  // Items that get the job of an earlier one, which has their request id or unique key.
  std::map<size_t, size_t> twins_;
  // Items that come too late, unless they repeat one that was accepted in time: what they are told.
  std::vector<std::pair<size_t, Status>> late_;
  Gate* gate_ = nullptr;                    // Where it waits for room.
  int64_t waiting_bytes_ = 0;               // What it counts there.
  WallTime waits_until_ = WallTime::max();  // The first deadline of its jobs.
  Submission* previous_ = nullptr;
  Submission* next_ = nullptr;
};

struct BulkResult {
  int64_t matched = 0;
  int64_t changed = 0;
  // Why the first job was not changed that the verb did not change though it applies to its state. OK: none.
  Status first_error;
};

// One Cancel, Retry or Delete, of a job or of all that match. The caller keeps the object alive until Done (or a
// successful Abandon), and reads the answers then.
class VerbCall {
 public:
  VerbCall() = default;
  virtual ~VerbCall() = default;
  VerbCall(const VerbCall&) = delete;
  VerbCall& operator=(const VerbCall&) = delete;

  Status status;    // Out.
  JobSnapshot job;  // Out, of Cancel and Retry, when status is ok: as they left it.
  BulkResult bulk;  // Out, of the bulk verbs, when status is ok.

  virtual void Done() = 0;
  // Nobody wants the answer any more: a bulk verb looks at no further job then and is done, CANCELLED; what it has
  // changed stays changed. Asked on the fiber that the verb is on, between jobs.
  virtual bool Gone() const { return false; }

 private:
  friend class Dispatcher;
  Commit* commit_ = nullptr;  // What it waits for.
};

class JobWaiter {
 public:
  virtual ~JobWaiter() = default;
  virtual void OnFinished(const JobSnapshot& job) = 0;

 private:
  friend class Core;
  JobWaiter* next_ = nullptr;  // Another one for the same job.
};

// What every unfinished job takes in memory, and what is left of that while it waits without its record (cold). What
// differs from job to job, such as payload and labels, comes on top of it (weight.h).
inline constexpr int64_t kJobOverheadBytes = 1024;
inline constexpr int64_t kColdJobBytes = 288;
// What a submit that waits takes beside its jobs: mostly gRPC's part of the call.
inline constexpr int64_t kWaitingCallBytes = int64_t{8} << 10;

struct DispatcherOptions {
  size_t payload_bytes_max = size_t{1} << 20;
  size_t result_bytes_max = size_t{1} << 20;  // What a worker may write in pieces; kResultBytesMax or more.
  // What the unfinished jobs of all pools hold in memory, every byte that comes from a client included (weight.h),
  // kColdJobBytes, ids and keys where they are on the disk only. So it bounds the number of jobs that wait for their
  // time as well, which take no place in a pool's channel.
  int64_t process_bytes_max = int64_t{1} << 30;
  // The part of it that jobs that wait may hold. Those beyond it are on the disk only, where the journal has one, until
  // they run: a short queue never reads the disk, a long one costs kColdJobBytes a job. A filter by labels reads those
  // beyond it.
  int64_t hot_bytes_max = int64_t{64} << 20;
  // What submits may hold that wait for room (ON_FULL_WAIT), kWaitingCallBytes each and their jobs; beyond it they are
  // refused.
  int64_t waiting_bytes_max = int64_t{256} << 20;
  size_t batch_jobs_max = 1000;
  Nanos finished_age_max = std::chrono::hours(24);  // Succeeded and cancelled jobs are forgotten after this,
  int64_t finished_jobs_max = 100'000;              // or when there are more of them, oldest first,
  int64_t finished_bytes_max = int64_t{512} << 20;  // or when payloads, results and logs take more than this.
  Nanos dead_letter_age_max = std::chrono::hours(24 * 30);
  int64_t dead_letter_jobs_max = 100'000;
  int64_t dead_letter_bytes_max = int64_t{512} << 20;
  // Whatever these limits say, a job that ended less than this ago is still there for whoever waited for it
  // (retention.h).
  Nanos finished_age_min = std::chrono::seconds(10);
  // For request ids whose jobs were forgotten: beyond this the oldest are forgotten before their day is over.
  int64_t request_ids_bytes_max = int64_t{256} << 20;
  int losses_max = 3;           // The loss that quarantines a job.
  size_t events_kept = 65'536;  // History for watchers.
  uint64_t seed = 0;            // For backoff jitter. 0: from the clock.
  // For tests: whatever does not agree after a section under the lock stops the process.
  bool check_invariants = false;
  LeaseOptions leases;
  bool operator==(const DispatcherOptions&) const = default;
};

struct ListQuery {
  Filter filter;
  size_t limit = 50;
  std::optional<JobId> after;  // Exclusive; in the direction of the listing.
  bool newest_first = false;
  bool full = false;  // With payload, result, log and history.
  // A page ends early when payloads, results, logs, labels and errors of what it shows exceed this.
  size_t bytes_max = size_t{16} << 20;
  std::function<bool()> gone =
      {};  // Nobody wants the page any more: it ends, CANCELLED. Asked between steps. May be empty.
};

struct JobPage {
  std::vector<JobSnapshot> jobs;
  bool more = false;  // There may be others after these.
};

class Dispatcher {
 public:
  // All of these outlive the dispatcher. `clock` is what jobs are timed by; a test that owns it calls RunDue itself.
  struct Dependencies {
    rt::Runtime& runtime;
    Clock& clock;
    Journal& journal;
    std::vector<Runner*> runners;
    PoolMemory* pool_memory = nullptr;  // nullptr: each life begins with every pool active.
    // Called once, on any thread and without a lock, when the journal says that another daemon owns the store by now
    // (kNotOwner). The dispatcher accepts and starts nothing from then on; whoever runs it calls Stop. May be empty.
    std::function<void(const Status&)> store_lost = {};
  };

  Dispatcher(Dependencies dependencies, DispatcherOptions options);
  ~Dispatcher();  // After Stop, and the journal's.
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Before Start. INVALID_ARGUMENT when the name is taken, the runner is unknown or a number is out of range.
  Status AddPool(PoolOptions options);

  // What a configuration says of jobs.
  struct Setup {
    DispatcherOptions options;
    std::vector<PoolOptions> pools;  // All of them.
    // Makes the runners' kinds those of the configuration: called once, after all else was found good. nullptr: they
    // stay.
    std::function<void()> replace_kinds;
  };
  // Replaces settings, pools and kinds while jobs run: all, or with an error nothing. From any thread.
  //   New pools     have workers at once. One that is not named any more is MISSING: what runs there ends by itself,
  //                 other jobs are kept, submits that wait for room there are refused. Named again, it goes on.
  //   Sizes         change where their configuration did; what an operator resized stays otherwise.
  //   Kinds         A running attempt ends as it began; a job has the newest timeout, retries and program whenever it
  //                 starts. One whose kind is gone fails its attempts, as after a restart.
  //   FAILED_PRECONDITION RESTART_NEEDED: the runner of a pool, whether it is a rendezvous, events_kept and seed.
  //   UNAVAILABLE: it is being shut down.
  Status Apply(Setup setup);

  // On a fiber: loads the journal, starts the workers and (unless the clock is a test's: `run_timekeeper` false) the
  // fiber that makes due jobs ready.
  Status Start(bool run_timekeeper = true);

  // ---- Jobs
  void Submit(Submission* submission);
  // The caller's deadline passed or it went away. True: Done will not be called and nothing was accepted. False: Done
  // has been or is being called.
  bool Abandon(Submission* submission);

  // `explain`: and why it waits, if it does.
  Result<JobSnapshot> Get(const JobId& id, bool full = true, bool explain = false) const;
  Result<JobPage> List(const ListQuery& query) const;
  // Calls the waiter once the job is terminal (at once if it is). NOT_FOUND: it is not called.
  Status Wait(const JobId& id, JobWaiter* waiter);
  bool AbandonWait(const JobId& id, JobWaiter* waiter);  // As Abandon.

  // Answered when all that the verb found and changed is committed; while the journal cannot write, that takes until it
  // can.
  void Cancel(const JobId& id, const std::string& reason, VerbCall* call);
  void Retry(const JobId& id, VerbCall* call);
  void Delete(const JobId& id, VerbCall* call);
  // One commit for all jobs. Those in a state that the verb does not apply to are skipped.
  void CancelAll(const Filter& filter, const std::string& reason, bool count_only, VerbCall* call);
  void RetryAll(const Filter& filter, bool count_only, VerbCall* call);
  void DeleteAll(const Filter& filter, bool count_only, VerbCall* call);
  // As above. What the verb did is not undone.
  bool Abandon(VerbCall* call);

  // The result of a job that SUCCEEDED, of any size; nullptr: it is empty. It may wait for the disk. NOT_FOUND;
  // FAILED_PRECONDITION NO_RESULT: it has not succeeded, or not yet; UNAVAILABLE STORE_FAILED, or
  // what `may_hold` says.
  Result<Bytes> ReadResult(const JobId& id, const MayHold& may_hold = {}) const;

  // State changes, progress and log of all jobs, with a bounded history.
  EventLog& events();

  // ---- Pools
  std::vector<PoolStatus> Pools() const;
  Result<PoolStatus> GetPool(std::string_view name) const;
  Result<PoolStatus> Resize(std::string_view name, std::optional<int> workers, std::optional<int64_t> capacity_jobs,
                            std::optional<int64_t> capacity_bytes);
  // These three act at once, and what they said outlives the daemon where there is a pool_memory; an error of the disk
  // tells that it does not. They wait for the disk.
  Result<PoolStatus> Pause(std::string_view name);
  Result<PoolStatus> Resume(std::string_view name);
  // Refuses new jobs; `done` is called once the pool holds no queued and no running job, or is resumed before: with
  // FAILED_PRECONDITION WRONG_STATE.
  class DrainWaiter {
   public:
    virtual ~DrainWaiter() = default;
    virtual void OnDrained(Result<PoolStatus> status) = 0;
  };
  Status Drain(std::string_view name, DrainWaiter* done);
  bool AbandonDrain(std::string_view name, DrainWaiter* done);  // The pool stays draining.

  // ---- Workers in other processes
  Leases& leases();
  // Ends an attempt that some worker holds: it succeeded, with a result of any size that Leases::AwaitsResult took. As
  // a verb, on a fiber; OK also where a worker has told the end already. FAILED_PRECONDITION LEASE_LOST.
  void WriteResult(const LeaseRef& ref, const Bytes& result, const AttemptTimings& timings, VerbCall* call);
  // The same for a worker that tells once more how an attempt ended.
  void AwaitEnd(VerbCall* call);

  // ---- Time
  // Makes ready what is due, times out and expires what is late, forgets what is old; returns when to call again.
  MonoTime RunDue();

  // ---- End
  struct DrainReport {
    int64_t finished = 0;  // Attempts that ended by themselves while draining.
    int64_t released = 0;  // Attempts cancelled at the end of the grace; their jobs are queued again.
    int64_t queued = 0;    // Left in queues and schedules.
  };
  // On a fiber, once. Refuses submits (UNAVAILABLE DRAINING), stops workers from taking jobs, waits `grace` for running
  // attempts through each pool's WaitGroup, cancels the rest and waits for them. Queued jobs stay in the journal.
  DrainReport Stop(Nanos grace);

  // ---- Numbers for metrics/
  DispatchStats Stats() const;

 private:
  friend struct CoreOf;  // tests/support/core_of.h: the moves themselves.
  Status CheckPool(const PoolOptions& options) const;
  void LogMissing(const std::vector<const Pool*>& pools) const;
  void RecallWishes();
  Status KeepWishes() const;
  // Answers once all that the verb found and changed is committed.
  void Settle(VerbCall* call, Status status);
  static void VerbCommitted(Core&, VerbCall& call, uint64_t, const Status& status, Turn& turn) MR_IN_TURN;
  template <typename Verb>
  void DoAll(const Filter& filter, bool count_only, VerbCall* call, Verb verb);
  template <typename Change>
  Result<PoolStatus> OnPool(std::string_view name, Change change) const;

  std::unique_ptr<Core> core_;
  sync::Mutex applying_;  // One Apply after the other.
};

// INVALID_ARGUMENT POOL_TWICE.
Status PoolTwice(const std::string& name);

}  // namespace millrace::dispatch
