// What a dispatcher makes of what the journal holds when it starts.
#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/weight.h"

namespace millrace::dispatch {

namespace {

// Since when a QUEUED job is in its queue. nullopt: it has run before, and when it came back into the queue was not
// written down.
std::optional<WallTime> QueuedSince(const JobRecord& record) {
  if (record.life.claim.attempt > 0) return std::nullopt;
  const JobSpec& spec = *record.spec;
  return std::max(Later(record.created, spec.delay.value_or(Nanos(0))), spec.run_at.value_or(record.created));
}

// How long a SCHEDULED job was to wait when that began, if it is to wait for a time, not until one. Both ends are
// times of the same wall clock, so the difference holds whatever was done to the clock since.
Nanos WaitAtFirst(const JobRecord& record, WallTime due) {
  if (record.life.claim.attempt == 0) return record.spec->delay.value_or(Nanos(0));
  const bool ended = !record.history.empty() && record.history.back().end;
  return std::max(due - (ended ? *record.history.back().end : record.created), Nanos(0));
}

}  // namespace

Result<std::shared_ptr<JobEntry>> Core::MakeEntry(const JobRecord& record) {
  auto job = std::make_shared<JobEntry>();
  const JobSpec& spec = *record.spec;
  job->pool = FindPool(spec.pool);
  if (job->pool == nullptr) {
    return PoolNotConfigured(spec.pool, "job " + record.id.ToString() + " cannot be put back")
        .With("job", record.id.ToString());
  }
  job->kind = job->pool->runner().FindKind(spec.kind);
  if (job->kind == nullptr) {
    // It is not lost: its attempts fail with the runner's word until the kind is back or it is a dead letter.
    job->kind = &unknown_kinds_.try_emplace(spec.kind, KindOptions{.name = spec.kind}).first->second;
  }
  job->labelled = !spec.labels.empty() || !spec.placement.prefer.empty();
  if (!spec.placement.require.empty()) job->ties = TiesOf(spec.placement);
  job->id = record.id;
  job->life = record.life;
  job->created = record.created;
  job->band = spec.band;
  job->bytes = static_cast<uint32_t>(record.payload_bytes);
  // Tokens of later attempts are above all there were.
  last_token_ = std::max(last_token_, record.life.claim.token);
  return job;
}

Status Core::Recover(JobRecord record, std::vector<JobEntry*>* ready, Turn& turn) {
  if (const std::string& pool = record.spec->pool; FindPool(pool) == nullptr) {
    pools.Add(std::make_unique<Pool>(MissingPoolOptions(pool), missing_runner_, turn.mono(), /*is_missing=*/true));
  }
  Result<std::shared_ptr<JobEntry>> made = MakeEntry(record);
  if (!made.ok()) return made.status();
  JobEntry& job = **made;
  ids.StartAbove(job.id);  // The clock may have been set back since.
  table.Insert(job.id, *std::move(made));
  if (!record.request_id.empty()) {
    request_ids.Add(record.request_id, {.job = job.id, .fingerprint = record.fingerprint});
  }
  unique_keys.Add(job.id, *record.spec, job.state());
  ++jobs[static_cast<size_t>(job.state())];
  if (job.state() == JobState::kScheduled) ++job.pool->scheduled_jobs;
  ArmDeadline(job, record, turn);
  if (job.state() == JobState::kRunning) {
    job.hot = std::make_shared<HotJob>();
    job.record() = std::move(record);
    if (job.pool->leased) LeaveOutPayload(job, turn);  // At once: all of them may not fit.
    Charge(job, HotWeight(job.record()), turn);
    ready->push_back(&job);
    return OkStatus();
  }
  Charge(job, ColdWeight(record), turn);
  if (job.state() == JobState::kQueued) {
    job.queued_wall = QueuedSince(record).value_or(turn.wall());
    ready->push_back(&job);
    return OkStatus();
  }
  if (job.state() == JobState::kBlocked) {
    ++job.pool->blocked_jobs;
    job.blocked_on = BlockedOn::kUnknown;
    return OkStatus();
  }
  ArmDue(job, record, turn);
  return OkStatus();
}

void Core::ArmDue(JobEntry& job, const JobRecord& record, Turn& turn) {
  const WallTime due = record.due.value_or(turn.wall());
  if (record.spec->run_at && record.life.claim.attempt == 0) {
    Arm(&job.due, Alarm::Purpose::kDue, due, turn);
  } else {
    const Nanos left = std::min(due - turn.wall(), WaitAtFirst(record, due));
    Arm(&job.due, Alarm::Purpose::kDue, Later(turn.mono(), left), turn);
  }
}

void Core::RecoverReady(JobEntry& job, Turn& turn) {
  if (job.state() == JobState::kQueued) {
    const WallTime since = job.queued_wall;
    Enqueue(job, turn);
    job.queued_wall = since;
    job.queued_at = turn.mono() - std::max(Nanos(0), turn.wall() - since);
    return;
  }
  if (job.pool->leased) return leases.Recover(job, turn);
  // Its attempt died with the daemon. Whoever had asked for its cancellation was told that it would come.
  AttemptFacts facts{.result = AttemptResult::kLost,
                     .error = "the daemon ended while the attempt was running",
                     .no_retry_after_start = true};
  if (job.record().cancel_requested) {
    facts.stopped = kStopCancel;
    facts.stop_reason = "cancelled; the daemon ended before the attempt did";
  }
  KindCounts& kinds = job.pool->kinds;
  const KindOptions& kind = *job.kind;
  // How long it ran with the earlier daemon is not known.
  kinds.CountAttempt(kind, Conclude(job, job.life.claim, std::move(facts), nullptr, turn));
}

void Core::RecoverEnded(const std::vector<EndedJob>& ended, std::vector<SpentRequest> requests, Turn& turn) {
  std::stable_sort(requests.begin(), requests.end(),
                   [](const SpentRequest& a, const SpentRequest& b) { return a.until < b.until; });
  // More than there is room for may have come together under another setting: the oldest are not taken in at all.
  int64_t leaving = 0;
  for (const SpentRequest& request : requests) leaving += request.until ? RequestIdWeight(request.request_id) : 0;
  std::unordered_map<JobId, const std::string*> of_job;
  for (const SpentRequest& request : requests) {
    const RequestIds::Entry entry{
        .job = request.job, .fingerprint = request.fingerprint, .final_state = request.final_state};
    if (request.until && leaving > options().request_ids_bytes_max) {
      leaving -= RequestIdWeight(request.request_id);
      request_ids.CountDropped();
      commits.batch().DropRequest(request.request_id);
    } else if (request.until) {
      // As for the ages below: the clock may have been set back since.
      const Nanos left = std::min(*request.until - turn.wall(), RequestIds::kKeptAfter);
      request_ids.AddForgotten(request.request_id, entry, turn.mono() + left);
    } else if (table.Find(request.job) == nullptr) {  // Else it lives again.
      of_job[request.job] = request_ids.Add(request.request_id, entry);
    }
  }
  for (const EndedJob& job : ended) {
    ids.StartAbove(job.id);
    ++jobs[static_cast<size_t>(job.state)];
    auto request = of_job.find(job.id);
    retention.Add({job, request != of_job.end() ? request->second : nullptr},
                  turn.mono() - std::max(turn.wall() - job.finished, Nanos(0)));
  }
  SetBy(trim_, retention.Next(), turn);
  SetBy(drop_requests_, request_ids.Next(), turn);
}

}  // namespace millrace::dispatch
