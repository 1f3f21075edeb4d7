#include "dispatch/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "dispatch/worker.h"
#include "job/fingerprint.h"

namespace millrace::dispatch {

namespace {

uint64_t SeedFrom(const DispatcherOptions& options, const Clock& clock) {
  if (options.seed != 0) return options.seed;
  return static_cast<uint64_t>(clock.Wall().time_since_epoch().count()) | 1;
}

}  // namespace

// The journal has yet to commit how a job ended. Deletes itself.
class EndCommit final : public Journal::Waiter {
 public:
  EndCommit(Core& core, JobEntry& job) : core_(core), job_(job) {}
  void OnCommitted(const Status& status) override {
    MR_CHECK(status.ok(), "the journal gave up a job it had accepted: %s", status.ToString().c_str());
    std::unique_ptr<EndCommit> self(this);
    Turn turn(core_);
    --job_.pool->unsettled_jobs;
    core_.CompleteEnd(job_, turn);
  }

 private:
  Core& core_;
  JobEntry& job_;
};

Core::Core(Dispatcher::Dependencies dependencies, const DispatcherOptions& chosen)
    : runtime(dependencies.runtime),
      clock(dependencies.clock),
      journal(dependencies.journal),
      options(chosen),
      commits_at_once(dependencies.journal.CommitsAtOnce()),
      runners(std::move(dependencies.runners)),
      retention({chosen.finished_age_max, chosen.finished_jobs_max, chosen.finished_bytes_max},
                {chosen.dead_letter_age_max, chosen.dead_letter_jobs_max, chosen.dead_letter_bytes_max}),
      admission(*this),
      events(chosen.events_kept, static_cast<uint64_t>(clock.Wall().time_since_epoch().count())),
      ids(clock),
      random_(SeedFrom(chosen, clock)),
      // Tokens of an earlier run of the daemon are below those of this one.
      last_token_(static_cast<uint64_t>(clock.Wall().time_since_epoch().count())) {}

Core::~Core() = default;

Pool* Core::FindPool(std::string_view name) const {
  auto found = pools.find(name);
  return found == pools.end() ? nullptr : found->second.get();
}

Runner* Core::FindRunner(std::string_view name) const {
  auto found =
      std::find_if(runners.begin(), runners.end(), [&](const Runner* runner) { return runner->name() == name; });
  return found == runners.end() ? nullptr : *found;
}

std::string Core::PoolNames() const {
  std::string names;
  for (const auto& [name, pool] : pools) names += (names.empty() ? "'" : ", '") + name + "'";
  return names.empty() ? "none" : names;
}

JobEntry* Core::FindVisible(const JobId& id) const {
  JobEntry* job = table.Find(id);
  return job != nullptr && !job->hidden ? job : nullptr;
}

double Core::Random() { return std::uniform_real_distribution<double>()(random_); }

// ---- Small steps -----------------------------------------------------------------------------------------------------------

void Core::Move(JobEntry& job, JobState to, const Claim& by) {
  const JobState from = job.state();
  uint64_t token = to == JobState::kRunning ? ++last_token_ : 0;
  // Everybody who moves a job has looked at its state in the same turn, and no attempt of a local worker is ever given up while
  // it runs, so a refusal is a bug of ours.
  Status moved = Transition(job.record.id, &job.record.life, to, by, token);
  MR_CHECK(moved.ok(), "%s", moved.ToString().c_str());
  --jobs[static_cast<size_t>(from)];
  ++jobs[static_cast<size_t>(to)];
  if (from == JobState::kScheduled) --job.pool->scheduled_jobs;
  if (to == JobState::kScheduled) ++job.pool->scheduled_jobs;
  if (UniqueKeys::Matters(from, to)) unique_keys.Moved(job.record.id, *job.record.spec, from, to);
}

std::optional<Status> Core::Append(const JobEntry& job, Journal::Waiter* waiter) {
  const JobRecord* record = &job.record;
  return journal.Append(std::span(&record, 1), Journal::Accepting::kNo, waiter);
}

void Core::Announce(const JobEntry& job, std::string_view error, Turn& turn) {
  events.RecordState(job.source(), turn.wall(), job.state(), error);
  turn.NotifyWatchers();
}

template <typename Time>
void Core::Arm(Alarm* alarm, Alarm::Purpose purpose, Time when, Turn& turn) {
  schedule.Arm(alarm, purpose, when);
  WakeBy(schedule.Next(turn.mono(), turn.wall()), turn);
}

void Core::WakeBy(MonoTime when, Turn& turn) {
  if (when >= wakes_at_) return;
  wakes_at_ = when;
  turn.KickTimekeeper();
}

void Core::ArmDeadline(JobEntry& job, Turn& turn) {
  const std::optional<WallTime>& deadline = job.record.spec->deadline;
  // A job that is retried after its deadline has none any more.
  if (deadline && *deadline > turn.wall()) Arm(&job.deadline, Alarm::Purpose::kDeadline, *deadline, turn);
}

// ---- Accepted --------------------------------------------------------------------------------------------------------------

void Core::BeginLife(JobEntry& job, Turn& turn) {
  job.record.created = turn.wall();
  unique_keys.Add(job.record.id, *job.record.spec, JobState::kScheduled);
  ++jobs[static_cast<size_t>(JobState::kScheduled)];
  ++job.pool->scheduled_jobs;
  const JobSpec& spec = *job.record.spec;
  if (spec.delay && *spec.delay > Nanos(0)) {
    job.record.due = turn.wall() + *spec.delay;
  } else if (spec.run_at && *spec.run_at > turn.wall()) {
    job.record.due = *spec.run_at;
  } else {
    Move(job, JobState::kQueued, job.record.life.claim);
  }
}

void Core::Admit(JobEntry& job, Turn& turn) {
  job.hidden = false;
  ArmDeadline(job, turn);
  if (job.state() == JobState::kQueued) return Enqueue(job, turn);
  const JobSpec& spec = *job.record.spec;
  if (spec.run_at) {
    Arm(&job.due, Alarm::Purpose::kDue, *spec.run_at, turn);
  } else {
    Arm(&job.due, Alarm::Purpose::kDue, turn.mono() + *spec.delay, turn);
  }
  Announce(job, {}, turn);
}

void Core::Unborn(JobEntry& job, Turn& turn) {
  --jobs[static_cast<size_t>(job.state())];
  if (job.state() == JobState::kScheduled) --job.pool->scheduled_jobs;
  admission.ReleaseBytes(job, turn);
  request_ids.Remove(job.record.request_id);
  unique_keys.Remove(job.record.id, *job.record.spec);
  ServeIdleWorkers(*job.pool, turn);
  turn.Free(table.Erase(job.record.id));
  CheckDrained(*job.pool, turn);
}

const KindOptions* Core::KindFor(const JobRecord& record, Pool& pool) {
  if (const KindOptions* kind = pool.runner().FindKind(record.spec->kind)) return kind;
  // It is not lost: its attempts fail with the runner's word until the kind is back or it is a dead letter.
  return &unknown_kinds_.try_emplace(record.spec->kind, KindOptions{.name = record.spec->kind}).first->second;
}

Status Core::Recover(JobRecord record, std::vector<JobEntry*>* ended, Turn& turn) {
  auto job = std::make_shared<JobEntry>();
  job->pool = FindPool(record.spec->pool);
  if (job->pool == nullptr) {
    return FailedPrecondition("POOL_NOT_CONFIGURED", "the store holds job " + record.id.ToString() + " of pool '" +
                                                         record.spec->pool + "', which is not configured; add [pool." +
                                                         record.spec->pool + "] to the configuration")
        .With("pool", record.spec->pool)
        .With("job", record.id.ToString());
  }
  job->kind = KindFor(record, *job->pool);
  job->bytes = static_cast<int64_t>(PayloadOf(*record.spec).size());
  if (!record.spec->labels.empty()) job->labels = std::make_shared<const Labels>(record.spec->labels);
  job->record = std::move(record);
  if (!job->record.request_id.empty()) {
    job->record.fingerprint = Fingerprint(*job->record.spec);
    request_ids.Add(job->record.request_id, job->record.id, job->record.fingerprint);
  }
  table.Insert(job);
  unique_keys.Add(job->record.id, *job->record.spec, job->state());
  ++jobs[static_cast<size_t>(job->state())];
  if (job->state() == JobState::kScheduled) ++job->pool->scheduled_jobs;
  last_token_ = std::max(last_token_, job->record.life.claim.token);
  ids.StartAbove(job->record.id);  // The clock may have been set back since.
  if (IsTerminal(job->state())) {
    ended->push_back(job.get());
    return OkStatus();
  }
  admission.TakeBytes(*job);
  ArmDeadline(*job, turn);
  if (job->state() == JobState::kScheduled) {
    WallTime due = job->record.due.value_or(turn.wall());
    if (job->record.spec->run_at && job->record.life.claim.attempt == 0) {
      Arm(&job->due, Alarm::Purpose::kDue, due, turn);
    } else {
      Arm(&job->due, Alarm::Purpose::kDue, turn.mono() + (due - turn.wall()), turn);
    }
  } else if (job->state() == JobState::kQueued) {
    Enqueue(*job, turn);
  } else {
    // It was running when the daemon died. Whoever had asked for its cancellation was told that it would come.
    AttemptFacts facts{.result = AttemptResult::kLost, .error = "the daemon ended while the attempt was running"};
    if (job->record.cancel_requested) {
      facts.stopped = kStopCancel;
      facts.stop_reason = "cancelled; the daemon ended before the attempt did";
    }
    Conclude(*job, job->record.life.claim, std::move(facts), nullptr, turn);
  }
  return OkStatus();
}

void Core::RecoverEnded(std::vector<JobEntry*> ended, Turn& turn) {
  auto finished = [&](const JobEntry* job) { return job->record.finished.value_or(turn.wall()); };
  std::stable_sort(ended.begin(), ended.end(),
                   [&](const JobEntry* a, const JobEntry* b) { return finished(a) < finished(b); });
  for (JobEntry* job : ended) retention.Add(job, turn.mono() - (turn.wall() - finished(job)));
}

void Core::RecoverRequests(std::vector<SpentRequest> requests, Turn& turn) {
  std::stable_sort(requests.begin(), requests.end(),
                   [](const SpentRequest& a, const SpentRequest& b) { return a.until < b.until; });
  for (const SpentRequest& request : requests) {
    request_ids.AddForgotten(
        request.request_id,
        {.job = request.job, .fingerprint = request.fingerprint, .forgotten = true, .final_state = request.final_state},
        turn.mono() + (request.until - turn.wall()));
  }
}

// ---- Ready and running -----------------------------------------------------------------------------------------------------

void Core::Enqueue(JobEntry& job, Turn& turn) {
  job.queued_at = turn.mono();
  job.queued_wall = turn.wall();
  Announce(job, {}, turn);
  if (Worker* worker = job.pool->PopIdle()) {
    StartAttempt(job, *worker, turn);
    turn.Wake(worker);
  } else {
    job.pool->channel.Push(&job);
  }
}

void Core::MakeDue(JobEntry& job, Turn& turn) {
  schedule.Disarm(&job.due);
  job.record.due.reset();
  Move(job, JobState::kQueued, job.record.life.claim);
  Append(job, nullptr);
  Enqueue(job, turn);
}

void Core::StartAttempt(JobEntry& job, Worker& worker, Turn& turn) {
  Pool& pool = *job.pool;
  MR_CHECK(job.attempt == nullptr && worker.job == nullptr, "job %s was given to two workers",
           job.record.id.ToString().c_str());
  Move(job, JobState::kRunning, job.record.life.claim);
  JobRecord& record = job.record;
  ++record.attempts;
  if (record.history.size() == static_cast<size_t>(kAttemptsKept)) record.history.erase(record.history.begin());
  Attempt& attempt = record.history.emplace_back();
  attempt.number = record.life.claim.attempt;
  attempt.start = turn.wall();
  attempt.worker = worker.name;
  attempt.timings.queued = turn.mono() - job.queued_at;
  pool.wait_seconds.Observe(std::chrono::duration<double>(attempt.timings.queued).count());
  pool.SetBusy(pool.workers_busy + 1, turn.mono());

  worker.job = &job;
  worker.attempt.Begin(job, turn.mono());
  job.attempt = &worker.attempt;
  const std::optional<Nanos>& limit = record.spec->run_timeout ? record.spec->run_timeout : job.kind->run_timeout;
  if (limit) Arm(&job.due, Alarm::Purpose::kRunTimeout, turn.mono() + *limit, turn);
  Announce(job, {}, turn);
  worker.start_committed = Append(job, commits_at_once ? nullptr : &worker.attempt).has_value();
}

void Core::StopAttempt(JobEntry& job, StopCause cause, Status reason, Turn& turn) {
  if (job.attempt == nullptr) return;  // It has just ended by itself.
  std::shared_ptr<sync::CancelSource> source = job.attempt->RequestStop(cause, reason);
  if (source) turn.Cancel(std::move(source), std::move(reason));
}

void Core::FinishAttempt(Worker& worker, AttemptOutcome outcome, Bytes output, const AttemptTimings& timings,
                         Turn& turn) {
  JobEntry& job = *std::exchange(worker.job, nullptr);
  const RunningAttempt& attempt = worker.attempt;
  schedule.Disarm(&job.due);
  job.attempt = nullptr;
  Pool& pool = *job.pool;
  pool.SetBusy(pool.workers_busy - 1, turn.mono());

  Attempt& entry = job.record.history.back();
  Nanos queued = entry.timings.queued;
  entry.timings = timings;
  entry.timings.queued = queued;
  entry.exit_code = outcome.exit_code;
  AttemptFacts facts{.result = outcome.result,
                     .error = std::move(outcome.error),
                     .do_not_retry = outcome.do_not_retry,
                     .retry_after = outcome.retry_after,
                     .stopped = attempt.stopped(),
                     .stop_reason = attempt.stop_reason()};
  MonoTime started = attempt.started();
  AttemptResult result = Conclude(job, attempt.claim(), std::move(facts), std::move(output), turn);
  pool.CountAttempt(result, timings, started, turn.mono());
  if (draining) ++(result == AttemptResult::kReleased ? released : ended_while_draining);
  CheckDrained(pool, turn);
}

AttemptResult Core::Conclude(JobEntry& job, const Claim& by, AttemptFacts facts, Bytes output, Turn& turn) {
  JobRecord& record = job.record;
  facts.attempts = record.attempts;
  facts.losses = record.losses;
  facts.losses_max = options.losses_max;
  facts.no_retry_after_start = record.spec->no_retry_after_start;
  if (facts.result != AttemptResult::kSucceeded || facts.stopped != kStopNone) {
    facts.retry = ResolveRetry(record.spec->retry, job.kind->retry);
    facts.random = Random();
  }
  Verdict verdict = Judge(std::move(facts));
  // Before anything changes: clients see the job as it was until its end is committed.
  if (IsTerminal(verdict.next) && !commits_at_once) job.published = std::make_unique<JobRecord>(record);
  if (!record.history.empty()) {
    record.history.back().end = turn.wall();
    record.history.back().result = verdict.result;
    record.history.back().error = verdict.error;
  }
  if (!verdict.counted) --record.attempts;
  if (verdict.lost) ++record.losses;
  if (IsTerminal(verdict.next)) {
    record.result = verdict.next == JobState::kSucceeded ? std::move(output) : nullptr;
    End(job, verdict.next, by, std::move(verdict.error), turn);
    return verdict.result;
  }
  record.error = verdict.error;
  Move(job, verdict.next, by);
  if (verdict.next == JobState::kScheduled) {
    record.due = turn.wall() + verdict.delay;
    Arm(&job.due, Alarm::Purpose::kDue, turn.mono() + verdict.delay, turn);
    Append(job, nullptr);
    Announce(job, record.error, turn);
  } else {
    Append(job, nullptr);
    Enqueue(job, turn);
  }
  return verdict.result;
}

// ---- Ended -----------------------------------------------------------------------------------------------------------------

void Core::End(JobEntry& job, JobState state, const Claim& by, std::string error, Turn& turn) {
  JobRecord& record = job.record;
  schedule.Disarm(&job.due);
  schedule.Disarm(&job.deadline);
  Move(job, state, by);
  record.error = std::move(error);
  record.finished = turn.wall();
  record.due.reset();
  if (job.live) {
    record.progress = job.live->ReadProgress();
    rt::LockGuard guard(job.live->lock);
    record.log_bytes = job.live->log.bytes_ever();
    if (record.log_bytes > 0) record.log_tail = MakeBytes(job.live->log.Content());
  }
  auto commit = job.published ? std::make_unique<EndCommit>(*this, job) : nullptr;
  if (!Append(job, commit.get()) && commit) {
    ++job.pool->unsettled_jobs;
    commit.release();  // It deletes itself when it is called.
    return;
  }
  CompleteEnd(job, turn);
}

void Core::CompleteEnd(JobEntry& job, Turn& turn) {
  Pool& pool = *job.pool;
  job.published.reset();
  job.live.reset();
  ++pool.finished[static_cast<size_t>(job.state())];
  admission.ReleaseBytes(job, turn);
  unique_keys.Remove(job.record.id, *job.record.spec);
  Announce(job, job.record.error, turn);
  for (JobWaiter* waiter : job.waiters) turn.Tell(waiter, SnapshotOf(job, /*full=*/true));
  job.waiters.clear();
  job.waiters.shrink_to_fit();
  retention.Add(&job, turn.mono());
  while (JobEntry* old = retention.PopTrimmed(turn.mono())) Forget(*old, turn);
  WakeBy(retention.Next(), turn);
  CheckDrained(pool, turn);
}

void Core::Forget(JobEntry& job, Turn& turn) {
  --jobs[static_cast<size_t>(job.state())];
  const JobId id = job.record.id;
  const std::string& request_id = job.record.request_id;
  if (!request_id.empty()) {
    request_ids.JobForgotten(request_id, job.state(), turn.mono());
    journal.KeepRequest({.request_id = request_id,
                         .job = id,
                         .fingerprint = request_ids.Find(request_id)->fingerprint,
                         .final_state = job.state(),
                         .until = turn.wall() + RequestIds::kKeptAfter});
  }
  journal.Erase(std::span(&id, 1));
  turn.Free(table.Erase(id));
  WakeBy(request_ids.Next(), turn);
}

}  // namespace millrace::dispatch
