// Core: every job and every pool of a dispatcher under one lock, and the moves a job can make. Admission, workers, the
// timekeeper and the verbs of clients all act through these moves, so each rule of a job's life is written once.
//
//   One lock   A job costs two to five short sections (README.md), some 100 ns each: at 200,000 jobs a second the lock
//              is held a tenth of the time. Splitting it by pool would buy little and cost atomic batches over several
//              pools, one id order and one event order.
//   Turn       A section is a Turn. What a move leads to outside (answers, wake-ups, cancellations, memory to be freed)
//              is noted in the Turn and done after the lock is released, so no foreign code runs under it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/published.h"
#include "dispatch/admission.h"
#include "dispatch/alarms.h"
#include "dispatch/attempt.h"
#include "dispatch/commits.h"
#include "dispatch/dispatcher.h"
#include "dispatch/event_log.h"
#include "dispatch/id_table.h"
#include "dispatch/in_turn.h"
#include "dispatch/job_entry.h"
#include "dispatch/journal.h"
#include "dispatch/leases.h"
#include "dispatch/missing_pool.h"
#include "dispatch/pool.h"
#include "dispatch/pool_table.h"
#include "dispatch/process_budget.h"
#include "dispatch/request_ids.h"
#include "dispatch/retention.h"
#include "dispatch/slot.h"
#include "dispatch/timekeeper.h"
#include "dispatch/turn.h"
#include "dispatch/unique_keys.h"
#include "dispatch/verdict.h"
#include "runtime/lock.h"

namespace millrace::dispatch {

class Core {
 public:
  Core(Dispatcher::Dependencies dependencies, const DispatcherOptions& options);
  ~Core();

  // ---- What never changes after Start
  rt::Runtime& runtime;
  Clock& clock;
  Journal& journal;
  PoolMemory* const pool_memory;
  const std::function<void(const Status&)> store_lost_door;
  const bool commits_at_once;  // So nobody ever sees a job whose end is not committed.
  // The journal has the jobs that have not ended, so they may go cold. One that keeps none is not told of them.
  const bool keeps_unfinished;
  std::vector<Runner*> runners;

  // ---- Read without the lock, replaced under it
  const DispatcherOptions& options() const { return options_.Get(); }
  PoolTable pools;

  Pool* FindPool(std::string_view name) const;
  Runner* FindRunner(std::string_view name) const;
  std::string PoolNames() const;  // "'a', 'b'": those that are configured.
  void SetOptions(const DispatcherOptions& next, Turn& turn) MR_IN_TURN;
  // Tells each pool its kinds. Without the lock: it takes turns.
  void RenewKinds();

  // ---- Guarded by the lock
  rt::Lock lock;
  IdTable<JobEntry> table MR_GUARDED_BY(in_turn);  // Until the journal has committed how they ended.
  Alarms alarms MR_GUARDED_BY(in_turn);
  Retention retention MR_GUARDED_BY(in_turn);
  RequestIds request_ids MR_GUARDED_BY(in_turn);
  UniqueKeys unique_keys MR_GUARDED_BY(in_turn);
  Permits permits;
  Leases leases;
  ProcessBudget budget;
  Admission admission;
  Commits commits;
  std::array<int64_t, kJobStates> jobs MR_GUARDED_BY(in_turn){};  // By state.
  uint64_t revivals MR_GUARDED_BY(in_turn) = 0;                   // Jobs that had ended and were retried.
  bool draining MR_GUARDED_BY(in_turn) = false;
  bool store_lost = false;
  bool recovered = false;                    // Start has found all jobs their places.
  bool kinds_replaced = false;               // So a job looks for its kind again when it starts.
  PoolWishes wishes MR_GUARDED_BY(in_turn);  // What pools were told to do, as it was kept last or is being kept now.
  uint64_t wishes_version MR_GUARDED_BY(in_turn) = 0;
  // Attempts, for the report of Stop.
  int64_t ended_while_draining MR_GUARDED_BY(in_turn) = 0;
  int64_t released MR_GUARDED_BY(in_turn) = 0;
  uint64_t turns = 0, worker_wakes = 0;  // Since the start; benchmarks and tests count what a job costs.

