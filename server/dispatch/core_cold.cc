// How jobs that wait are evicted from memory, and loaded again.
#include <utility>

#include "base/check.h"
#include "dispatch/core.h"
#include "dispatch/slot.h"
#include "dispatch/weight.h"

namespace millrace::dispatch {

namespace {

// After a read that failed. A disk that fails may be well again soon; a damaged record only when somebody has restored
// it.
constexpr Nanos kReadDamagedAgain = std::chrono::minutes(1);

bool Waits(JobState state) {
  return state == JobState::kScheduled || state == JobState::kBlocked || state == JobState::kQueued;
}

}  // namespace

void Core::WriteWaiting(JobEntry& job, const EndedJob* was, Turn& turn) {
  Charge(job, HotWeight(job.record()), turn);
  if (was == nullptr) return Write(job);
  job.hot->newest_part = commits.number();
  commits.batch().Revive(job.record(), *was);
}

void Core::CheckpointChanged(JobEntry& job, Turn& turn) {
  Charge(job, HotWeight(job.record()), turn);
  if (!keeps_unfinished) return;
  job.hot->save_again = job.hot->saving;
  if (std::exchange(job.hot->saving, true)) return;
  Write(job);
  commits.Then<&Core::CheckpointCommitted>(job, job.life.claim.token);
}

void Core::CheckpointCommitted(Core& core, JobEntry& job, uint64_t token, const Status& status, Turn&) {
  if (!job.hot) return;
  job.hot->saving = false;
  const bool again = std::exchange(job.hot->save_again, false);
  // Where the attempt has ended, what was written of that has the newest one.
  if (!again || !status.ok() || job.state() != JobState::kRunning || job.life.claim.token != token) return;
  job.hot->saving = true;
  core.Write(job);
  core.commits.Then<&Core::CheckpointCommitted>(job, token);
}

bool Core::MustEvict(const JobEntry& job) const {
  if (!keeps_unfinished || job.counted) return false;
  return waiting_hot_ + job.held > options().hot_bytes_max || PayloadLeftOut(job.record());
}

void Core::LeaveOutPayload(JobEntry& job, Turn& turn) {
  JobRecord& record = job.record();
  if (!keeps_unfinished || PayloadOf(*record.spec).size() <= kLeaseInlineBytes) return;
  auto bare = std::make_shared<JobSpec>(*record.spec);
  bare->payload = nullptr;
  turn.Free(std::exchange(record.spec, std::move(bare)));
  if (job.hot->attempt != nullptr) job.hot->attempt->SetSpec(record.spec);
  Charge(job, HotWeight(record), turn);
}

void Core::KeepOrEvict(JobEntry& job, Turn& turn) {
  if (!keeps_unfinished || !job.hot || !Waits(job.state()) || job.counted || job.hot->evict_then) return;
  if (MustEvict(job)) {
    if (job.hot->newest_part <= commits.committed()) return Evict(job, turn);
    // What is to be known of it then is still to be written down, with what this Turn writes.
    if (job.hot->newest_part == commits.number()) {
      RememberOutput(*job.hot);
      job.hot->evict_then = true;
      commits.Then<&Core::WaitingCommitted>(job, job.hot->newest_part);
      return;
    }
  }
  job.counted = true;
  waiting_hot_ += job.held;
}

void Core::WaitingCommitted(Core& core, JobEntry& job, uint64_t part, const Status& status, Turn& turn) {
  // Otherwise something newer was written meanwhile.
  if (status.ok() && job.hot && job.hot->evict_then && job.hot->newest_part == part) core.Evict(job, turn);
}

void Core::Uncount(JobEntry& job) {
  if (!job.counted) return;
  job.counted = false;
  waiting_hot_ -= job.held;
}

void Core::Charge(JobEntry& job, int64_t bytes, Turn& turn) {
  const int64_t more = bytes - job.held;
  if (job.counted) waiting_hot_ += more;
  job.held = bytes;
  if (more >= 0) return budget.Hold(more);
  budget.Release(-more, turn);
}

void Core::Evict(JobEntry& job, Turn& turn) {
  MR_CHECK(Waits(job.state()) && job.hot->attempt == nullptr, "job %s went cold while it was %s",
           job.id.ToString().c_str(), ToString(job.state()));
  Uncount(job);
  Charge(job, ColdWeight(job.record()), turn);
  job.hot->live.reset();  // Now, so that whoever waits for room finds what it held.
  turn.Free(std::exchange(job.hot, nullptr));
  job.generation = ++generation_;
}

Result<std::shared_ptr<HotJob>> Core::ReadHot(const JobId& id) {
  Result<std::shared_ptr<const JobRecord>> read = journal.Read(id, Journal::Part::kWhole);
  if (!read.ok()) return read.status();
  auto hot = std::make_shared<HotJob>();
  hot->record = **read;
  hot->record.history.reserve(hot->record.history.size() + 1);  // Here rather than under the lock.
  return hot;
}

bool Core::Load(JobEntry& job, const ColdJob& cold, std::shared_ptr<HotJob>* hot, Turn& turn) {
  if (job.hot || job.generation != cold.generation || !Waits((*hot)->record.life.state)) return false;
  job.hot = std::move(*hot);
  Charge(job, HotWeight(job.record()), turn);
  JobRecord& record = job.record();
  // That it became due is not written down.
  record.life = job.life;
  if (job.state() == JobState::kQueued) record.due.reset();
  return true;
}

bool Core::StartCold(const ColdJob& cold, Result<std::shared_ptr<HotJob>>* read, Slot& slot, Turn& turn) {
  JobEntry* job = table.Find(cold.id);
  if (job == nullptr || job->in_queue != InQueue::kAside) return true;  // Cancelled meanwhile, or too late.
  Pool& pool = *job->pool;
  const bool left_out = job->hot && IsToBeRead(*job, slot);
  if ((!job->hot || left_out) && !read->ok()) {
    const bool damaged = read->status().code() != StatusCode::kUnavailable;
    if (!job->due.armed()) {
      job->damaged = damaged;
      Arm(&job->due, Alarm::Purpose::kReadAgain, turn.mono() + (damaged ? kReadDamagedAgain : kReadAgain), turn);
    }
    return damaged;
  }
  if (job->due.armed()) {  // Another worker could not read it, and rests until then.
    alarms.Disarm(&job->due);
    ServeIdleWorkers(pool, turn);
  }
  if (left_out && PayloadLeftOut(job->record())) {
    turn.Free(std::exchange(job->record().spec, (**read)->record.spec));
    Charge(*job, HotWeight(job->record()), turn);
  }
  if (!job->hot && !Load(*job, cold, &**read, turn)) {
    pool.channel.PutBack(job);
    return true;
  }
  if (!pool.may_take()) {
    pool.channel.PutBack(job);
    KeepOrEvict(*job, turn);
    return true;
  }
  pool.channel.TakeAside(job);
  turn.RoomAt(pool.gate);
  Assign(*job, slot, turn);
  return true;
}

void Core::PutBackAside(const JobId& id, Turn& turn) {
  JobEntry* job = table.Find(id);
  if (job == nullptr || job->in_queue != InQueue::kAside) return;
  job->pool->channel.PutBack(job);
  KeepOrEvict(*job, turn);
  ServeIdleWorkers(*job->pool, turn);
}

void Core::RunLate(const LateJob& late, Result<std::shared_ptr<HotJob>>* read, Turn& turn) {
  JobEntry* job = table.Find(late.cold.id);
  if (job == nullptr || IsTerminal(job->state())) return;
  if (late.purpose == Alarm::Purpose::kDeadline) return ExpireCold(*job, late.cold, read, turn);
  if (job->state() != JobState::kScheduled || job->due.armed()) return;  // Made due meanwhile.
  // Where it cannot be read its event says less, and it is ready nevertheless.
  if (!job->hot && read->ok()) Load(*job, late.cold, &**read, turn);
  MakeDue(*job, turn);
}

void Core::ExpireCold(JobEntry& job, const ColdJob& cold, Result<std::shared_ptr<HotJob>>* read, Turn& turn) {
  if (job.deadline.armed()) return;
  const bool may_load = !TooManyWaitForTheDisk();  // Others were loaded since it was decided to read this one.
  if (job.hot || (may_load && read->ok() && Load(job, cold, &**read, turn))) return PassDeadline(job, turn);
  const bool damaged = !read->ok() && read->status().code() != StatusCode::kUnavailable;
  Arm(&job.deadline, Alarm::Purpose::kDeadline, turn.wall() + (damaged ? kReadDamagedAgain : kReadAgain), turn);
}

}  // namespace millrace::dispatch
