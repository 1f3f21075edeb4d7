#include "dispatch/pool.h"

#include <algorithm>

#include "base/check.h"
#include "dispatch/missing_pool.h"
#include "dispatch/slot.h"

namespace millrace::dispatch {

Pool::Pool(const PoolOptions& options, Runner& runner, MonoTime now, bool is_missing)
    : home_kinds(std::make_shared<const std::vector<std::string>>()),
      missing(is_missing),
      leased(runner.leases()),
      configured(options),
      channel(options.capacity_jobs, options.capacity_bytes),
      workers_wanted(runner.leases() ? 0 : options.workers),
      kinds(options.name, runner),
      name_(options.name),
      runner_(&runner),
      window_(now, workers_wanted) {}

void Pool::SetRunner(Runner& runner) {
  leased = runner.leases();
  runner_.store(&runner, std::memory_order_release);
}

bool Pool::HasRoom(int64_t jobs, int64_t bytes) const {
  if (!channel.HasRoom(jobs, bytes)) return false;
  return !channel.rendezvous() || (may_take() && workers_idle - channel.reserved_jobs() >= jobs);
}

bool Pool::CouldHold(int64_t jobs, int64_t bytes) const {
  return channel.CouldHold(jobs, bytes) && (!channel.rendezvous() || jobs <= workers_wanted);
}

Nanos Pool::RetryDelay(MonoTime now, double random) {
  // Before anything was measured: as good as any other.
  constexpr Nanos kUnknown = std::chrono::milliseconds(50);
  // Nothing frees a place before its operator does.
  constexpr Nanos kPaused = std::chrono::seconds(5);
  if (paused) return kPaused + Nanos(static_cast<int64_t>(random * static_cast<double>(kPaused.count())));
  return retry_slots_.Next(now, typical_run_ > Nanos(0) ? PlaceFreesIn() : kUnknown, random);
}

Status Pool::FullStatus(Nanos retry_after, bool may_wait) const {
  auto delay = std::chrono::ceil<std::chrono::milliseconds>(retry_after);
  std::string advice = "; retry after " + std::to_string(delay.count()) + " ms";
  if (may_wait) advice += ", or submit with on_full: ON_FULL_WAIT";
  if (paused) advice = ", and it is paused by its operator" + advice;
  std::string depth = channel.rendezvous()
                          ? "takes a job only when a worker is free (capacity 0); " + std::to_string(workers_busy) +
                                " of " + std::to_string(workers_wanted) + " are busy"
                          : "is full: " + std::to_string(channel.jobs()) + " of " +
                                std::to_string(channel.capacity_jobs()) + " jobs, " + std::to_string(channel.bytes()) +
                                " of " + std::to_string(channel.capacity_bytes()) + " bytes";
  return ResourceExhausted("QUEUE_FULL", "pool '" + name_ + "' " + depth + advice)
      .With("pool", name_)
      .With("depth_jobs", channel.jobs())
      .With("capacity_jobs", channel.capacity_jobs())
      .With("depth_bytes", channel.bytes())
      .With("capacity_bytes", channel.capacity_bytes())
      .RetryAfter(delay);
}

Status Pool::CheckAccepting() const {
  if (missing) return PoolNotConfigured(name_, "no new job is taken");
  if (!draining) return OkStatus();
  return FailedPrecondition(
             "POOL_DRAINING_BY_OPERATOR",
             "pool '" + name_ + "' is being drained by its operator; resume the pool, or use another one")
      .With("pool", name_);
}

Slot* Pool::PopIdle() {
  if (!may_take()) return nullptr;
  // In a rendezvous a reservation is a worker: a job that became due may not take it.
  if (channel.rendezvous() && workers_idle <= channel.reserved_jobs()) return nullptr;
  return TakeOffIdle();
}

Slot* Pool::TakeOffIdle() {
  if (idle == nullptr) return nullptr;
  Slot* slot = idle;
  idle = slot->next_idle;
  slot->idle = false;
  --workers_idle;
  return slot;
}

void Pool::PushIdle(Slot* slot) {
  slot->idle = true;
  slot->next_idle = idle;
  idle = slot;
  ++workers_idle;
}

int Pool::TakeNumber() {
  auto free = std::find(numbers_.begin() + static_cast<ptrdiff_t>(lowest_number_), numbers_.end(), false);
  size_t number = static_cast<size_t>(free - numbers_.begin());
  if (free == numbers_.end()) numbers_.push_back(true);
  numbers_[number] = true;
  lowest_number_ = number + 1;
  return static_cast<int>(number);
}

void Pool::FreeNumber(int number) {
  numbers_[static_cast<size_t>(number)] = false;
  lowest_number_ = std::min(lowest_number_, static_cast<size_t>(number));
}

void Pool::SetBusy(int busy, MonoTime now) {
  workers_busy = busy;
  window_.SetBusy(now, busy);
}

void Pool::SetWorkersWanted(int wanted, MonoTime now) {
  workers_wanted = wanted;
  window_.SetWorkers(now, wanted);
}

void Pool::CountAttempt(const KindOptions& kind, AttemptResult result, const AttemptTimings& timings, MonoTime start,
                        MonoTime end) {
  kinds.CountAttempt(kind, result);
  WorkTimes work = WorkOf(timings);
  work_ += work;
  window_.Add(start, end, work);
  kinds.ObserveRun(kind, std::chrono::duration<double>(timings.run).count());
  typical_run_ = typical_run_ > Nanos(0) ? typical_run_ + (end - start - typical_run_) / 8 : end - start;
}

bool Pool::Empty() const {
  return channel.empty() && channel.reserved_jobs() == 0 && blocked_jobs == 0 && workers_busy == 0 &&
         unsettled_jobs == 0;
}

PoolState Pool::state() const {
  if (missing) return PoolState::kMissing;
  if (draining) return Empty() ? PoolState::kDrained : PoolState::kDraining;
  return paused ? PoolState::kPaused : PoolState::kActive;
}

PoolStatus Pool::Look(MonoTime now) {
  PoolStatus status{.name = name_,
                    .runner = std::string(runner().name()),
                    .state = state(),
                    .workers = workers_wanted,
                    .workers_busy = workers_busy,
                    .capacity_jobs = channel.capacity_jobs(),
                    .capacity_bytes = channel.capacity_bytes(),
                    .queued_jobs = channel.jobs(),
                    .queued_bytes = channel.bytes(),
                    .scheduled_jobs = scheduled_jobs,
                    .oldest_queued = channel.oldest(),
                    .oldest_queued_age = channel.oldest_age(now),
                    .efficiency = window_.Read(now),
                    .waiting_submits = gate.size()};
  for (int band = 0; band < kBands; ++band)
    status.bands[static_cast<size_t>(band)] = channel.jobs_of(static_cast<Band>(band));
  return status;
}

PoolStats Pool::Stats(MonoTime now) {
  return {.status = Look(now),
          .work = work_,
          .submitted = submitted,
          .kinds = kinds.Stats(),
          .starts_refused = starts_refused_,
          .wait_seconds = wait_seconds.Snapshot()};
}

}  // namespace millrace::dispatch
