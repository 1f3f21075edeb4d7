// How attempts start: in a commit of their own, or in the one that accepts the job.
#include <optional>
#include <utility>

#include "base/check.h"
#include "dispatch/core.h"
#include "dispatch/slot.h"

namespace millrace::dispatch {

void Core::Occupy(JobEntry& job, Slot& slot, Turn& turn) {
  Pool& pool = *job.pool;
  if (kinds_replaced) {
    // Where the kind is gone, what it was counts: its attempt fails with the runner's word.
    const KindOptions* newest = pool.runner().FindKind(job.kind->name);
    if (newest != nullptr) job.kind = newest;
  }
  MR_CHECK(job.hot->attempt == nullptr && slot.job == nullptr, "job %s was given to two workers",
           job.id.ToString().c_str());
  Uncount(job);
  Move(job, JobState::kRunning, job.life.claim);
  JobRecord& record = job.record();
  ++record.attempts;
  if (record.history.size() == static_cast<size_t>(kAttemptsKept)) record.history.erase(record.history.begin());
  Attempt& attempt = record.history.emplace_back();
  attempt.number = job.life.claim.attempt;
  attempt.start = turn.wall();
  attempt.worker = slot.name;
  attempt.timings.queued = turn.mono() - job.queued_at;
  pool.SetBusy(pool.workers_busy + 1, turn.mono());

  slot.job = &job;
  slot.attempt.Begin(job, turn.mono());
  slot.awaits_start = true;
  job.hot->attempt = &slot.attempt;
}

void Core::StartAttempt(JobEntry& job, Slot& slot, Turn& turn) {
  Occupy(job, slot, turn);
  AnnounceStart(job, turn);
  Write(job);
  // A journal that is told of jobs that have ended only has nothing to commit.
  if (!keeps_unfinished) return StartCommitted(*this, job, job.life.claim.token, OkStatus(), turn);
  commits.Then<&Core::StartCommitted>(job, job.life.claim.token);
}

void Core::AnnounceStart(JobEntry& job, Turn& turn) {
  job.pool->wait_seconds.Observe(std::chrono::duration<double>(job.record().history.back().timings.queued).count());
  Announce(job, {}, turn);
}

void Core::StartCommitted(Core& core, JobEntry& job, uint64_t token, const Status& status, Turn& turn) {
  // Its end is committed after its start, so the job is still there; but it may have been handed back without one.
  if (!status.ok() || job.life.claim.token != token || job.state() != JobState::kRunning) return;
  Slot& slot = job.hot->attempt->slot();
  if (!std::exchange(slot.awaits_start, false)) return;
  if (slot.leased) return core.leases.Started(static_cast<LeaseSlot&>(slot), turn);
  core.StopIfLate(job, turn);
  core.ArmRunTimeout(job, Nanos(0), turn);
  turn.Wake(&slot);
}

// ---- In the commit that accepts the job

bool Core::StartAhead(JobEntry& job, Turn& turn) {
  Pool& pool = *job.pool;
  // Whoever was accepted before and has yet to come into line has a better right to a slot. Nobody in line has: a slot
  // is free only where none of them can use it.
  if (pool.channel.reserved_jobs() > 0) return false;
  if ((job.ties != nullptr && !job.ties->permits.empty()) || TooLate(job, turn)) return false;
  // A start gives such a key to others, who would keep it if the start were taken back.
  const std::optional<UniqueKey>& key = job.record().spec->unique_key;
  if (key && key->scope == UniqueScope::kWhileQueued) return false;
  Slot* const slot = pool.leased ? leases.SlotFor(job, /*save=*/false) : pool.PopIdle();
  if (slot == nullptr) return false;
  job.queued_at = turn.mono();
  job.queued_wall = turn.wall();
  pool.channel.Number(&job);  // Its place, should it be handed back.
  Occupy(job, *slot, turn);
  job.hot->newest_part = commits.number();
  turn.RoomAt(pool.gate);  // It takes no place there.
  return true;
}

void Core::PublishStarted(JobEntry& job, Turn& turn) {
  EventLog::Source queued = job.source();
  queued.attempt = 0;  // Before its first attempt.
  events.RecordState(queued, turn.wall(), JobState::kQueued, {});
  AnnounceStart(job, turn);
  StartCommitted(*this, job, job.life.claim.token, OkStatus(), turn);
}

void Core::DropStart(JobEntry& job, Turn& turn) {
  Slot& slot = std::exchange(job.hot->attempt, nullptr)->slot();
  Pool& pool = *job.pool;
  JobRecord& record = job.record();
  --record.attempts;
  record.history.pop_back();
  Move(job, JobState::kQueued, job.life.claim);
  pool.channel.Reserve(1, job.bytes);
  job.in_queue = InQueue::kReserved;
  slot.job = nullptr;
  slot.awaits_start = false;
  pool.SetBusy(pool.workers_busy - 1, turn.mono());
  if (slot.leased) return leases.DropSlot(static_cast<LeaseSlot&>(slot), turn);
  pool.PushIdle(&slot);
  EndSurplusWorkers(pool, turn);
}

}  // namespace millrace::dispatch
