// What clients and operators do to jobs and pools: the moves of core.h that core.cc, the way of a job from acceptance
// to its end, does not need.
#include <algorithm>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/weight.h"
#include "dispatch/worker.h"

namespace millrace::dispatch {

namespace {

// To a verb that would follow the end of a job.
Status BeingCommitted(const JobId& id) {
  return Unavailable("JOB_MOVES", "job " + id.ToString() + " has just ended, which is being committed; repeat");
}

constexpr const char* kCancelAdvice = "only a job that has not ended can be cancelled";
constexpr const char* kRetryAdvice = "only a SCHEDULED, FAILED, CANCELLED, EXPIRED or QUARANTINED job can be retried";

}  // namespace

// ---- Verbs ----------------------------------------------------------------------------------------------------------

Status Core::WrongState(const JobId& id, JobState state, const std::string& advice) {
  return FailedPrecondition("WRONG_STATE", "job " + id.ToString() + " is " + ToString(state) + "; " + advice)
      .With("job", id.ToString())
      .With("state", ToString(state));
}

Status Core::Cancel(JobEntry& job, const std::string& reason, Turn& turn) {
  // Where its end is being committed: clients see that before they are answered.
  if (IsTerminal(job.state())) return WrongState(job.id, job.state(), kCancelAdvice);
  const std::string error = reason.empty() ? "cancelled" : "cancelled: " + reason;
  if (job.state() == JobState::kRunning) {
    // Whoever asks again changes nothing: else records would grow without end while the disk fails.
    if (!std::exchange(job.record().cancel_requested, true)) Write(job);
    StopAttempt(job, kStopCancel, Cancelled("CANCEL_REQUESTED", error), turn);
    return OkStatus();
  }
  MR_RETURN_IF_ERROR(CheckMayChange(job, "cancelled"));
  TakeOffQueue(job, turn);
  KeepLastCommitted(job);
  job.record().cancel_requested = true;
  End(job, JobState::kCancelled, job.life.claim, error, turn);
  return OkStatus();
}

Status Core::CheckMayChange(const JobEntry& job, const char* done) const {
  if (!TooManyWaitForTheDisk()) return OkStatus();
  return Unavailable("STORE_FAILED", "job " + job.id.ToString() + " cannot be " + done +
                                         " while the disk of the store fails and the memory for jobs is full of "
                                         "changes that wait for it; repeat later")
      .With("job", job.id.ToString());
}

Status Core::CancelEnded(const JobRecord& ended) { return WrongState(ended.id, ended.life.state, kCancelAdvice); }

void Core::TakeOffQueue(JobEntry& job, Turn& turn) {
  if (job.state() != JobState::kQueued) return;
  // Set aside, as it could not be read: its worker rests until it is tried again, which is now never. Others may be in
  // line.
  const bool aside = job.in_queue == InQueue::kAside;
  job.pool->channel.Remove(&job);
  turn.RoomAt(job.pool->gate);
  if (aside) ServeIdleWorkers(*job.pool, turn);
  if (job.pool->leased) leases.ServeSavers(job.kind->name, turn);
}

Status Core::Retry(JobEntry& job, std::shared_ptr<HotJob>* hot, Turn& turn) {
  if (IsTerminal(job.state())) return BeingCommitted(job.id);
  if (job.state() != JobState::kScheduled) return WrongState(job.id, job.state(), kRetryAdvice);
  MR_RETURN_IF_ERROR(CheckMayChange(job, "retried"));
  *hot = job.hot;
  alarms.Disarm(&job.due);
  job.record().due.reset();
  Move(job, JobState::kQueued, job.life.claim);
  WriteWaiting(job, nullptr, turn);
  Enqueue(job, turn);
  return OkStatus();
}

Status Core::Retry(const JobRecord& ended, std::shared_ptr<HotJob>* hot, Turn& turn) {
  const JobState state = ended.life.state;
  if (state == JobState::kSucceeded) return WrongState(ended.id, state, kRetryAdvice);
  Result<std::shared_ptr<JobEntry>> made = MakeEntry(ended);
  if (!made.ok()) return made.status();
  JobEntry& job = **made;
  if (job.pool->missing) {
    return PoolNotConfigured(job.pool->name(), "job " + job.id.ToString() + " cannot be put back")
        .With("job", job.id.ToString());
  }
  MR_RETURN_IF_ERROR(admission.CheckKeyToRetry(ended));
  MR_RETURN_IF_ERROR(admission.CheckRoomToRetry(job, HotWeight(ended), turn));
  std::optional<Retention::Kept> kept = retention.Remove(ended);
  if (!kept) return JobNotFound(ended.id);  // Trimmed just now.
  ++revivals;
  table.Insert(job.id, *std::move(made));
  *hot = job.hot = std::make_shared<HotJob>();
  JobRecord& record = job.record();
  record = ended;
  record.attempts = record.losses = 0;
  record.finished.reset();
  record.error.clear();
  record.cancel_requested = false;
  record.deadline_waived = record.spec->deadline && *record.spec->deadline <= turn.wall();
  Move(job, JobState::kQueued, job.life.claim);
  WriteWaiting(job, &kept->job, turn);
  ArmDeadline(job, record, turn);
  Enqueue(job, turn);
  return OkStatus();
}

Status Core::DeleteUnfinished(const JobEntry& job) {
  if (IsTerminal(job.state())) return BeingCommitted(job.id);
  return WrongState(job.id, job.state(), "cancel it first; only a job that has ended can be deleted");
}

Status Core::Delete(const JobRecord& ended, Turn& turn) {
  // It may have been trimmed just now.
  if (std::optional<Retention::Kept> kept = retention.Remove(ended)) Forget(*kept, turn);
  return OkStatus();
}

void Core::AddWaiter(JobEntry& job, JobWaiter* waiter) { waiter->next_ = std::exchange(job.waiters, waiter); }

bool Core::RemoveWaiter(JobEntry& job, JobWaiter* waiter) {
  for (JobWaiter** place = &job.waiters; *place != nullptr; place = &(*place)->next_) {
    if (*place != waiter) continue;
    *place = waiter->next_;
    return true;
  }
  return false;
}

// ---- Pools ----------------------------------------------------------------------------------------------------------

void Core::ServeIdleWorkers(Pool& pool, Turn& turn) {
  if (pool.leased) leases.Serve(pool, turn);
  while (pool.channel.anyone_in_line()) {
    Slot* slot = pool.PopIdle();
    if (slot == nullptr) break;
    if (!AssignNext(pool, *slot, pool.fibers, turn)) {
      pool.PushIdle(slot);
      break;
    }
    turn.Wake(slot);
  }
  turn.RoomAt(pool.gate);
}

void Core::SetWorkers(Pool& pool, int wanted, Turn& turn) {
  if (pool.leased) return leases.CountWorkers(turn);
  pool.SetWorkersWanted(wanted, turn.mono());
  for (; pool.workers_alive < wanted && !pool.stopping; ++pool.workers_alive) {
    pool.workers_done.Add(1);
    turn.StartWorker(pool, pool.TakeNumber());
  }
  EndSurplusWorkers(pool, turn);
}

void Core::RunWorker(Pool& pool, int number) {
  runtime.Go({.name = "worker", .share_group = &pool.share_group}, [this, &pool, number] {
    {
      Worker worker(*this, pool, number);
      worker.Run();
    }
    // After Done the pool may be gone, and a signal may stop this fiber once more: it waits with those of no group
    // then.
    rt::CurrentFiber()->share_group = nullptr;
    pool.workers_done.Done();
  });
}

void Core::EndSurplusWorkers(Pool& pool, Turn& turn) {
  while (pool.surplus() && pool.idle != nullptr) {
    Slot* slot = pool.TakeOffIdle();
    slot->quit = true;
    --pool.workers_alive;
    turn.Wake(slot);
  }
}

void Core::StopServing(Turn& turn) {
  draining = true;
  const Status refusal = Admission::ShuttingDown();
  admission.RefuseWaiting(budget.gate(), refusal, turn);
  admission.RefuseWaiting(admission.commit_gate(), refusal, turn);
  for (const auto& [name, pool] : pools.All()) {
    admission.RefuseWaiting(pool->gate, refusal, turn);
    pool->stopping = true;
    EndSurplusWorkers(*pool, turn);
  }
}

void Core::LoseStore(const Status& status, Turn& turn) {
  if (std::exchange(store_lost, true)) return;
  StopServing(turn);
  turn.TellStoreLost(status);
}

void Core::CheckDrained(Pool& pool, Turn& turn) {
  if (!pool.draining || pool.drain_waiters.empty() || !pool.Empty()) return;
  for (Dispatcher::DrainWaiter* waiter : pool.drain_waiters) turn.Tell(waiter, pool.Look(turn.mono()));
  pool.drain_waiters.clear();
}

}  // namespace millrace::dispatch