  EventLog events;
  IdGenerator ids;
  Timekeeper timekeeper;

  // ---- Moves, each in a Turn
  // A new job, about to be written down: gives it its creation time, its first state (QUEUED or SCHEDULED; StartAhead
  // may make it RUNNING) and its unique key. Nobody but admission sees it yet.
  void Draft(JobEntry& job, Turn& turn) MR_IN_TURN;
  // Its acceptance is committed: clients see it from now on, and it runs, goes into its pool's queue or waits for its
  // time.
  void Publish(JobEntry& job, Turn& turn) MR_IN_TURN;
  // The journal could not write it down: takes back what Draft did, and frees the job.
  void DropDraft(JobEntry& job, Turn& turn) MR_IN_TURN;
  // ---- At start: what the journal holds, in this order. Only the last writes to it: until then all reading must be
  // done. Adds those that are QUEUED or RUNNING to `ready`.
  Status Recover(JobRecord record, std::vector<JobEntry*>* ready, Turn& turn) MR_IN_TURN;
  void RecoverEnded(const std::vector<EndedJob>& ended, std::vector<SpentRequest> requests, Turn& turn) MR_IN_TURN;
  // In the order in which they were found, so that a job whose attempt was lost keeps its place before younger ones.
  void RecoverReady(JobEntry& job, Turn& turn) MR_IN_TURN;

  // QUEUED already: to an idle worker, else into the channel.
  void Enqueue(JobEntry& job, Turn& turn) MR_IN_TURN;
  // The same for one that was taken from there, and did not run: to its old place.
  void EnqueueAgain(JobEntry& job, Turn& turn) MR_IN_TURN;
  // A worker gets it, to start it, or to read it first. False: its deadline has passed, and it has ended instead, so no
  // attempt of a job begins after its deadline, however late the timekeeper is.
  bool Assign(JobEntry& job, Slot& slot, Turn& turn) MR_IN_TURN;
  // The first one in line that can be assigned. False: nobody was in line.
  bool AssignNext(Pool& pool, Slot& slot, Taker& taker, Turn& turn) MR_IN_TURN;
  void StartAttempt(JobEntry& job, Slot& slot, Turn& turn) MR_IN_TURN;
  // A draft that is QUEUED and has no place reserved: where a slot is free for it, it is accepted as RUNNING, and the
  // slot waits for that commit. So a job that finds a free slot takes one commit less before it runs.
  bool StartAhead(JobEntry& job, Turn& turn) MR_IN_TURN;
  // Takes that back: the job is a QUEUED draft with a reserved place, and the slot is free. Its acceptance is not
  // committed yet, or was refused.
  void DropStart(JobEntry& job, Turn& turn) MR_IN_TURN;
  // An attempt has ended. FAILED_PRECONDITION LEASE_LOST: it was given up before, or has ended already; nothing changes
  // then.
  Status Finish(JobEntry& job, const Claim& by, FinishedAttempt&& finished, Turn& turn) MR_IN_TURN;
  // As above, from whoever knows no more than this of the job.
  Status Finish(const JobId& id, const Claim& by, FinishedAttempt&& finished, Turn& turn) MR_IN_TURN;
  // The job must be hot. Has its deadline passed?
  static bool TooLate(const JobEntry& job, Turn& turn) MR_IN_TURN;
  // Its start is committed: if it is too late by now, its handler is not called.
  void StopIfLate(JobEntry& job, Turn& turn) MR_IN_TURN;
  // Its start is committed: the time that it may take begins. `ran`: it began so long ago.
  void ArmRunTimeout(JobEntry& job, Nanos ran, Turn& turn) MR_IN_TURN;
  // A lease that was asked to stop: Leases::GiveUp comes then.
  void ArmGiveUp(JobEntry& job, Nanos after, Turn& turn) MR_IN_TURN;
  // A large payload of a job that runs in another process leaves the memory, where the journal has it.
  void LeaveOutPayload(JobEntry& job, Turn& turn) MR_IN_TURN;
  // The checkpoint of a job that runs is another one, and is written down: one at a time, the newest, however fast a
  // handler saves them.
  void CheckpointChanged(JobEntry& job, Turn& turn) MR_IN_TURN;
  // Asks a running attempt to stop.
  void StopAttempt(JobEntry& job, StopCause cause, Status reason, Turn& turn) MR_IN_TURN;
  // Called before anything of a job changes that is about to end: clients see this copy until its end is committed.
  void KeepLastCommitted(JobEntry& job) const MR_IN_TURN;
  // The error of a job that EXPIRED without an attempt that ran.
  static constexpr const char* kTooLate = "the job's deadline passed before it ran";
  // Into a terminal state.
  void End(JobEntry& job, JobState state, const Claim& by, std::string error, Turn& turn) MR_IN_TURN;
  // SCHEDULED and due: ready.
  void MakeDue(JobEntry& job, Turn& turn) MR_IN_TURN;

