// Worker: a fiber of a pool that takes jobs and runs them, one after the other. RunningAttempt is what it has in hand.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "dispatch/journal.h"
#include "dispatch/live_output.h"
#include "dispatch/pool.h"
#include "dispatch/runner.h"
#include "dispatch/verdict.h"
#include "job/lifecycle.h"
#include "runtime/accounting.h"
#include "runtime/fiber.h"
#include "runtime/lock.h"
#include "sync/cancel.h"

namespace millrace::dispatch {

class Core;
class Turn;
struct Worker;

// The attempt a worker runs, as the runner sees it. Used again for the worker's next attempt.
class RunningAttempt final : public AttemptContext {
 public:
  RunningAttempt(Core& core, Worker& worker) : core_(core), worker_(worker) {}

  // ---- In a Turn
  void Begin(JobEntry& job, MonoTime now);
  // The source to be cancelled once the lock is released; nullptr: the runner has not asked for its token yet, and will get a
  // cancelled one.
  std::shared_ptr<sync::CancelSource> RequestStop(StopCause cause, const Status& reason);
  Worker& worker() const { return worker_; }
  const Claim& claim() const { return claim_; }
  MonoTime started() const { return started_; }
  MonoTime ended() const { return ended_; }
  void set_ended(MonoTime now) { ended_ = now; }
  bool begun() const { return begun_; }  // The runner was called.
  // Written in a Turn only, under both locks: in a Turn they are read without the other one.
  unsigned stopped() const MR_NO_THREAD_SAFETY_ANALYSIS { return stopped_; }
  std::string stop_reason() const MR_NO_THREAD_SAFETY_ANALYSIS { return reason_.message(); }

  // ---- For the worker
  bool stop_requested() const;
  void set_begun() { begun_ = true; }

  // ---- For the runner
  const JobId& id() const override { return id_; }
  const JobSpec& spec() const override { return *spec_; }
  int attempt() const override { return claim_.attempt; }
  const sync::CancelToken& cancel() const override;
  void SetProgress(double fraction, std::string message) override;
  void Log(std::string_view bytes) override;

 private:
  // Made when first needed: a short job never does.
  LiveOutput& Live();

  Core& core_;
  Worker& worker_;
  JobEntry* job_ = nullptr;
  JobId id_;
  std::shared_ptr<const JobSpec> spec_;
  Claim claim_;
  MonoTime started_{}, ended_{};
  bool begun_ = false;

  mutable rt::Lock cancel_lock_;  // Taken under the dispatcher's lock or alone.
  unsigned stopped_ MR_GUARDED_BY(cancel_lock_) = kStopNone;
  Status reason_ MR_GUARDED_BY(cancel_lock_);  // Why it was stopped first.
  mutable std::shared_ptr<sync::CancelSource> source_ MR_GUARDED_BY(cancel_lock_);
  mutable sync::CancelToken token_ MR_GUARDED_BY(cancel_lock_);

  std::atomic<LiveOutput*> live_{nullptr};
};

struct Worker {
  Worker(Core& core, Pool& pool, int number);

  // The fiber's body: until it is told to end.
  void Run();
  // In a Turn, of an attempt that was asked to stop: where its start is not committed yet, which on a disk that fails may take for
  // ever, it ends without.
  void AbandonStart(Turn& turn);
  // Ends the Wait that this worker is in or on its way to. Without the lock, once for each Turn that cleared `waits`; the worker may
  // be gone after that.
  void Wake();

  Core& core;
  Pool& pool;
  const int number;
  const std::string name;  // "default/3"

  // ---- Guarded by the dispatcher's lock. Nobody changes them while the worker neither waits nor is idle.
  JobEntry* job = nullptr;      // In hand; given by whoever found this worker idle, or taken by itself.
  std::optional<ColdJob> cold;  // Set aside for this worker to read and to start.
  bool idle = false;            // On the pool's stack of idle workers.
  bool waits = false;           // Parked, or about to be: it goes on when it is woken.
  bool quit = false;            // No more jobs.
  bool awaits_start = false;    // The handler may not run before the journal has committed that it does.
  Worker* next_idle = nullptr;
  Worker* next_woken = nullptr;  // In the Turn that wakes it.
  RunningAttempt attempt;

 private:
  bool TakeJob();  // False: quit.
  // In a Turn: it gets the next job, or one to read first, or becomes idle, or is to end. `rest`: it takes none by itself.
  void LookForJob(bool rest, Turn& turn);
  // Until what LookForJob led to is there to be done: a job whose start is committed, one to read, or the end.
  void Wait(rt::WaitReason reason);
  Result<std::shared_ptr<HotJob>> ReadCold(const JobId& id);
  AttemptOutcome RunAttempt();
  bool RunJob();  // False: the attempt could not be started.

  // A worker that always finds a job would keep its processor for ever: it lets others run after this much time.
  static constexpr Nanos kSlice = std::chrono::milliseconds(2);

  rt::Fiber* fiber_ = nullptr;
  enum Wakeup : int { kNone, kParked, kWoken };
  std::atomic<int> wakeup_{kNone};
  bool looked_ = false;                      // The Turn that ended its last job looked for the next one.
  std::optional<rt::WaitReason> must_wait_;  // What LookForJob led to is not there yet.
  MonoTime slice_start_{};
  // How long the fiber had ever waited for a processor when it was last without a job.
  Nanos runnable_before_{0};
};

// Where the time of an attempt went. Of the time the fiber waited for its children (kProcess), their processor time and their
// wait for a processor take the place of its own; when several children at once had more of both than there was time, their
// proportion counts.
AttemptTimings TimingsOf(const rt::FiberTimes& used, const AttemptOutcome& outcome);

}  // namespace millrace::dispatch
