// What clients, time and operators do to jobs and pools: the moves of core.h that core.cc, the way of a job from acceptance to its
// end, does not need.
#include <algorithm>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/worker.h"

namespace millrace::dispatch {

namespace {

std::string Seconds(Nanos time) {
  std::string text = std::to_string(std::chrono::duration<double>(time).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

}  // namespace

// ---- Verbs -----------------------------------------------------------------------------------------------------------------

Status JobNotFound(const JobId& id) {
  return NotFound("JOB_NOT_FOUND", "there is no job " + id.ToString() + "; it may have been forgotten after it ended")
      .Field("id")
      .With("job", id.ToString());
}

Status Core::WrongState(const JobEntry& job, const std::string& advice) {
  const char* state = ToString(job.visible().life.state);
  return FailedPrecondition("WRONG_STATE", "job " + job.record.id.ToString() + " is " + state + "; " + advice)
      .With("job", job.record.id.ToString())
      .With("state", state);
}

Status Core::Cancel(JobEntry& job, const std::string& reason, Turn& turn) {
  const JobState state = job.visible().life.state;
  if (IsTerminal(state)) return WrongState(job, "only a job that has not ended can be cancelled");
  const std::string error = reason.empty() ? "cancelled" : "cancelled: " + reason;
  if (state == JobState::kRunning) {
    if (job.attempt == nullptr) return OkStatus();  // Its end is being committed.
    job.record.cancel_requested = true;
    Append(job, nullptr);
    StopAttempt(job, kStopCancel, Cancelled("CANCEL_REQUESTED", error), turn);
    return OkStatus();
  }
  TakeOffQueue(job, turn);
  job.record.cancel_requested = true;
  End(job, JobState::kCancelled, job.record.life.claim, error, turn);
  return OkStatus();
}

void Core::TakeOffQueue(JobEntry& job, Turn& turn) {
  if (job.state() != JobState::kQueued) return;
  job.pool->channel.Remove(&job);
  turn.RoomAt(job.pool->gate);
}

Status Core::Retry(JobEntry& job, Turn& turn) {
  const JobState state = job.visible().life.state;
  if (state == JobState::kScheduled) {
    MakeDue(job, turn);
    return OkStatus();
  }
  if (!IsTerminal(state) || state == JobState::kSucceeded) {
    return WrongState(job, "only a SCHEDULED, FAILED, CANCELLED, EXPIRED or QUARANTINED job can be retried");
  }
  MR_RETURN_IF_ERROR(admission.CheckKeyToRetry(job.record));
  MR_RETURN_IF_ERROR(admission.CheckRoomToRetry(job));
  retention.Remove(&job);
  admission.TakeBytes(job);
  JobRecord& record = job.record;
  record.attempts = record.losses = 0;
  record.finished.reset();
  record.error.clear();
  record.cancel_requested = false;
  Move(job, JobState::kQueued, record.life.claim);
  Append(job, nullptr);
  ArmDeadline(job, turn);
  Enqueue(job, turn);
  return OkStatus();
}

Status Core::Delete(JobEntry& job, Turn& turn) {
  if (!IsTerminal(job.visible().life.state))
    return WrongState(job, "cancel it first; only a job that has ended can be deleted");
  retention.Remove(&job);
  Forget(job, turn);
  return OkStatus();
}

// ---- Time ------------------------------------------------------------------------------------------------------------------

bool Core::RunOneDue(Turn& turn) {
  Alarm* alarm = schedule.PopDue(turn.mono(), turn.wall());
  if (alarm == nullptr) {
    while (std::optional<std::string> expired = request_ids.PopExpired(turn.mono())) journal.DropRequest(*expired);
    JobEntry* old = retention.PopTrimmed(turn.mono());
    if (old != nullptr) Forget(*old, turn);
    return old != nullptr;
  }
  JobEntry& job = *alarm->job;
  if (alarm->purpose == Alarm::Purpose::kDue) {
    MakeDue(job, turn);
  } else if (alarm->purpose == Alarm::Purpose::kRunTimeout) {
    Nanos limit = Nanos(alarm->when) - job.attempt->started().time_since_epoch();
    StopAttempt(job, kStopTimeout,
                DeadlineExceeded("RUN_TIMEOUT", "the attempt ran longer than its run_timeout of " + Seconds(limit)),
                turn);
  } else if (job.state() == JobState::kRunning) {
    StopAttempt(job, kStopDeadline, DeadlineExceeded("DEADLINE", "the job's deadline passed while it was running"),
                turn);
  } else {
    TakeOffQueue(job, turn);
    End(job, JobState::kExpired, job.record.life.claim, "the job's deadline passed before it ran", turn);
  }
  return true;
}

MonoTime Core::PlanWake(Turn& turn) {
  return wakes_at_ = std::min({schedule.Next(turn.mono(), turn.wall()), retention.Next(), request_ids.Next()});
}

// ---- Pools -----------------------------------------------------------------------------------------------------------------

void Core::ServeIdleWorkers(Pool& pool, Turn& turn) {
  while (!pool.channel.empty()) {
    Worker* worker = pool.PopIdle();
    if (worker == nullptr) break;
    JobEntry* job = pool.channel.Pop();
    StartAttempt(*job, *worker, turn);
    turn.Wake(worker);
  }
  turn.RoomAt(pool.gate);
}

void Core::SetWorkers(Pool& pool, int wanted, Turn& turn) {
  pool.SetWorkersWanted(wanted, turn.mono());
  for (; pool.workers_alive < wanted && !pool.stopping; ++pool.workers_alive) {
    pool.workers_done.Add(1);
    turn.StartWorker(pool, pool.TakeNumber());
  }
  EndSurplusWorkers(pool, turn);
}

void Core::RunWorker(Pool& pool, int number) {
  runtime.Go({.name = "worker"}, [this, &pool, number] {
    {
      Worker worker(*this, pool, number);
      worker.Run();
    }
    pool.workers_done.Done();
  });
}

void Core::EndSurplusWorkers(Pool& pool, Turn& turn) {
  while (pool.surplus() && pool.idle != nullptr) {
    Worker* worker = pool.TakeOffIdle();
    worker->quit = true;
    --pool.workers_alive;
    turn.Wake(worker);
  }
}

void Core::CheckDrained(Pool& pool, Turn& turn) {
  if (!pool.draining || pool.drain_waiters.empty() || !pool.Empty()) return;
  for (Dispatcher::DrainWaiter* waiter : pool.drain_waiters) turn.Tell(waiter, pool.Look(turn.mono()));
  pool.drain_waiters.clear();
}

}  // namespace millrace::dispatch