  // QUEUED, or SCHEDULED and hot: BLOCKED, which is written down. Whoever blocks a job unblocks it; after a restart it
  // is BLOCKED still, and whoever knows by what says so again.
  void Block(JobEntry& job, BlockedOn reason, Turn& turn) MR_IN_TURN;
  // BLOCKED and hot: into its queue, which is written down.
  void Unblock(JobEntry& job, Turn& turn) MR_IN_TURN;
  // What a job that has not ended waits for beside its time and a worker.
  static BlockedOn WaitsFor(const JobEntry& job) MR_IN_TURN;

  // The answer for whoever asks why a job does not run. nullopt: it runs, or has ended.
  std::optional<Waiting> WhyWaits(const JobEntry& job) MR_IN_TURN;

  // ---- Cold jobs
  // Reads, without the lock, what a cold job is loaded with.
  Result<std::shared_ptr<HotJob>> ReadHot(const JobId& id);
  // Makes a cold job hot with what was read. False: the job has been hot since `cold` was taken, so what was read may
  // be out of date; `hot` is left to the caller then, to be freed without the lock.
  bool Load(JobEntry& job, const ColdJob& cold, std::shared_ptr<HotJob>* hot, Turn& turn) MR_IN_TURN;
  // If the job waits and everything about it is committed: it stays hot where the budget allows, else it goes cold.
  void KeepOrEvict(JobEntry& job, Turn& turn) MR_IN_TURN;
  // A job that was assigned cold was read. False: the disk cannot be read; the job is tried again later.
  bool StartCold(const ColdJob& cold, Result<std::shared_ptr<HotJob>>* read, Slot& slot, Turn& turn) MR_IN_TURN;
  // It was set aside to be read, and whoever had it is gone: into line again.
  void PutBackAside(const JobId& id, Turn& turn) MR_IN_TURN;
  // A cold job whose alarm rang was read, and that alarm is acted upon now.
  struct LateJob {
    ColdJob cold;
    Alarm::Purpose purpose;
  };
  void RunLate(const LateJob& late, Result<std::shared_ptr<HotJob>>* read, Turn& turn) MR_IN_TURN;
  // A job that was cold and is changed stays in memory until that is committed. While the disk fails they must not all
  // come from there without end.
  bool TooManyWaitForTheDisk() const MR_IN_TURN {
    return journal.Failing() && !budget.HasRoom(0, options().process_bytes_max);
  }
  // UNAVAILABLE STORE_FAILED: too many do. `done`: "cancelled".
  Status CheckMayChange(const JobEntry& job, const char* done) const MR_IN_TURN;
  // What the job weighs on the budgets from now on.
  void Charge(JobEntry& job, int64_t bytes, Turn& turn) MR_IN_TURN;

