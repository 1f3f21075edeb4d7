// Pool: a named worker pool: a bounded queue in four bands, N workers, one runner.
//
//   Workers   Fibers, tracked by a WaitGroup, so the end of a drain at shutdown is Wait(). One that finds no job is
//             idle: it parks on a stack of idle workers, the last one in front, as its memory is warm. A job that
//             becomes ready while a worker is idle is given to that worker, so each job wakes exactly one, and no
//             queued job stands beside an idle worker.
//   Paused    Jobs are accepted up to the capacity and stay queued. Draining: new jobs are refused, the others run.
//             Stopping: no worker takes another job, ever.
//   Threads   Everything is guarded by the dispatcher's lock, save what may be read without it (name, runner, missing)
//             and the histograms. These change under it, when the configuration is replaced (Dispatcher::Apply).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "dispatch/dispatcher.h"
#include "dispatch/efficiency.h"
#include "dispatch/gate.h"
#include "dispatch/in_turn.h"
#include "dispatch/kind_counts.h"
#include "dispatch/pool_status.h"
#include "dispatch/ready_queue.h"
#include "dispatch/retry_slots.h"
#include "dispatch/runner.h"
#include "runtime/share_group.h"
#include "sync/wait_group.h"

namespace millrace::dispatch {

class Slot;
struct Worker;

class Pool {
 public:
  // `is_missing`: see missing_pool.h.
  Pool(const PoolOptions& options, Runner& runner, MonoTime now, bool is_missing = false);

  const std::string& name() const { return name_; }
  // acquire: pairs with the release in SetRunner, so that the runner's kinds are seen.
  Runner& runner() const { return *runner_.load(std::memory_order_acquire); }
  void SetRunner(Runner& runner) MR_IN_TURN;

  // ---- Room for new jobs
  bool HasRoom(int64_t jobs, int64_t bytes) const MR_IN_TURN;
  // Even when it is empty and every worker idle?
  bool CouldHold(int64_t jobs, int64_t bytes) const MR_IN_TURN;
  // QUEUE_FULL, with every number and the advice.
  // `may_wait`: whoever asked may also wait for room.
  Status FullStatus(Nanos retry_after, bool may_wait) const MR_IN_TURN;
  // For the next one who is refused. `random` in [0, 1).
  Nanos RetryDelay(MonoTime now, double random) MR_IN_TURN;
  // One of N workers ends a typical attempt after a share of its time.
  Nanos PlaceFreesIn() const MR_IN_TURN { return typical_run_ / std::max(workers_wanted, 1); }
  // FAILED_PRECONDITION while it drains.
  Status CheckAccepting() const MR_IN_TURN;

  // ---- Workers
  bool may_take() const MR_IN_TURN { return !paused && !stopping; }
  bool surplus() const MR_IN_TURN { return stopping || leased || workers_alive > workers_wanted; }
  Slot* PopIdle() MR_IN_TURN;      // For a job; nullptr: none is idle, or none may take one.
  Slot* TakeOffIdle() MR_IN_TURN;  // To end it; nullptr: none is idle.
  void PushIdle(Slot* slot) MR_IN_TURN;
  int TakeNumber() MR_IN_TURN;  // The lowest free one, from 0.
  void FreeNumber(int number) MR_IN_TURN;
  void SetBusy(int busy, MonoTime now) MR_IN_TURN;
  void SetWorkersWanted(int wanted, MonoTime now) MR_IN_TURN;
  void CountAttempt(const KindOptions& kind, AttemptResult result, const AttemptTimings& timings, MonoTime start,
                    MonoTime end) MR_IN_TURN;
  void CountRefusedStart() MR_IN_TURN { ++starts_refused_; }

  // No job queued, blocked, running or half accepted.
  bool Empty() const MR_IN_TURN;
  PoolState state() const MR_IN_TURN;
  PoolStatus Look(MonoTime now) MR_IN_TURN;
  PoolStats Stats(MonoTime now) MR_IN_TURN;

  // Those at home here, and those of its runner that have no home.
  std::shared_ptr<const std::vector<std::string>> home_kinds;

  std::atomic<bool> missing;           // Not configured.
  bool leased MR_GUARDED_BY(in_turn);  // Its runner leases: it has no fibers, and workers_wanted is told by Leases.
  PoolOptions configured;              // As it was configured last; an operator may have changed its size since.
  ReadyQueue channel MR_GUARDED_BY(in_turn);
  Taker fibers;                      // The workers, all together.
  Gate gate MR_GUARDED_BY(in_turn);  // Submissions that wait for room here.
  std::vector<Dispatcher::DrainWaiter*> drain_waiters MR_GUARDED_BY(in_turn);

  bool paused MR_GUARDED_BY(in_turn) = false;
  bool draining MR_GUARDED_BY(in_turn) = false;
  bool stopping MR_GUARDED_BY(in_turn) = false;
  int workers_wanted MR_GUARDED_BY(in_turn);
  int workers_alive MR_GUARDED_BY(in_turn) = 0;  // Not told to end.
  int workers_busy MR_GUARDED_BY(in_turn) = 0;
  int64_t scheduled_jobs MR_GUARDED_BY(in_turn) = 0;
  int64_t blocked_jobs MR_GUARDED_BY(in_turn) = 0;
  int64_t unsettled_jobs MR_GUARDED_BY(in_turn) = 0;  // Ended, and the journal has not committed it yet.
  Slot* idle MR_GUARDED_BY(in_turn) = nullptr;
  int workers_idle MR_GUARDED_BY(in_turn) = 0;
  std::vector<Worker*> workers MR_GUARDED_BY(in_turn);  // Every worker that exists.
  sync::WaitGroup workers_done;
  // Its workers take turns with other pools as one fiber would, where their jobs compute. Ends after workers_done.
  rt::ShareGroup share_group;

  std::array<uint64_t, kSubmitResults> submitted{};
  KindCounts kinds MR_GUARDED_BY(in_turn);
  Histogram wait_seconds{Histogram::SecondsBounds()};

 private:
  const std::string name_;
  std::atomic<Runner*> runner_;
  std::vector<bool> numbers_ MR_GUARDED_BY(in_turn);  // Taken ones.
  size_t lowest_number_ MR_GUARDED_BY(in_turn) = 0;   // Every number below it is taken.
  EfficiencyWindow window_ MR_GUARDED_BY(in_turn);
  WorkTimes work_ MR_GUARDED_BY(in_turn);
  uint64_t starts_refused_ MR_GUARDED_BY(in_turn) = 0;
  Nanos typical_run_ MR_GUARDED_BY(in_turn){0};  // Moving average, by the dispatcher's clock; 0: none has ended yet.
  RetrySlots retry_slots_ MR_GUARDED_BY(in_turn);
};

}  // namespace millrace::dispatch
