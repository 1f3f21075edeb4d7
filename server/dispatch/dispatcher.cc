#include "dispatch/dispatcher.h"

#include <utility>

#include "dispatch/core.h"
#include "dispatch/listing.h"
#include "dispatch/visit.h"
#include "dispatch/worker.h"

namespace millrace::dispatch {

namespace {

// About what a job weighs in an answer.
size_t BytesOf(const JobSnapshot& job, bool full) {
  size_t bytes = job.error.size() + (job.progress ? job.progress->message.size() : 0);
  for (const auto& [name, value] : job.spec->labels) bytes += name.size() + value.size();
  if (!full) return bytes;
  bytes += PayloadOf(*job.spec).size() + (job.result ? job.result->size() : 0) + job.log_tail.size();
  for (const Attempt& attempt : job.history) bytes += attempt.error.size();
  return bytes;
}

}  // namespace

Dispatcher::Dispatcher(Dependencies dependencies, DispatcherOptions options)
    : core_(std::make_unique<Core>(std::move(dependencies), options)) {}

Dispatcher::~Dispatcher() = default;

Status Dispatcher::Start(bool run_timekeeper) {
  core_->RenewKinds();
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
  RecallWishes();
  RunDue();  // What became due or too late meanwhile, before a worker takes it.
  std::vector<const Pool*> missing;
  for (const auto& [name, pool] : core_->pools.All()) {
    Turn turn(*core_);
    core_->SetWorkers(*pool, pool->workers_wanted, turn);
    if (pool->missing) missing.push_back(pool);
  }
  LogMissing(missing);
  {
    Turn turn(*core_);
    core_->recovered = true;
  }
  if (run_timekeeper) core_->timekeeper.Start(core_->runtime, [this] { return RunDue(); });
  return OkStatus();
}

// ---- Jobs -----------------------------------------------------------------------------------------------------------

void Dispatcher::Submit(Submission* submission) { core_->admission.Submit(submission); }

bool Dispatcher::Abandon(Submission* submission) { return core_->admission.Abandon(submission); }

Result<JobSnapshot> Dispatcher::Get(const JobId& id, bool full, bool explain) const {
  JobSnapshot snapshot;
  Status status = Visit(
      *core_, id, full ? Journal::Part::kWhole : Journal::Part::kBasic,
      [&](JobEntry& job, Turn&) MR_IN_TURN {
        snapshot = SnapshotOf(*job.hot, full);
        if (explain) snapshot.waiting = core_->WhyWaits(job);
        return OkStatus();
      },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) MR_IN_TURN {
        snapshot = SnapshotOf(*record, full);
        return OkStatus();
      });
  if (!status.ok()) return status;
  if (full && static_cast<int64_t>(PayloadOf(*snapshot.spec).size()) != snapshot.payload_bytes) {
    // It runs elsewhere, and its payload is on the disk only.
    auto whole = core_->journal.Read(id, Journal::Part::kWhole);
    if (!whole.ok()) return whole.status().code() == StatusCode::kNotFound ? JobNotFound(id) : whole.status();
    snapshot.spec = (*whole)->spec;
  }
  return snapshot;
}