  // ---- Verbs of clients, on a job that is hot, or has ended and is remembered. What they say may be told once all
  // that was noted until then is committed.
  Status Cancel(JobEntry& job, const std::string& reason, Turn& turn) MR_IN_TURN;
  // `*hot` is the job after that.
  Status Retry(JobEntry& job, std::shared_ptr<HotJob>* hot, Turn& turn) MR_IN_TURN;
  Status Retry(const JobRecord& ended, std::shared_ptr<HotJob>* hot, Turn& turn) MR_IN_TURN;
  Status Delete(const JobRecord& ended, Turn& turn) MR_IN_TURN;
  static Status CancelEnded(const JobRecord& ended);
  static Status DeleteUnfinished(const JobEntry& job) MR_IN_TURN;
  void AddWaiter(JobEntry& job, JobWaiter* waiter) MR_IN_TURN;
  bool RemoveWaiter(JobEntry& job, JobWaiter* waiter) MR_IN_TURN;

  // One step of RunDue. False: nothing more is due. A cold job that must be read for it is left to RunLate.
  bool RunOneDue(std::vector<LateJob>* late, Turn& turn) MR_IN_TURN;
  // Sets it for `when`, unless it is set for an earlier time. MonoTime::max(): nothing.
  void SetBy(OwnAlarm& alarm, MonoTime when, Turn& turn) MR_IN_TURN;
  // When to call again. An alarm that is set for an earlier time from now on kicks the timekeeper.
  MonoTime PlanWake(Turn& turn) MR_IN_TURN;

  double Random();  // In [0, 1).

  // Stops the process where jobs, counts and structures do not agree. At the end of each Turn where
  // options.check_invariants; of many jobs not each time, as it looks at all of them.
  void CheckInvariants() MR_IN_TURN;

  // ---- Pools
  void ServeIdleWorkers(Pool& pool, Turn& turn) MR_IN_TURN;  // After a resume or a resize: workers take what is queued.
  void SetWorkers(Pool& pool, int wanted, Turn& turn) MR_IN_TURN;
  // New jobs are refused from now on, and no worker takes another one.
  void StopServing(Turn& turn) MR_IN_TURN;
  // The store belongs to another daemon by now. What was written and is not committed is lost to us, and nobody is told
  // of it.
  void LoseStore(const Status& status, Turn& turn) MR_IN_TURN;
  void RunWorker(Pool& pool, int number);  // Starts its fiber. Without the lock.
  void EndSurplusWorkers(Pool& pool, Turn& turn) MR_IN_TURN;
  void CheckDrained(Pool& pool, Turn& turn) MR_IN_TURN;

