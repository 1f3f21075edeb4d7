// Core: every job and every pool of a dispatcher under one lock, and the moves a job can make. Admission, workers, the
// timekeeper and the verbs of clients all act through these moves, so each rule of a job's life is written once.
//
//   One lock   A job costs four short sections (accepted, started, ended, and its answer), some 100 ns each: at 200,000 jobs a
//              second the lock is held a tenth of the time. Splitting it by pool would buy little and cost atomic batches over
//              several pools, one id order and one event order.
//   Turn       A section is a Turn. What a move leads to outside (answers, wake-ups, cancellations, memory to be freed) is noted
//              in the Turn and done after the lock is released, so no foreign code runs under it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "dispatch/admission.h"
#include "dispatch/dispatcher.h"
#include "dispatch/event_log.h"
#include "dispatch/job_entry.h"
#include "dispatch/job_table.h"
#include "dispatch/journal.h"
#include "dispatch/pool.h"
#include "dispatch/request_ids.h"
#include "dispatch/retention.h"
#include "dispatch/schedule.h"
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
  const DispatcherOptions options;
  const bool commits_at_once;
  std::vector<Runner*> runners;
  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools;

  Pool* FindPool(std::string_view name) const;
  Runner* FindRunner(std::string_view name) const;
  std::string PoolNames() const;  // "'a', 'b'"

  // ---- Guarded by the lock
  rt::Lock lock;
  JobTable table;
  Schedule schedule;
  Retention retention;
  RequestIds request_ids;
  UniqueKeys unique_keys;
  Admission admission;
  std::array<int64_t, kJobStates> jobs{};  // By state.
  bool draining = false;
  int64_t ended_while_draining = 0, released = 0;  // Attempts, for the report of Stop.

  EventLog events;
  IdGenerator ids;
  Timekeeper timekeeper;

  // ---- Moves, each in a Turn
  // A new job, accepted: into its queue, or into the schedule. Its state was set by `BeginLife` when it was written down.
  void BeginLife(JobEntry& job, Turn& turn);
  void Admit(JobEntry& job, Turn& turn);
  // The journal could not write it down: it was never there.
  void Unborn(JobEntry& job, Turn& turn);
  // A job read from the journal at start.
  Status Recover(JobRecord record, std::vector<JobEntry*>* ended, Turn& turn);
  // All of those that Recover found ended; the oldest leave first again.
  void RecoverEnded(std::vector<JobEntry*> ended, Turn& turn);
  void RecoverRequests(std::vector<SpentRequest> requests, Turn& turn);

  // QUEUED already: to an idle worker, else into the channel.
  void Enqueue(JobEntry& job, Turn& turn);
  // A worker takes it.
  void StartAttempt(JobEntry& job, Worker& worker, Turn& turn);
  // The runner has returned. `output`: of a success.
  void FinishAttempt(Worker& worker, AttemptOutcome outcome, Bytes output, const AttemptTimings& timings, Turn& turn);
  // Asks a running attempt to stop.
  void StopAttempt(JobEntry& job, StopCause cause, Status reason, Turn& turn);
  // Into a terminal state.
  void End(JobEntry& job, JobState state, const Claim& by, std::string error, Turn& turn);
  // SCHEDULED and due: ready.
  void MakeDue(JobEntry& job, Turn& turn);

  // ---- Verbs of clients
  Status Cancel(JobEntry& job, const std::string& reason, Turn& turn);
  Status Retry(JobEntry& job, Turn& turn);
  Status Delete(JobEntry& job, Turn& turn);

  // One step of RunDue. False: nothing more is due.
  bool RunOneDue(Turn& turn);
  // When to call again. An alarm that is set for an earlier time from now on kicks the timekeeper.
  MonoTime PlanWake(Turn& turn);

  // ---- Pools
  void ServeIdleWorkers(Pool& pool, Turn& turn);  // After a resume or a resize: workers take what is queued.
  void SetWorkers(Pool& pool, int wanted, Turn& turn);
  void RunWorker(Pool& pool, int number);  // Starts its fiber. Without the lock.
  void EndSurplusWorkers(Pool& pool, Turn& turn);
  void CheckDrained(Pool& pool, Turn& turn);

  // The job, unless it is not visible to clients.
  JobEntry* FindVisible(const JobId& id) const;

 private:
  friend class EndCommit;
  // The one door to job/lifecycle's Transition: counts states as well.
  void Move(JobEntry& job, JobState to, const Claim& by);
  std::optional<Status> Append(const JobEntry& job, Journal::Waiter* waiter);
  void Announce(const JobEntry& job, std::string_view error, Turn& turn);
  void ArmDeadline(JobEntry& job, Turn& turn);
  template <typename Time>
  void Arm(Alarm* alarm, Alarm::Purpose purpose, Time when, Turn& turn);
  void WakeBy(MonoTime when, Turn& turn);
  // What becomes of the job after an attempt that ended or was lost.
  AttemptResult Conclude(JobEntry& job, const Claim& by, AttemptFacts facts, Bytes output, Turn& turn);
  // QUEUED: out of its channel, which has room again.
  void TakeOffQueue(JobEntry& job, Turn& turn);
  static Status WrongState(const JobEntry& job, const std::string& advice);
  // The end of a job is committed: clients see it.
  void CompleteEnd(JobEntry& job, Turn& turn);
  void Forget(JobEntry& job, Turn& turn);
  const KindOptions* KindFor(const JobRecord& record, Pool& pool);
  double Random();

  std::mt19937_64 random_;
  uint64_t last_token_;
  MonoTime wakes_at_ = MonoTime::max();               // When the timekeeper looks again by itself.
  std::map<std::string, KindOptions> unknown_kinds_;  // Of recovered jobs whose kind is not configured any more.
};

Status JobNotFound(const JobId& id);

}  // namespace millrace::dispatch
