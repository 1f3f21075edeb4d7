#include "dispatch/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "dispatch/core.h"
#include "dispatch/listing.h"
#include "dispatch/visit.h"
#include "dispatch/worker.h"
#include "job/validate.h"

namespace millrace::dispatch {

namespace {

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
  core_->ListKinds();
  Status recovered;
  std::vector<JobEntry*> ready;
  MR_RETURN_IF_ERROR(core_->journal.Load([&](JobRecord record) {
    Turn turn(*core_);
    if (recovered.ok()) recovered = core_->Recover(std::move(record), &ready, turn);
  }));
  MR_RETURN_IF_ERROR(recovered);
  std::vector<EndedJob> ended;
  MR_RETURN_IF_ERROR(core_->journal.LoadEnded([&](const EndedJob& job) { ended.push_back(job); }));
  std::vector<SpentRequest> requests;
  MR_RETURN_IF_ERROR(
      core_->journal.LoadRequests([&](SpentRequest request) { requests.push_back(std::move(request)); }));
  {
    Turn turn(*core_);
    core_->RecoverEnded(ended, std::move(requests), turn);
  }
  for (JobEntry* job : ready) {
    Turn turn(*core_);
    core_->RecoverReady(*job, turn);
  }
  RunDue();  // What became due or too late meanwhile, before a worker takes it.
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
  JobSnapshot snapshot;
  Status status = Visit(
      *core_, id, full ? Journal::Part::kWhole : Journal::Part::kBasic,
      [&](JobEntry& job, Turn&) {
        snapshot = SnapshotOf(*job.hot, full);
        return OkStatus();
      },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) {
        snapshot = SnapshotOf(*record, full);
        return OkStatus();
      });
  if (!status.ok()) return status;
  return snapshot;
}

Result<JobPage> Dispatcher::List(const ListQuery& query) const {
  JobPage page;
  Listing listing(*core_, query);
  size_t bytes = 0;
  while (page.jobs.size() < query.limit) {
    Result<std::vector<Listing::Found>> found = listing.Next(query.limit - page.jobs.size());
    if (!found.ok()) return found.status();
    if (found->empty()) return page;
    for (Listing::Found& each : *found) {
      if (!each.job) {
        Result<JobSnapshot> job = Get(each.id, query.full);
        if (job.status().code() == StatusCode::kNotFound) continue;
        if (!job.ok()) return job.status();
        each.job = *std::move(job);
      }
      const JobSnapshot& job = page.jobs.emplace_back(*std::move(each.job));
      if (query.full)
        bytes += PayloadOf(*job.spec).size() + (job.result ? job.result->size() : 0) + job.log_tail.size();
      if (bytes > query.bytes_max) {
        page.more = true;
        return page;
      }
    }
  }
  page.more = true;
  return page;
}

Status Dispatcher::Wait(const JobId& id, JobWaiter* waiter) {
  {
    Turn turn(*core_);
    JobEntry* job = core_->table.Find(id);
    if (job != nullptr && !job->hidden) {
      core_->AddWaiter(*job, waiter);
      return OkStatus();
    }
  }
  std::shared_ptr<const JobRecord> over;
  Status status = Visit(
      *core_, id, Journal::Part::kWhole,
      [&](JobEntry& job, Turn&) {
        core_->AddWaiter(job, waiter);
        return OkStatus();
      },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) {
        over = record;
        return OkStatus();
      });
  if (over) waiter->OnFinished(SnapshotOf(*over, /*full=*/true));
  return status;
}

bool Dispatcher::AbandonWait(const JobId& id, JobWaiter* waiter) {
  Turn turn(*core_);
  JobEntry* job = core_->table.Find(id);
  return job != nullptr && core_->RemoveWaiter(*job, waiter);
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
  status.kinds = pool->home_kinds;
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
    std::vector<ColdJob> late;
    {
      Turn turn(*core_);
      int steps = 0;
      while (steps < kStep && core_->RunOneDue(&late, turn)) ++steps;
      if (steps < kStep && late.empty()) return core_->PlanWake(turn);
    }
    for (const ColdJob& cold : late) {
      Result<std::shared_ptr<HotJob>> read = core_->ReadHot(cold.id);
      Turn turn(*core_);
      core_->ExpireCold(cold, &read, turn);
    }
  }
}

// ---- End -------------------------------------------------------------------------------------------------------------------

Dispatcher::DrainReport Dispatcher::Stop(Nanos grace) {
  {
    Turn turn(*core_);
    core_->draining = true;
    const Status refusal = Admission::ShuttingDown();
    core_->admission.RefuseWaiting(core_->admission.process_gate(), refusal, turn);
    core_->admission.RefuseWaiting(core_->admission.commit_gate(), refusal, turn);
    for (auto& [name, pool] : core_->pools) {
      core_->admission.RefuseWaiting(pool->gate, refusal, turn);
      pool->stopping = true;
      core_->EndSurplusWorkers(*pool, turn);
    }
  }
  // A fiber waits for the workers, this one for that fiber or the end of the grace.
  sync::CancelSource workers_ended;
  sync::WaitGroup waiter;
  waiter.Go({.name = "drain", .urgent = true}, [&] {
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
        worker->AbandonStart(turn);
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
    stats.request_ids = static_cast<int64_t>(core_->request_ids.size());
    stats.unknown_pool = core_->admission.unknown_pool();
    stats.draining = core_->draining;
  }
  stats.durability = core_->journal.durability();
  stats.journal = core_->journal.Stats();
  return stats;
}

}  // namespace millrace::dispatch