 private:
  static constexpr Nanos kReadAgain = std::chrono::seconds(1);  // A cold job that could not be read.
  // The one door to job/lifecycle's Transition: counts states as well.
  void Move(JobEntry& job, JobState to, const Claim& by) MR_IN_TURN;
  // The job's record is written down with what this Turn writes.
  void Write(JobEntry& job) MR_IN_TURN;
  // So is that of a job that waits again, which had ended before if `was` is given.
  void WriteWaiting(JobEntry& job, const EndedJob* was, Turn& turn) MR_IN_TURN;
  // The slot has the job, and awaits its start, which is yet to be written.
  void Occupy(JobEntry& job, Slot& slot, Turn& turn) MR_IN_TURN;
  void AnnounceStart(JobEntry& job, Turn& turn) MR_IN_TURN;
  void PublishStarted(JobEntry& job, Turn& turn) MR_IN_TURN;
  // What follows from commits.
  static void StartCommitted(Core& core, JobEntry& job, uint64_t token, const Status& status, Turn& turn) MR_IN_TURN;
  static void WaitingCommitted(Core& core, JobEntry& job, uint64_t part, const Status& status, Turn& turn) MR_IN_TURN;
  static void CheckpointCommitted(Core& core, JobEntry& job, uint64_t token, const Status& status,
                                  Turn& turn) MR_IN_TURN;
  static void EndCommitted(Core& core, JobEntry& job, uint64_t, const Status& status, Turn& turn) MR_IN_TURN;
  static bool IsToBeRead(const JobEntry& job, const Slot& slot) MR_IN_TURN {
    return !job.hot || (PayloadLeftOut(job.record()) && LacksPayload(job, slot));
  }
  // The slot's user cannot begin without the payload.
  static bool LacksPayload(const JobEntry& job, const Slot& slot) MR_IN_TURN;
  bool MustEvict(const JobEntry& job) const MR_IN_TURN;
  void Evict(JobEntry& job, Turn& turn) MR_IN_TURN;
  void Uncount(JobEntry& job) MR_IN_TURN;
  void ExpireCold(JobEntry& job, const ColdJob& cold, Result<std::shared_ptr<HotJob>>* read, Turn& turn) MR_IN_TURN;
  // Progress and log, into the record.
  static void RememberOutput(HotJob& hot);
  void Announce(const JobEntry& job, std::string_view error, Turn& turn) MR_IN_TURN;
  void ArmDeadline(JobEntry& job, const JobRecord& record, Turn& turn) MR_IN_TURN;
  // SCHEDULED, by what its record says; not where it becomes that just now.
  void ArmDue(JobEntry& job, const JobRecord& record, Turn& turn) MR_IN_TURN;
  template <typename Time>
  void Arm(Alarm* alarm, Alarm::Purpose purpose, Time when, Turn& turn) MR_IN_TURN;
  void WakeBy(MonoTime when, Turn& turn) MR_IN_TURN;
  void CheckInvariants(const JobEntry& job) const MR_IN_TURN;
  void RunOutOfTime(JobEntry& job, Turn& turn) MR_IN_TURN;
  // The job must be hot and may not have ended.
  void PassDeadline(JobEntry& job, Turn& turn) MR_IN_TURN;
  // What becomes of the job after an attempt that ended or was lost. `facts`: as far as the job does not say it.
  AttemptResult Conclude(JobEntry& job, const Claim& by, AttemptFacts facts, Bytes output, Turn& turn) MR_IN_TURN;
  // QUEUED: out of its channel, which has room again.
  void TakeOffQueue(JobEntry& job, Turn& turn) MR_IN_TURN;
  static Status WrongState(const JobId& id, JobState state, const std::string& advice);
  // The end of a job is committed: clients see it, and it leaves.
  void CompleteEnd(JobEntry& job, Turn& turn) MR_IN_TURN;
  void Forget(const Retention::Kept& kept, Turn& turn) MR_IN_TURN;
  // As it stands in the record, cold.
  Result<std::shared_ptr<JobEntry>> MakeEntry(const JobRecord& record) MR_IN_TURN;
  const KindOptions* KindFor(const JobRecord& record, Pool& pool) MR_IN_TURN;

  // What is forgotten when its time is over: a job that has ended, and a request id after its job. One at a time.
  struct Trim final : OwnAlarm {
    explicit Trim(Core& owner) : core(owner) {}
    void OnDue(Turn& turn) override MR_IN_TURN;
    Core& core;
  };
  struct DropRequests final : OwnAlarm {
    explicit DropRequests(Core& owner) : core(owner) {}
    void OnDue(Turn& turn) override MR_IN_TURN;
    Core& core;
  };
  Trim trim_{*this};
  DropRequests drop_requests_{*this};

  Published<DispatcherOptions> options_;
  std::mt19937_64 random_;
  MissingRunner missing_runner_;
  uint64_t last_token_ MR_GUARDED_BY(in_turn);
  int64_t waiting_hot_ MR_GUARDED_BY(in_turn) = 0;  // Bytes, of options.hot_bytes_max.
  uint16_t generation_ MR_GUARDED_BY(in_turn) = 0;
  uint64_t unchecked_turns_ = 0;                                // How many CheckInvariants has left out since.
  MonoTime wakes_at_ MR_GUARDED_BY(in_turn) = MonoTime::max();  // When the timekeeper looks again by itself.
  std::map<std::string, KindOptions> unknown_kinds_
      MR_GUARDED_BY(in_turn);  // What recovered jobs have whose kind is not configured any more.
};

Status JobNotFound(const JobId& id);

}  // namespace millrace::dispatch
