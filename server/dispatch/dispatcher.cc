#include "dispatch/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "dispatch/core.h"
#include "dispatch/worker.h"
#include "job/validate.h"

namespace millrace::dispatch {

namespace {

// How many jobs a listing looks at before it lets others have the lock.
constexpr int kListStep = 256;

Status PoolNotFound(std::string_view name, const Core& core) {
  return NotFound("POOL_NOT_FOUND", "there is no pool '" + std::string(name) + "'; the pools are " + core.PoolNames())
      .Field("name")
      .With("pool", std::string(name));
}

Status BadNumber(const std::string& what, int64_t value, int64_t least, int64_t most, std::string field) {
  return InvalidArgument("OUT_OF_RANGE", what + " is " + std::to_string(value) + "; give " + std::to_string(least) +
                                             " to " + std::to_string(most))
      .Field(std::move(field));
}

Status CheckSize(int64_t workers, int64_t capacity_jobs, int64_t capacity_bytes) {
  constexpr int64_t kBytesMax = int64_t{1} << 50;
  if (workers < 1 || workers > kPoolWorkersMax) return BadNumber("workers", workers, 1, kPoolWorkersMax, "workers");
  if (capacity_jobs < 0 || capacity_jobs > kPoolCapacityMax) {
    return BadNumber("capacity_jobs", capacity_jobs, 0, kPoolCapacityMax, "capacity_jobs");
  }
  if (capacity_bytes < 0 || capacity_bytes > kBytesMax) {
    return BadNumber("capacity_bytes", capacity_bytes, 0, kBytesMax, "capacity_bytes");
  }
  return OkStatus();
}

Filter::Subject SubjectOf(const JobEntry& job) {
  const JobRecord& record = job.visible();
  const JobSpec& spec = *record.spec;
  return {spec.pool, spec.kind, spec.band, record.life.state, &spec.labels, record.created};
}

// Calls `visit` in a Turn for each visible job that matches, in id order, letting go of the lock in between; it returns false to
// end the walk.
template <typename Visit>
void Walk(Core& core, const Filter& filter, std::optional<JobId> after, bool newest_first, Visit visit) {
  constexpr JobId kFirst{}, kLast{~uint64_t{0}, ~uint64_t{0}};
  JobId at = after.value_or(newest_first ? kLast : kFirst);
  for (bool more = true; more;) {
    Turn turn(core);
    for (int step = 0; step < kListStep && more; ++step) {
      JobEntry* job = newest_first ? core.table.LastBefore(at) : core.table.FirstAfter(at);
      if (job == nullptr) return;
      at = job->record.id;
      if (!job->hidden && filter.Matches(SubjectOf(*job))) more = visit(*job, turn);
    }
  }
}

}  // namespace

Dispatcher::Dispatcher(Dependencies dependencies, DispatcherOptions options)
    : core_(std::make_unique<Core>(std::move(dependencies), options)) {}

Dispatcher::~Dispatcher() = default;

Status Dispatcher::AddPool(PoolOptions options) {
  if (!IsPoolName(options.name)) {
    return InvalidArgument("BAD_POOL", "pool name '" + options.name + "' must be 1 to 63 of [a-z0-9_-]").Field("name");
  }
  MR_RETURN_IF_ERROR(CheckSize(options.workers, options.capacity_jobs, options.capacity_bytes));
  Runner* runner = core_->FindRunner(options.runner);
  if (runner == nullptr) {
    std::string known;
    for (const Runner* each : core_->runners) known += (known.empty() ? "'" : ", '") + std::string(each->name()) + "'";
    return InvalidArgument("BAD_RUNNER",
                           "pool '" + options.name + "' asks for runner '" + options.runner + "'; there are " + known)
        .Field("runner");
  }
  auto pool = std::make_unique<Pool>(options, *runner, core_->clock.Mono());
  if (!core_->pools.try_emplace(options.name, std::move(pool)).second) {
    return InvalidArgument("POOL_TWICE", "pool '" + options.name + "' is defined twice").Field("name");
  }
  return OkStatus();
}

Status Dispatcher::Start(bool run_timekeeper) {
  Status recovered;
  std::vector<JobEntry*> ended;
  MR_RETURN_IF_ERROR(core_->journal.Load([&](JobRecord record) {
    Turn turn(*core_);
    if (recovered.ok()) recovered = core_->Recover(std::move(record), &ended, turn);
  }));
  MR_RETURN_IF_ERROR(recovered);
  std::vector<SpentRequest> requests;
  MR_RETURN_IF_ERROR(
      core_->journal.LoadRequests([&](SpentRequest request) { requests.push_back(std::move(request)); }));
  {
    Turn turn(*core_);
    core_->RecoverEnded(std::move(ended), turn);
    core_->RecoverRequests(std::move(requests), turn);
  }
  for (auto& [name, pool] : core_->pools) {
    Turn turn(*core_);
    core_->SetWorkers(*pool, pool->workers_wanted, turn);
  }
  if (run_timekeeper) core_->timekeeper.Start(core_->runtime, [this] { return RunDue(); });
  return OkStatus();
}

// ---- Jobs ------------------------------------------------------------------------------------------------------------------

void Dispatcher::Submit(Submission* submission) { core_->admission.Submit(submission); }

bool Dispatcher::Abandon(Submission* submission) { return core_->admission.Abandon(submission); }

Result<JobSnapshot> Dispatcher::Get(const JobId& id, bool full) const {
  Turn turn(*core_);
  const JobEntry* job = core_->FindVisible(id);
  if (job == nullptr) return JobNotFound(id);
  return SnapshotOf(*job, full);
}

std::vector<JobSnapshot> Dispatcher::List(const ListQuery& query) const {
  std::vector<JobSnapshot> jobs;
  if (query.limit == 0) return jobs;
  Walk(*core_, query.filter, query.after, query.newest_first, [&](JobEntry& job, Turn&) {
    jobs.push_back(SnapshotOf(job, query.full));
    return jobs.size() < query.limit;
  });
  return jobs;
}

Status Dispatcher::Wait(const JobId& id, JobWaiter* waiter) {
  Turn turn(*core_);
  JobEntry* job = core_->FindVisible(id);
  if (job == nullptr) return JobNotFound(id);
  if (IsTerminal(job->visible().life.state)) {
    turn.Tell(waiter, SnapshotOf(*job, /*full=*/true));
  } else {
    job->waiters.push_back(waiter);
  }
  return OkStatus();
}

bool Dispatcher::AbandonWait(const JobId& id, JobWaiter* waiter) {
  Turn turn(*core_);
  JobEntry* job = core_->table.Find(id);
  return job != nullptr && std::erase(job->waiters, waiter) > 0;
}

template <typename Verb>
Result<JobSnapshot> Dispatcher::Do(const JobId& id, Verb verb) {
  Turn turn(*core_);
  JobEntry* job = core_->FindVisible(id);
  if (job == nullptr) return JobNotFound(id);
  MR_RETURN_IF_ERROR(verb(*job, turn));
  return SnapshotOf(*job, /*full=*/true);
}

Result<JobSnapshot> Dispatcher::Cancel(const JobId& id, std::string reason) {
  return Do(id, [&](JobEntry& job, Turn& turn) { return core_->Cancel(job, reason, turn); });
}

Result<JobSnapshot> Dispatcher::Retry(const JobId& id) {
  return Do(id, [&](JobEntry& job, Turn& turn) { return core_->Retry(job, turn); });
}

Status Dispatcher::Delete(const JobId& id) {
  Turn turn(*core_);
  JobEntry* job = core_->FindVisible(id);
  return job == nullptr ? JobNotFound(id) : core_->Delete(*job, turn);
}

template <typename Verb>
BulkResult Dispatcher::DoAll(const Filter& filter, bool count_only, Verb verb) {
  // First who, then what: the verb changes states, and with them who matches.
  std::vector<JobId> matching;
  Walk(*core_, filter, std::nullopt, false, [&](JobEntry& job, Turn&) {
    matching.push_back(job.record.id);
    return true;
  });
  BulkResult result{.matched = static_cast<int64_t>(matching.size())};
  if (count_only) return result;
  for (const JobId& id : matching) {
    Turn turn(*core_);
    JobEntry* job = core_->FindVisible(id);
    if (job != nullptr && verb(*job, turn).ok()) ++result.changed;
  }
  return result;
}

BulkResult Dispatcher::CancelAll(const Filter& filter, const std::string& reason, bool count_only) {
  return DoAll(filter, count_only, [&](JobEntry& job, Turn& turn) { return core_->Cancel(job, reason, turn); });
}

BulkResult Dispatcher::RetryAll(const Filter& filter, bool count_only) {
  return DoAll(filter, count_only, [&](JobEntry& job, Turn& turn) { return core_->Retry(job, turn); });
}

BulkResult Dispatcher::DeleteAll(const Filter& filter, bool count_only) {
  return DoAll(filter, count_only, [&](JobEntry& job, Turn& turn) { return core_->Delete(job, turn); });
}

EventLog& Dispatcher::events() { return core_->events; }

// ---- Pools -----------------------------------------------------------------------------------------------------------------

template <typename Change>
Result<PoolStatus> Dispatcher::OnPool(std::string_view name, Change change) const {
  Pool* pool = core_->FindPool(name);
  if (pool == nullptr) return PoolNotFound(name, *core_);
  PoolStatus status;
  {
    Turn turn(*core_);
    MR_RETURN_IF_ERROR(change(*pool, turn));
    status = pool->Look(turn.mono());
  }
  status.kinds = pool->runner().Kinds();
  return status;
}

std::vector<PoolStatus> Dispatcher::Pools() const {
  std::vector<PoolStatus> pools;
  for (const auto& [name, pool] : core_->pools) pools.push_back(*GetPool(name));
  return pools;
}

Result<PoolStatus> Dispatcher::GetPool(std::string_view name) const {
  return OnPool(name, [](Pool&, Turn&) { return OkStatus(); });
}

Result<PoolStatus> Dispatcher::Resize(std::string_view name, std::optional<int> workers,
                                      std::optional<int64_t> capacity_jobs, std::optional<int64_t> capacity_bytes) {
  return OnPool(name, [&](Pool& pool, Turn& turn) -> Status {
    int64_t jobs = capacity_jobs.value_or(pool.channel.capacity_jobs());
    int64_t bytes = capacity_bytes.value_or(pool.channel.capacity_bytes());
    int wanted = workers.value_or(pool.workers_wanted);
    MR_RETURN_IF_ERROR(CheckSize(wanted, jobs, bytes));
    if ((jobs == 0) != pool.channel.rendezvous()) {
      return InvalidArgument("RENDEZVOUS_FIXED",
                             "pool '" + pool.name() + "' is " + (pool.channel.rendezvous() ? "" : "not ") +
                                 "a rendezvous (capacity_jobs 0), and stays so until the configuration is changed")
          .Field("capacity_jobs");
    }
    pool.channel.SetCapacity(jobs, bytes);
    core_->SetWorkers(pool, wanted, turn);
    turn.RoomAt(pool.gate);
    return OkStatus();
  });
}

Result<PoolStatus> Dispatcher::Pause(std::string_view name) {
  return OnPool(name, [](Pool& pool, Turn&) {
    pool.paused = true;
    return OkStatus();
  });
}

Result<PoolStatus> Dispatcher::Resume(std::string_view name) {
  return OnPool(name, [&](Pool& pool, Turn& turn) {
    pool.paused = pool.draining = false;
    core_->ServeIdleWorkers(pool, turn);
    return OkStatus();
  });
}

Status Dispatcher::Drain(std::string_view name, DrainWaiter* done) {
  return OnPool(name,
                [&](Pool& pool, Turn& turn) {
                  pool.draining = true;
                  core_->admission.RefuseWaiting(pool.gate, pool.CheckAccepting(), turn);
                  pool.drain_waiters.push_back(done);
                  core_->CheckDrained(pool, turn);
                  return OkStatus();
                })
      .status();
}

bool Dispatcher::AbandonDrain(std::string_view name, DrainWaiter* done) {
  Pool* pool = core_->FindPool(name);
  if (pool == nullptr) return false;
  Turn turn(*core_);
  return std::erase(pool->drain_waiters, done) > 0;
}

// ---- Time ------------------------------------------------------------------------------------------------------------------

MonoTime Dispatcher::RunDue() {
  constexpr int kStep = 64;  // Alarms before others may have the lock.
  for (;;) {
    Turn turn(*core_);
    int steps = 0;
    while (steps < kStep && core_->RunOneDue(turn)) ++steps;
    if (steps < kStep) return core_->PlanWake(turn);
  }
}

// ---- End -------------------------------------------------------------------------------------------------------------------

Dispatcher::DrainReport Dispatcher::Stop(Nanos grace) {
  {
    Turn turn(*core_);
    core_->draining = true;
    const Status refusal = Admission::ShuttingDown();
    core_->admission.RefuseWaiting(core_->admission.process_gate(), refusal, turn);
    for (auto& [name, pool] : core_->pools) {
      core_->admission.RefuseWaiting(pool->gate, refusal, turn);
      pool->stopping = true;
      core_->EndSurplusWorkers(*pool, turn);
    }
  }
  // A fiber waits for the workers, this one for that fiber or the end of the grace.
  sync::CancelSource workers_ended;
  sync::WaitGroup waiter;
  waiter.Go({.name = "drain"}, [&] {
    for (auto& [name, pool] : core_->pools) pool->workers_done.Wait();
    workers_ended.Cancel(Cancelled("WORKERS_ENDED", "every worker has ended"));
  });
  if (grace > Nanos(0)) workers_ended.token().SleepFor(grace);
  {
    Turn turn(*core_);
    for (auto& [name, pool] : core_->pools) {
      for (Worker* worker : pool->workers) {
        if (worker->job == nullptr) continue;
        core_->StopAttempt(*worker->job, kStopRelease, Cancelled("DRAINING", "handed back: the daemon was shut down"),
                           turn);
      }
    }
  }
  waiter.Wait();
  core_->timekeeper.Stop();

  Turn turn(*core_);
  DrainReport report{.finished = core_->ended_while_draining, .released = core_->released};
  for (JobState state : {JobState::kScheduled, JobState::kBlocked, JobState::kQueued}) {
    report.queued += core_->jobs[static_cast<size_t>(state)];
  }
  return report;
}

// ---- Numbers ---------------------------------------------------------------------------------------------------------------

DispatchStats Dispatcher::Stats() const {
  DispatchStats stats;
  {
    Turn turn(*core_);
    for (const auto& [name, pool] : core_->pools) stats.pools.push_back(pool->Stats(turn.mono()));
    stats.jobs = core_->jobs;
    stats.dead_letter_jobs = core_->retention.dead_letters();
    stats.process_bytes = core_->admission.process_bytes();
    stats.process_bytes_max = core_->options.process_bytes_max;
    stats.trimmed_finished = core_->retention.trimmed_finished();
    stats.trimmed_dead_letters = core_->retention.trimmed_dead_letters();
    stats.unknown_pool = core_->admission.unknown_pool();
    stats.draining = core_->draining;
  }
  stats.durability = core_->journal.durability();
  stats.journal = core_->journal.Stats();
  return stats;
}

}  // namespace millrace::dispatch
