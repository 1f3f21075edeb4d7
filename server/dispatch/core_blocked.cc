// Jobs that wait for something beside their time and a worker.
#include "dispatch/core.h"

namespace millrace::dispatch {

void Core::Block(JobEntry& job, BlockedOn reason, Turn& turn) {
  TakeOffQueue(job, turn);
  alarms.Disarm(&job.due);
  Move(job, JobState::kBlocked, job.life.claim);
  job.blocked_on = reason;
  WriteWaiting(job, nullptr, turn);
  Announce(job, {}, turn);
  KeepOrEvict(job, turn);
}

void Core::Unblock(JobEntry& job, Turn& turn) {
  JobRecord& record = job.record();
  if (record.due && *record.due > turn.wall()) {
    Move(job, JobState::kScheduled, job.life.claim);
    ArmDue(job, record, turn);
    WriteWaiting(job, nullptr, turn);
    Announce(job, {}, turn);
    KeepOrEvict(job, turn);
    return;
  }
  record.due.reset();
  Move(job, JobState::kQueued, job.life.claim);
  WriteWaiting(job, nullptr, turn);
  Enqueue(job, turn);
}

BlockedOn Core::WaitsFor(const JobEntry& job) {
  return job.state() == JobState::kBlocked ? job.blocked_on : ReadyQueue::WaitsFor(job);
}

}  // namespace millrace::dispatch
