// A configuration that replaces the one before, while jobs run.
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dispatch/core.h"
#include "dispatch/dispatcher.h"

namespace millrace::dispatch {

namespace {

Status NeedsRestart(const std::string& what) {
  return FailedPrecondition(
      "RESTART_NEEDED", what + " cannot change while the daemon runs, and nothing was changed; leave it, or restart");
}

// In a Turn: nothing may fail after it.
Status CheckChange(const Core& core, const Dispatcher::Setup& setup) MR_IN_TURN {
  if (core.draining) return Admission::ShuttingDown();
  if (setup.options.events_kept != core.options().events_kept) return NeedsRestart("events_kept");
  if (setup.options.seed != core.options().seed) return NeedsRestart("seed");
  for (const PoolOptions& options : setup.pools) {
    const Pool* pool = core.FindPool(options.name);
    if (pool == nullptr) continue;
    if ((options.capacity_jobs == 0) != pool->channel.rendezvous()) {
      return NeedsRestart("whether pool '" + options.name + "' is a rendezvous (capacity 0)");
    }
    if (!pool->missing && pool->configured.runner != options.runner) {
      return NeedsRestart("the runner of pool '" + options.name + "'");
    }
  }
  return OkStatus();
}

// As its operator left it.
void RecallWish(const Core& core, Pool& pool) MR_IN_TURN {
  auto wish = core.wishes.find(pool.name());
  if (wish == core.wishes.end()) return;
  pool.paused = wish->second.paused;
  pool.draining = wish->second.draining;
}

void Configure(Core& core, Pool& pool, const PoolOptions& next, Turn& turn) MR_IN_TURN {
  const PoolOptions was = std::exchange(pool.configured, next);
  const bool back = pool.missing;
  if (back) {
    pool.SetRunner(*core.FindRunner(next.runner));
    RecallWish(core, pool);
    pool.missing = false;
  }
  auto newest = [back](auto configured_before, auto configured, auto now) {
    return back || configured_before != configured ? configured : now;
  };
  pool.channel.SetCapacity(newest(was.capacity_jobs, next.capacity_jobs, pool.channel.capacity_jobs()),
                           newest(was.capacity_bytes, next.capacity_bytes, pool.channel.capacity_bytes()));
  core.SetWorkers(pool, newest(was.workers, next.workers, pool.workers_wanted), turn);
  core.ServeIdleWorkers(pool, turn);
}

// Not configured any more.
void LetGo(Core& core, Pool& pool, Turn& turn) MR_IN_TURN {
  pool.missing = true;
  core.SetWorkers(pool, 0, turn);
  core.admission.RefuseWaiting(pool.gate, pool.CheckAccepting(), turn);
  // Its queue is not emptied any more.
  for (Dispatcher::DrainWaiter* waiter : std::exchange(pool.drain_waiters, {})) {
    turn.Tell(waiter, pool.Look(turn.mono()));
  }
}

}  // namespace

void Core::RenewKinds() {
  std::map<Pool*, std::vector<std::string>> home;
  for (const auto& [name, pool] : pools.All()) home[pool];
  for (Runner* runner : runners) {
    for (const std::string& kind : runner->Kinds()) {
      const KindOptions* options = runner->FindKind(kind);
      if (options == nullptr) continue;  // Replaced meanwhile.
      for (auto& [pool, kinds] : home) {
        const bool at_home = options->pool.empty() || options->pool == pool->name();
        if (at_home && !pool->missing && &pool->runner() == runner) kinds.push_back(kind);
      }
    }
  }
  std::map<Pool*, std::shared_ptr<const std::vector<std::string>>> lists;  // Freed after the turn, with what it takes.
  for (auto& [pool, kinds] : home) lists[pool] = std::make_shared<const std::vector<std::string>>(std::move(kinds));
  Turn turn(*this);
  for (auto& [pool, kinds] : lists) {
    pool->home_kinds.swap(kinds);
    pool->kinds.Renew(pool->runner());
  }
}

Status Dispatcher::Apply(Setup setup) {
  std::lock_guard guard(applying_);
  Core& core = *core_;
  std::set<std::string_view> names;
  for (const PoolOptions& options : setup.pools) {
    MR_RETURN_IF_ERROR(CheckPool(options));
    if (!names.insert(options.name).second) return PoolTwice(options.name);
  }
  std::vector<std::unique_ptr<Pool>> added;  // Made before the turn, as that allocates.
  for (const PoolOptions& options : setup.pools) {
    if (core.FindPool(options.name) != nullptr) continue;
    added.push_back(std::make_unique<Pool>(options, *core.FindRunner(options.runner), core.clock.Mono()));
  }
  {
    Turn turn(core);
    MR_RETURN_IF_ERROR(CheckChange(core, setup));
    core.SetOptions(setup.options, turn);
    core.kinds_replaced = true;  // Before a worker of a pool that comes back starts one.
    for (const auto& pool : added) RecallWish(core, *pool);
    core.pools.AddLater(std::move(added));
    for (const PoolOptions& options : setup.pools) Configure(core, *core.FindPool(options.name), options, turn);
  }
  // Now that every pool that kinds may name is there, and before those go that kinds may have named.
  if (setup.replace_kinds) setup.replace_kinds();
  std::vector<const Pool*> gone;
  {
    Turn turn(core);
    for (const auto& [name, pool] : core.pools.All()) {
      if (pool->missing || names.contains(name)) continue;
      LetGo(core, *pool, turn);
      gone.push_back(pool);
    }
  }
  core.RenewKinds();
  LogMissing(gone);
  return OkStatus();
}

void Core::SetOptions(const DispatcherOptions& next, Turn& turn) {
  if (next == options()) return;
  options_.Replace(next);
  retention.SetLimits({next.finished_age_max, next.finished_jobs_max, next.finished_bytes_max},
                      {next.dead_letter_age_max, next.dead_letter_jobs_max, next.dead_letter_bytes_max},
                      next.finished_age_min);
  request_ids.SetLeavingBytesMax(next.request_ids_bytes_max);
  turn.RoomAt(budget.gate());
  // More may be too old, or too much.
  SetBy(trim_, retention.Next(), turn);
  SetBy(drop_requests_, request_ids.Next(), turn);
}

}  // namespace millrace::dispatch
