// Where there is room for what, and what a submit is told that finds none.
#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "base/check.h"
#include "dispatch/core.h"
#include "job/validate.h"

namespace millrace::dispatch {

namespace {

// A job that waits for its time takes no place in its pool's channel yet.
bool NeedsPlace(const JobSpec& spec, WallTime now) {
  return !(spec.delay && *spec.delay > Nanos(0)) && !(spec.run_at && *spec.run_at > now);
}

}  // namespace

void Admission::Join(Gate& gate, Submission& submission, SubmitResult refused_as, Turn& turn) {
  int64_t bytes = kWaitingCallBytes;
  for (const auto& job : submission.jobs_) {
    if (job) bytes += job->held;
  }
  if (waiting_bytes_ + bytes > core_.options().waiting_bytes_max) {
    return Refuse(submission, refused_as, WaitingFull(turn), turn);
  }
  waiting_bytes_ += bytes;
  submission.waiting_bytes_ = bytes;
  gate.Join(&submission);
  WatchDeadline(submission, turn);
}

void Admission::Leave(Submission& submission) {
  waiting_bytes_ -= std::exchange(submission.waiting_bytes_, 0);
  submission.gate_->Leave(&submission);
  ForgetDeadline(submission);
}

Admission::Decision Admission::ReserveRoom(Submission& submission, bool arriving, Turn& turn) {
  int64_t process_bytes = 0;
  Decision decision;
  for (const auto& job : submission.jobs_) {
    if (!job) continue;
    process_bytes += job->held;
    if (!NeedsPlace(*job->record().spec, turn.wall())) continue;
    Pool& pool = *job->pool;
    // Whoever stood in line at another pool has not stood in line here.
    const bool may_be_first = submission.gate_ == &pool.gate || submission.gate_ == &core_.budget.gate();
    if ((!may_be_first && !pool.gate.empty()) || !pool.HasRoom(1, job->bytes)) {
      decision = {.gate = &pool.gate, .pool = &pool};
      break;
    }
    KeepPlace(*job);
  }
  const bool from_process_gate = submission.gate_ == &core_.budget.gate();
  if (decision.gate == nullptr && process_bytes > 0 &&
      ((!from_process_gate && !core_.budget.gate().empty()) ||
       !core_.budget.HasRoom(process_bytes, core_.options().process_bytes_max))) {
    decision = {.gate = &core_.budget.gate(), .bytes = process_bytes};
  }
  if (decision.gate == nullptr) {
    core_.budget.Hold(process_bytes);
    return decision;
  }
  GiveBackPlaces(submission);
  // Later only where nothing else can help it any more: its pool may have become smaller.
  if (arriving || (decision.pool != nullptr && decision.pool->Empty())) {
    if (Status status = CheckCouldFit(submission, turn); !status.ok()) return {.refusal = std::move(status)};
  }
  return decision;
}

Status Admission::CheckCouldFit(const Submission& submission, Turn& turn) const {
  struct Need {
    int64_t jobs = 0, bytes = 0;
  };
  std::map<const Pool*, Need> needs;
  int64_t process_bytes = 0;
  for (const auto& job : submission.jobs_) {
    if (!job) continue;
    process_bytes += job->held;
    if (!NeedsPlace(*job->record().spec, turn.wall())) continue;
    Need& need = needs[job->pool];
    ++need.jobs;
    need.bytes += job->bytes;
  }
  for (const auto& [pool, need] : needs) {
    if (pool->CouldHold(need.jobs, need.bytes)) continue;
    return InvalidArgument("LARGER_THAN_POOL", std::to_string(need.jobs) + " jobs with " + std::to_string(need.bytes) +
                                                   " bytes never fit into pool '" + pool->name() +
                                                   "' at once, even when it is empty; send fewer, or enlarge the pool")
        .With("pool", pool->name())
        .With("jobs", need.jobs)
        .With("bytes", need.bytes)
        .With("capacity_jobs", pool->channel.capacity_jobs())
        .With("capacity_bytes", pool->channel.capacity_bytes());
  }
  if (process_bytes <= core_.options().process_bytes_max) return OkStatus();
  return InvalidArgument("LARGER_THAN_PROCESS",
                         std::to_string(process_bytes) + " bytes never fit into the process' budget of " +
                             std::to_string(core_.options().process_bytes_max) + " bytes; send fewer jobs")
      .With("bytes", process_bytes)
      .With("capacity_bytes", core_.options().process_bytes_max);
}

Status Admission::FullStatus(const Decision& decision, Turn& turn) {
  if (decision.pool == nullptr) return ProcessFull(decision.bytes, /*may_wait=*/true, turn);
  return decision.pool->FullStatus(decision.pool->RetryDelay(turn.mono(), core_.Random()), /*may_wait=*/true);
}

Status Admission::ProcessFull(int64_t bytes, bool may_wait, Turn& turn) {
  // How fast bytes come free nobody knows, as their jobs may be of any pool.
  constexpr Nanos kInterval = std::chrono::milliseconds(5);
  const auto delay = std::chrono::ceil<std::chrono::milliseconds>(
      std::chrono::milliseconds(100) + retry_slots_.Next(turn.mono(), kInterval, core_.Random()));
  return ResourceExhausted("PROCESS_FULL", "the daemon holds " + std::to_string(core_.budget.bytes()) + " of " +
                                               std::to_string(core_.options().process_bytes_max) +
                                               " bytes of unfinished jobs; " + std::to_string(bytes) +
                                               " more do not fit; retry after " + std::to_string(delay.count()) +
                                               " ms" + (may_wait ? ", or submit with on_full: ON_FULL_WAIT" : ""))
      .With("depth_bytes", core_.budget.bytes())
      .With("capacity_bytes", core_.options().process_bytes_max)
      .With("bytes", bytes)
      .RetryAfter(delay);
}

Status Admission::WaitingFull(Turn& turn) {
  constexpr Nanos kInterval = std::chrono::milliseconds(5);
  const auto delay = std::chrono::ceil<std::chrono::milliseconds>(
      std::chrono::seconds(1) + retry_slots_.Next(turn.mono(), kInterval, core_.Random()));
  return ResourceExhausted("WAITING_FULL", "submits that wait for room hold " + std::to_string(waiting_bytes_) +
                                               " of " + std::to_string(core_.options().waiting_bytes_max) +
                                               " bytes already, so this one cannot wait as well; repeat it later")
      .With("depth_bytes", waiting_bytes_)
      .With("capacity_bytes", core_.options().waiting_bytes_max)
      .RetryAfter(delay);
}

void Admission::KeepPlace(JobEntry& job) {
  job.pool->channel.Reserve(1, job.bytes);
  job.in_queue = InQueue::kReserved;
}

void Admission::GiveBackPlaces(Submission& submission) {
  for (const auto& job : submission.jobs_) {
    if (!job || job->in_queue != InQueue::kReserved) continue;
    job->pool->channel.Unreserve(1, job->bytes);
    job->in_queue = InQueue::kNo;
  }
}

Status Admission::CheckRoomToRetry(const JobEntry& job, int64_t bytes, Turn& turn) {
  if (core_.draining) return ShuttingDown();
  MR_RETURN_IF_ERROR(job.pool->CheckAccepting());
  if (!job.pool->gate.empty() || !job.pool->HasRoom(1, job.bytes)) {
    // Nothing comes free of a paused one before its operator does something.
    const Nanos frees_in = job.pool->paused ? job.pool->RetryDelay(turn.mono(), core_.Random())
                                            : std::max(job.pool->PlaceFreesIn(), RetrySlots::kLeast);
    return job.pool->FullStatus(frees_in, /*may_wait=*/false);
  }
  return core_.budget.HasRoom(bytes, core_.options().process_bytes_max) ? OkStatus()
                                                                        : ProcessFull(bytes, /*may_wait=*/false, turn);
}

}  // namespace millrace::dispatch
