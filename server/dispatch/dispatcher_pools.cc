// What operators do to pools, and what of it the next life of the daemon knows.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "dispatch/core.h"
#include "dispatch/dispatcher.h"
#include "job/validate.h"
#include "runtime/blocking.h"

namespace millrace::dispatch {

namespace {

// How many pools a start names one by one: a thousand lines of one kind hide all others.
constexpr int kPoolsNamed = 20;

Status PoolNotFound(std::string_view name, const Core& core) {
  return NotFound("POOL_NOT_FOUND", "there is no pool '" + std::string(name) + "'; the pools are " + core.PoolNames())
      .Field("name")
      .With("pool", std::string(name));
}

Status CheckConfigured(const Pool& pool) {
  return pool.missing ? PoolNotConfigured(pool.name(), "there is nothing to pause, drain or resize") : OkStatus();
}

Status DrainEnded(const Pool& pool) {
  return FailedPrecondition("WRONG_STATE", "pool '" + pool.name() + "' was resumed before it was drained")
      .With("pool", pool.name());
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

Status PoolTwice(const std::string& name) {
  return InvalidArgument("POOL_TWICE", "pool '" + name + "' is defined twice").Field("name");
}

Status Dispatcher::CheckPool(const PoolOptions& options) const {
  if (!IsPoolName(options.name)) {
    return InvalidArgument("BAD_POOL", "pool name '" + options.name + "' must be 1 to 63 of [a-z0-9_-]").Field("name");
  }
  MR_RETURN_IF_ERROR(CheckSize(options.workers, options.capacity_jobs, options.capacity_bytes));
  if (const Runner* runner = core_->FindRunner(options.runner)) {
    if (!runner->leases() || options.capacity_jobs > 0) return OkStatus();
    return InvalidArgument("BAD_POOL", "pool '" + options.name +
                                           "' is run by workers in other processes, and cannot be a rendezvous; give "
                                           "it a capacity")
        .Field("capacity_jobs");
  }
  std::string known;
  for (const Runner* each : core_->runners) known += (known.empty() ? "'" : ", '") + std::string(each->name()) + "'";
  return InvalidArgument("BAD_RUNNER",
                         "pool '" + options.name + "' asks for runner '" + options.runner + "'; there are " + known)
      .Field("runner");
}

Status Dispatcher::AddPool(PoolOptions options) {
  MR_RETURN_IF_ERROR(CheckPool(options));
  auto pool = std::make_unique<Pool>(options, *core_->FindRunner(options.runner), core_->clock.Mono());
  return core_->pools.Add(std::move(pool)) ? OkStatus() : PoolTwice(options.name);
}

void Dispatcher::RecallWishes() {
  if (core_->pool_memory == nullptr) return;
  Result<PoolWishes> found = core_->pool_memory->Load();
  if (!found.ok()) {
    LogWarning("which pools were paused or draining is forgotten: %s", found.status().message().c_str());
    return;
  }
  Turn turn(*core_);
  core_->wishes = *std::move(found);
  int stopped = 0;
  for (const auto& [name, wish] : core_->wishes) {
    Pool* pool = core_->FindPool(name);
    if (pool == nullptr || pool->missing) continue;
    pool->paused = wish.paused;
    pool->draining = wish.draining;
    if (++stopped > kPoolsNamed) continue;
    LogWarning("pool '%s' is %s, as its operator left it before the restart; `millrace pools resume %s` ends that",
               name.c_str(), wish.draining ? "draining" : "paused", name.c_str());
  }
  if (stopped > kPoolsNamed) {
    LogWarning("%d more pools are as their operators left them; `millrace pools list` shows which",
               stopped - kPoolsNamed);
  }
}

Status Dispatcher::KeepWishes() const {
  if (core_->pool_memory == nullptr) return OkStatus();
  PoolWishes wishes;
  uint64_t version;
  {
    Turn turn(*core_);
    for (const auto& [name, pool] : core_->pools.All()) {
      if (pool->missing) continue;
      if (pool->paused || pool->draining) {
        core_->wishes[name] = {.paused = pool->paused, .draining = pool->draining};
      } else {
        core_->wishes.erase(name);
      }
    }
    wishes = core_->wishes;
    version = ++core_->wishes_version;
  }
  Status kept = rt::Blocking([&] { return core_->pool_memory->Keep(version, wishes); });
  if (kept.ok()) return kept;
  return Status(kept.code(), kept.reason(),
                "done, but a restart will forget it: " + kept.message() + "; repeat it then");
}

void Dispatcher::LogMissing(const std::vector<const Pool*>& pools) const {
  const size_t named = std::min<size_t>(pools.size(), kPoolsNamed);
  for (size_t i = 0; i < named; ++i) {
    const Pool& pool = *pools[i];
    const char* const name = pool.name().c_str();
    long long jobs = 0;
    {
      Turn turn(*core_);
      jobs = pool.channel.jobs() + pool.scheduled_jobs + pool.blocked_jobs;
    }
    LogWarning(
        "pool '%s' is not configured any more: its %lld unfinished jobs are kept aside, and run when it is configured "
        "again; add [pool.%s], or cancel them (millrace jobs cancel --pool %s)",
        name, jobs, name, name);
  }
  if (named < pools.size()) LogWarning("%zu more pools are not configured any more", pools.size() - named);
}

template <typename Change>
Result<PoolStatus> Dispatcher::OnPool(std::string_view name, Change change) const {
  Pool* pool = core_->FindPool(name);
  if (pool == nullptr) return PoolNotFound(name, *core_);
  PoolStatus status;
  std::shared_ptr<const std::vector<std::string>> kinds;
  {
    Turn turn(*core_);
    MR_RETURN_IF_ERROR(change(*pool, turn));
    status = pool->Look(turn.mono());
    kinds = pool->home_kinds;
  }
  status.kinds = *kinds;
  return status;
}

std::vector<PoolStatus> Dispatcher::Pools() const {
  std::vector<PoolStatus> pools;
  for (const auto& [name, pool] : core_->pools.All()) pools.push_back(*GetPool(name));
  return pools;
}

Result<PoolStatus> Dispatcher::GetPool(std::string_view name) const {
  return OnPool(name, [](Pool&, Turn&) MR_IN_TURN { return OkStatus(); });
}

Result<PoolStatus> Dispatcher::Resize(std::string_view name, std::optional<int> workers,
                                      std::optional<int64_t> capacity_jobs, std::optional<int64_t> capacity_bytes) {
  return OnPool(name, [&](Pool& pool, Turn& turn) MR_IN_TURN -> Status {
    MR_RETURN_IF_ERROR(CheckConfigured(pool));
    int64_t jobs = capacity_jobs.value_or(pool.channel.capacity_jobs());
    int64_t bytes = capacity_bytes.value_or(pool.channel.capacity_bytes());
    if (pool.leased && workers) {
      return FailedPrecondition("WORKERS_ARE_REMOTE", "pool '" + pool.name() +
                                                          "' is run by workers in other processes: start or end some "
                                                          "of them")
          .Field("workers");
    }
    int wanted = pool.leased ? 1 : workers.value_or(pool.workers_wanted);
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
  Result<PoolStatus> paused = OnPool(name, [](Pool& pool, Turn&) MR_IN_TURN -> Status {
    MR_RETURN_IF_ERROR(CheckConfigured(pool));
    pool.paused = true;
    return OkStatus();
  });
  if (paused.ok()) MR_RETURN_IF_ERROR(KeepWishes());
  return paused;
}

Result<PoolStatus> Dispatcher::Resume(std::string_view name) {
  Result<PoolStatus> resumed = OnPool(name, [&](Pool& pool, Turn& turn) MR_IN_TURN -> Status {
    MR_RETURN_IF_ERROR(CheckConfigured(pool));
    pool.paused = pool.draining = false;
    for (DrainWaiter* waiter : std::exchange(pool.drain_waiters, {})) turn.Tell(waiter, DrainEnded(pool));
    core_->ServeIdleWorkers(pool, turn);
    return OkStatus();
  });
  if (resumed.ok()) MR_RETURN_IF_ERROR(KeepWishes());
  return resumed;
}

Status Dispatcher::Drain(std::string_view name, DrainWaiter* done) {
  const Result<PoolStatus> begun = OnPool(name, [&](Pool& pool, Turn& turn) MR_IN_TURN -> Status {
    MR_RETURN_IF_ERROR(CheckConfigured(pool));
    pool.draining = true;
    core_->admission.RefuseWaiting(pool.gate, pool.CheckAccepting(), turn);
    return OkStatus();
  });
  MR_RETURN_IF_ERROR(begun.status());
  MR_RETURN_IF_ERROR(KeepWishes());
  return OnPool(name,
                [&](Pool& pool, Turn& turn) MR_IN_TURN -> Status {
                  // Resumed meanwhile: it will never be drained.
                  MR_RETURN_IF_ERROR(pool.draining ? OkStatus() : DrainEnded(pool));
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

}  // namespace millrace::dispatch
