#include "dispatch/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "dispatch/slot.h"
#include "dispatch/weight.h"
#include "job/fingerprint.h"

namespace millrace::dispatch {

namespace {

uint64_t SeedFrom(const DispatcherOptions& options, const Clock& clock) {
  if (options.seed != 0) return options.seed;
  return static_cast<uint64_t>(clock.Wall().time_since_epoch().count()) | 1;
}

}  // namespace

Core::Core(Dispatcher::Dependencies dependencies, const DispatcherOptions& chosen)
    : runtime(dependencies.runtime),
      clock(dependencies.clock),
      journal(dependencies.journal),
      pool_memory(dependencies.pool_memory),
      store_lost_door(std::move(dependencies.store_lost)),
      commits_at_once(dependencies.journal.CommitsAtOnce()),
      keeps_unfinished(dependencies.journal.KeepsUnfinished()),
      runners(std::move(dependencies.runners)),
      retention({chosen.finished_age_max, chosen.finished_jobs_max, chosen.finished_bytes_max},
                {chosen.dead_letter_age_max, chosen.dead_letter_jobs_max, chosen.dead_letter_bytes_max},
                {.age = chosen.finished_age_min}),
      request_ids(chosen.request_ids_bytes_max),
      leases(*this),
      admission(*this),
      commits(*this),
      events(chosen.events_kept, static_cast<uint64_t>(clock.Wall().time_since_epoch().count())),
      ids(clock),
      options_(chosen),
      random_(SeedFrom(chosen, clock)),
      // Tokens of an earlier run of the daemon are below those of this one.
      last_token_(static_cast<uint64_t>(clock.Wall().time_since_epoch().count())) {}

Core::~Core() = default;

Pool* Core::FindPool(std::string_view name) const { return pools.Find(name); }

Runner* Core::FindRunner(std::string_view name) const {
  auto found =
      std::find_if(runners.begin(), runners.end(), [&](const Runner* runner) { return runner->name() == name; });
  return found == runners.end() ? nullptr : *found;
}

std::string Core::PoolNames() const {
  std::string names;
  for (const auto& [name, pool] : pools.All()) {
    if (!pool->missing) names += (names.empty() ? "'" : ", '") + name + "'";
  }
  return names.empty() ? "none" : names;
}

Status JobNotFound(const JobId& id) {
  return NotFound("JOB_NOT_FOUND", "there is no job " + id.ToString() + "; it may have been forgotten after it ended")
      .Field("id")
      .With("job", id.ToString());
}

double Core::Random() { return std::uniform_real_distribution<double>()(random_); }

// ---- Small steps ----------------------------------------------------------------------------------------------------

void Core::Move(JobEntry& job, JobState to, const Claim& by) {
  const JobState from = job.state();
  uint64_t token = to == JobState::kRunning ? ++last_token_ : 0;
  // Everybody who moves a job has looked at its state in the same turn, and no attempt of a local worker is ever given
  // up while it runs, so a refusal is a bug of ours.
  Status moved = Transition(job.id, &job.life, to, by, token);
  MR_CHECK(moved.ok(), "%s", moved.ToString().c_str());
  if (job.hot) job.record().life = job.life;
  --jobs[static_cast<size_t>(from)];
  ++jobs[static_cast<size_t>(to)];
  if (from == JobState::kScheduled) --job.pool->scheduled_jobs;
  if (to == JobState::kScheduled) ++job.pool->scheduled_jobs;
  if (from == JobState::kBlocked) {
    --job.pool->blocked_jobs;
    job.blocked_on = BlockedOn::kNothing;
  }
  if (to == JobState::kBlocked) ++job.pool->blocked_jobs;
  // The one place where a job that was given its permits gives them back, but for one that never left the queue.
  if (to != JobState::kRunning) Permits::GiveBack(job);
  if (UniqueKeys::Matters(from, to)) unique_keys.Moved(job.id, *job.record().spec, from, to);
}

void Core::Write(JobEntry& job) {
  job.hot->newest_part = commits.number();
  job.hot->evict_then = false;
  if (keeps_unfinished) commits.batch().Change(job.record());
}

void Core::Announce(const JobEntry& job, std::string_view error, Turn& turn) {
  events.RecordState(job.source(), turn.wall(), job.state(), error);
  turn.NotifyWatchers();
}

// ---- Accepted -------------------------------------------------------------------------------------------------------

void Core::Draft(JobEntry& job, Turn& turn) {
  JobRecord& record = job.record();
  record.id = job.id;
  record.created = job.created = turn.wall();
  unique_keys.Add(job.id, *record.spec, JobState::kScheduled);
  ++jobs[static_cast<size_t>(JobState::kScheduled)];
  ++job.pool->scheduled_jobs;
  const JobSpec& spec = *record.spec;
  if (spec.delay && *spec.delay > Nanos(0)) {
    record.due = Later(turn.wall(), *spec.delay);
  } else if (spec.run_at && *spec.run_at > turn.wall()) {
    record.due = *spec.run_at;
  } else {
    Move(job, JobState::kQueued, job.life.claim);
  }
}

void Core::Publish(JobEntry& job, Turn& turn) {
  job.hidden = false;
  ArmDeadline(job, job.record(), turn);
  if (job.state() == JobState::kRunning) return PublishStarted(job, turn);
  if (job.state() == JobState::kQueued) {
    if (job.life.claim.attempt > 0) WriteWaiting(job, nullptr, turn);  // It was accepted as RUNNING.
    return Enqueue(job, turn);
  }
  const JobSpec& spec = *job.record().spec;
  if (spec.run_at) {
    Arm(&job.due, Alarm::Purpose::kDue, *spec.run_at, turn);
  } else {
    Arm(&job.due, Alarm::Purpose::kDue, Later(turn.mono(), *spec.delay), turn);
  }
  Announce(job, {}, turn);
  KeepOrEvict(job, turn);
}

void Core::DropDraft(JobEntry& job, Turn& turn) {
  --jobs[static_cast<size_t>(job.state())];
  if (job.state() == JobState::kScheduled) --job.pool->scheduled_jobs;
  Charge(job, 0, turn);
  request_ids.Remove(job.record().request_id);
  unique_keys.Remove(job.id, *job.record().spec);
  ServeIdleWorkers(*job.pool, turn);
  Pool& pool = *job.pool;
  turn.Free(table.Erase(job.id));
  CheckDrained(pool, turn);
}

// ---- Ready and running ----------------------------------------------------------------------------------------------

void Core::Enqueue(JobEntry& job, Turn& turn) {
  job.queued_at = turn.mono();
  job.queued_wall = turn.wall();
  Announce(job, {}, turn);
  if (job.ties != nullptr && !job.ties->permits.empty()) {  // What it needs is asked for in the queue.
    job.pool->channel.Push(&job);
    KeepOrEvict(job, turn);
    return ServeIdleWorkers(*job.pool, turn);
  }
  job.pool->channel.Number(&job);  // It may be set aside without a Push.
  if (Slot* slot = job.pool->leased ? leases.SlotFor(job, /*save=*/true) : job.pool->PopIdle()) {
    // A job that is too late is gone now.
    Pool& pool = *job.pool;
    if (Assign(job, *slot, turn)) return turn.Wake(slot);
    if (slot->leased) return leases.PutSlot(static_cast<LeaseSlot&>(*slot));
    pool.PushIdle(slot);
    ServeIdleWorkers(pool, turn);  // It was kept for this job while others came into line.
  } else {
    job.pool->channel.Push(&job);
    KeepOrEvict(job, turn);
    if (job.pool->leased) leases.ServeSavers(job.kind->name, turn);
  }
}

void Core::EnqueueAgain(JobEntry& job, Turn& turn) {
  const MonoTime since = job.queued_at;
  const WallTime since_wall = job.queued_wall;
  if (Pool& pool = *job.pool; pool.channel.anyone_in_line() || !pool.may_take()) {
    Announce(job, {}, turn);
    pool.channel.PushAgain(&job);
    KeepOrEvict(job, turn);
    ServeIdleWorkers(pool, turn);
  } else {
    Enqueue(job, turn);
  }
  job.queued_at = since;
  job.queued_wall = since_wall;
}

void Core::MakeDue(JobEntry& job, Turn& turn) {
  alarms.Disarm(&job.due);
  // Not written down: after a restart its time has come as well.
  if (job.hot) job.record().due.reset();
  Move(job, JobState::kQueued, job.life.claim);
  Enqueue(job, turn);
}

bool Core::Assign(JobEntry& job, Slot& slot, Turn& turn) {
  if (IsToBeRead(job, slot)) {
    job.pool->channel.SetAside(&job);
    slot.cold = {job.id, job.generation};
    return true;
  }
  if (TooLate(job, turn)) {
    KeepLastCommitted(job);
    End(job, JobState::kExpired, job.life.claim, kTooLate, turn);
    return false;
  }
  StartAttempt(job, slot, turn);
  return true;
}

bool Core::AssignNext(Pool& pool, Slot& slot, Taker& taker, Turn& turn) {
  while (JobEntry* job = pool.channel.Pop(taker)) {
    turn.RoomAt(pool.gate);
    if (Assign(*job, slot, turn)) return true;
  }
  return false;
}

bool Core::TooLate(const JobEntry& job, Turn& turn) {
  const JobRecord& record = job.record();
  return record.spec->deadline && !record.deadline_waived && *record.spec->deadline <= turn.wall();
}

Status Core::Finish(const JobId& id, const Claim& by, FinishedAttempt&& finished, Turn& turn) {
  JobEntry* job = table.Find(id);
  return job != nullptr ? Finish(*job, by, std::move(finished), turn) : LeaseLost({.job = id, .claim = by});
}

Status Core::Finish(JobEntry& job, const Claim& by, FinishedAttempt&& finished, Turn& turn) {
  if (job.state() != JobState::kRunning || job.life.claim != by) return LeaseLost({.job = job.id, .claim = by});
  AttemptOutcome& outcome = finished.outcome;
  const RunningAttempt& attempt = *std::exchange(job.hot->attempt, nullptr);
  attempt.slot().job = nullptr;
  alarms.Disarm(&job.due);
  Pool& pool = *job.pool;
  const KindOptions& kind = *job.kind;
  pool.SetBusy(pool.workers_busy - 1, turn.mono());

  Attempt& entry = job.record().history.back();
  Nanos queued = entry.timings.queued;
  entry.timings = finished.timings;
  entry.timings.queued = queued;
  entry.exit_code = outcome.exit_code;
  AttemptFacts facts{.result = outcome.result,
                     .error = std::move(outcome.error),
                     .do_not_retry = outcome.do_not_retry,
                     .retry_after = outcome.retry_after,
                     .not_started = outcome.not_started,
                     .stopped = attempt.stopped(),
                     .stop_reason = attempt.stop_reason(),
                     .no_retry_after_start = attempt.begun()};
  MonoTime started = attempt.started();
  AttemptResult result = Conclude(job, attempt.claim(), std::move(facts), std::move(finished.output), turn);
  if (outcome.not_started) {
    pool.CountRefusedStart();
  } else {
    pool.CountAttempt(kind, result, finished.timings, started, turn.mono());
  }
  if (draining) ++(result == AttemptResult::kReleased ? released : ended_while_draining);
  CheckDrained(pool, turn);
  return OkStatus();
}

AttemptResult Core::Conclude(JobEntry& job, const Claim& by, AttemptFacts facts, Bytes output, Turn& turn) {
  JobRecord& record = job.record();
  facts.attempts = record.attempts;
  facts.losses = record.losses;
  facts.losses_max = options().losses_max;
  facts.no_retry_after_start = facts.no_retry_after_start && record.spec->no_retry_after_start;
  if (facts.result != AttemptResult::kSucceeded || facts.not_started || facts.stopped != kStopNone) {
    facts.retry = ResolveRetry(record.spec->retry, job.kind->retry);
    facts.random = Random();
  }
  const bool not_started = facts.not_started;
  Verdict verdict = Judge(std::move(facts));
  if (IsTerminal(verdict.next)) KeepLastCommitted(job);
  if (!record.history.empty()) {
    record.history.back().end = turn.wall();
    record.history.back().result = verdict.result;
    record.history.back().error = verdict.error;
  }
  if (!verdict.counted) --record.attempts;
  // The attempts that are kept are those that ran; a long shortage must not push them out. record.error tells of it.
  if (not_started && !IsTerminal(verdict.next)) record.history.pop_back();
  if (verdict.lost) ++record.losses;
  if (IsTerminal(verdict.next)) {
    if (verdict.next == JobState::kSucceeded) {
      SetResult(std::move(output), &record);
      record.checkpoint.reset();
    }
    End(job, verdict.next, by, std::move(verdict.error), turn);
    return verdict.result;
  }
  record.error = verdict.error;
  Move(job, verdict.next, by);
  if (verdict.next == JobState::kScheduled) {
    record.due = Later(turn.wall(), verdict.delay);
    Arm(&job.due, Alarm::Purpose::kDue, Later(turn.mono(), verdict.delay), turn);
    WriteWaiting(job, nullptr, turn);
    Announce(job, record.error, turn);
    KeepOrEvict(job, turn);
  } else {
    WriteWaiting(job, nullptr, turn);
    if (job.pool->leased && verdict.result == AttemptResult::kReleased) {
      EnqueueAgain(job, turn);
    } else {
      Enqueue(job, turn);
    }
  }
  return verdict.result;
}

// ---- Ended ----------------------------------------------------------------------------------------------------------

void Core::RememberOutput(HotJob& hot) {
  if (!hot.live) return;
  JobRecord& record = hot.record;
  record.progress = hot.live->ReadProgress();
  rt::LockGuard guard(hot.live->lock);
  record.log_bytes = hot.live->log.bytes_ever();
  if (record.log_bytes > 0) record.log_tail = MakeBytes(hot.live->log.Content());
}

void Core::KeepLastCommitted(JobEntry& job) const {
  if (!commits_at_once) job.hot->last_committed = std::make_unique<JobRecord>(job.record());
}

void Core::End(JobEntry& job, JobState state, const Claim& by, std::string error, Turn& turn) {
  JobRecord& record = job.record();
  alarms.Disarm(&job.due);
  alarms.Disarm(&job.deadline);
  Uncount(job);
  Move(job, state, by);
  record.error = std::move(error);
  record.finished = turn.wall();
  record.due.reset();
  RememberOutput(*job.hot);
  // With result and log, until its end is committed.
  if (!commits_at_once) Charge(job, HotWeight(record), turn);
  job.hot->newest_part = commits.number();
  job.hot->evict_then = false;  // It may have waited again earlier in this Turn.
  commits.batch().End(job.shared_record());
  commits.Then<&Core::EndCommitted>(job);
  ++job.pool->unsettled_jobs;
}

void Core::EndCommitted(Core& core, JobEntry& job, uint64_t, const Status& status, Turn& turn) {
  // Not committed: nobody is told that it has ended. Another daemon owns it now, and runs it again.
  if (!status.ok()) return;
  --job.pool->unsettled_jobs;
  core.CompleteEnd(job, turn);
}

void Core::CompleteEnd(JobEntry& job, Turn& turn) {
  const JobRecord& record = job.record();
  Pool& pool = *job.pool;
  job.hot->last_committed.reset();
  job.hot->live.reset();
  pool.kinds.CountEnd(*job.kind, job.state());
  Charge(job, 0, turn);
  unique_keys.Remove(job.id, *record.spec);
  Announce(job, record.error, turn);
  for (JobWaiter* waiter = std::exchange(job.waiters, nullptr); waiter != nullptr; waiter = waiter->next_) {
    turn.Tell(waiter, job.shared_record());
  }
  const std::string* request_id =
      record.request_id.empty() ? nullptr : request_ids.JobEnded(record.request_id, job.state());
  // These texts count too, with every journal: the memory journal keeps them. After a restart they do not.
  EndedJob ended = EndedOf(record);
  ended.bytes += TextsWeight(*record.spec);
  retention.Add({ended, request_id}, turn.mono());
  turn.Free(table.Erase(job.id));
  // One comes and one goes. Where more must go, for a large one or since a limit was lowered, the timekeeper sees to
  // them in steps.
  if (std::optional<Retention::Kept> old = retention.PopTrimmed(turn.mono())) Forget(*old, turn);
  SetBy(trim_, retention.Next(), turn);
  CheckDrained(pool, turn);
}

void Core::Forget(const Retention::Kept& kept, Turn& turn) {
  --jobs[static_cast<size_t>(kept.job.state)];
  if (kept.request_id == nullptr) return commits.batch().Forget(kept.job, nullptr);
  request_ids.JobForgotten(*kept.request_id, turn.mono());
  commits.batch().Forget(kept.job, std::make_unique<const SpentRequest>(
                                       SpentRequest{.request_id = *kept.request_id,
                                                    .job = kept.job.id,
                                                    .fingerprint = request_ids.Find(*kept.request_id)->fingerprint,
                                                    .final_state = kept.job.state,
                                                    .until = turn.wall() + RequestIds::kKeptAfter}));
  // One comes and, where there is no room, one goes.
  if (std::optional<std::string> gone = request_ids.PopExpired(turn.mono())) {
    commits.batch().DropRequest(*std::move(gone));
  }
  SetBy(drop_requests_, request_ids.Next(), turn);
}

}  // namespace millrace::dispatch