Result<Bytes> Dispatcher::ReadResult(const JobId& id, const MayHold& may_hold) const {
  Bytes result;
  int64_t bytes = 0;
  const auto look = [&](const JobRecord& record) {
    if (record.life.state != JobState::kSucceeded) {
      return FailedPrecondition("NO_RESULT", "job " + id.ToString() + " has no result: it is " +
                                                 ToString(record.life.state) + "; one that SUCCEEDED has");
    }
    result = record.result;
    bytes = record.result_bytes;
    return OkStatus();
  };
  Status status = Visit(
      *core_, id, Journal::Part::kBasic, [&](JobEntry& job, Turn&) MR_IN_TURN { return look(job.hot->visible()); },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) { return look(*record); });
  if (!status.ok()) return status;
  if (may_hold) MR_RETURN_IF_ERROR(may_hold(bytes));
  if (result || bytes == 0) return result;
  auto read = core_->journal.ReadResult(id);
  return read.status().code() == StatusCode::kNotFound ? JobNotFound(id) : read;
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
      bytes += BytesOf(job, query.full);
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
      [&](JobEntry& job, Turn&) MR_IN_TURN {
        core_->AddWaiter(job, waiter);
        return OkStatus();
      },
      [&](const std::shared_ptr<const JobRecord>& record, Turn&) MR_IN_TURN {
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

Leases& Dispatcher::leases() { return core_->leases; }

// ---- Time -----------------------------------------------------------------------------------------------------------

MonoTime Dispatcher::RunDue() {
  constexpr int kStep = 64;  // Alarms before others may have the lock.
  for (;;) {
    std::vector<Core::LateJob> late;
    {
      Turn turn(*core_);
      int steps = 0;
      while (steps < kStep && core_->RunOneDue(&late, turn)) ++steps;
      if (steps < kStep && late.empty()) return core_->PlanWake(turn);
    }
    for (const Core::LateJob& job : late) {
      Result<std::shared_ptr<HotJob>> read = core_->ReadHot(job.cold.id);
      Turn turn(*core_);
      core_->RunLate(job, &read, turn);
    }
  }
}

// ---- End ------------------------------------------------------------------------------------------------------------

Dispatcher::DrainReport Dispatcher::Stop(Nanos grace) {
  {
    Turn turn(*core_);
    core_->StopServing(turn);
  }
  // A fiber waits for the workers, this one for that fiber or the end of the grace.
  sync::CancelSource workers_ended;
  sync::WaitGroup waiter;
  waiter.Go({.name = "drain", .urgent = true}, [&] {
    for (const auto& [name, pool] : core_->pools.All()) pool->workers_done.Wait();
    workers_ended.Cancel(Cancelled("WORKERS_ENDED", "every worker has ended"));
  });
  if (grace > Nanos(0)) workers_ended.token().SleepFor(grace);
  {
    Turn turn(*core_);
    for (const auto& [name, pool] : core_->pools.All()) {
      for (Worker* worker : pool->workers) {
        if (worker->job == nullptr) continue;
        if (worker->job->hidden) {
          core_->DropStart(*worker->job, turn);
          continue;
        }
        core_->StopAttempt(*worker->job, kStopRelease, Cancelled("DRAINING", "handed back: the daemon was shut down"),
                           turn);
        worker->AbandonStart(turn);
      }
    }
  }
  waiter.Wait();
  core_->timekeeper.Stop();
  core_->leases.AwaitReaders();

  Turn turn(*core_);
  DrainReport report{.finished = core_->ended_while_draining, .released = core_->released};
  for (JobState state : {JobState::kScheduled, JobState::kBlocked, JobState::kQueued}) {
    report.queued += core_->jobs[static_cast<size_t>(state)];
  }
  return report;
}

// ---- Numbers --------------------------------------------------------------------------------------------------------

DispatchStats Dispatcher::Stats() const {
  DispatchStats stats;
  {
    Turn turn(*core_);
    for (const auto& [name, pool] : core_->pools.All()) stats.pools.push_back(pool->Stats(turn.mono()));
    for (const auto& [name, pool] : core_->pools.All()) {
      if (pool->missing) stats.missing_pool_jobs += pool->channel.jobs() + pool->scheduled_jobs + pool->blocked_jobs;
    }
    stats.jobs = core_->jobs;
    stats.dead_letter_jobs = core_->retention.dead_letters();
    stats.remote_workers = core_->leases.workers();
    stats.late_results = core_->leases.late_results();
    stats.process_bytes = core_->budget.bytes();
    stats.process_bytes_max = core_->options().process_bytes_max;
    stats.trimmed_finished = core_->retention.trimmed_finished();
    stats.trimmed_dead_letters = core_->retention.trimmed_dead_letters();
    stats.request_ids = static_cast<int64_t>(core_->request_ids.size());
    stats.request_ids_dropped = core_->request_ids.dropped();
    stats.waiting_bytes = core_->admission.waiting_bytes();
    stats.unknown_pool = core_->admission.unknown_pool();
    stats.draining = core_->draining;
    stats.turns = core_->turns;
    stats.worker_wakes = core_->worker_wakes;
  }
  stats.durability = core_->journal.durability();
  stats.journal = core_->journal.Stats();
  return stats;
}

}  // namespace millrace::dispatch
