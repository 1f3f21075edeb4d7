// Worker: a fiber that uses a slot of its pool: it takes jobs and runs them, one after the other.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "base/status.h"
#include "dispatch/in_turn.h"
#include "dispatch/pool.h"
#include "dispatch/slot.h"
#include "runtime/accounting.h"
#include "runtime/fiber.h"

namespace millrace::dispatch {

class Core;
class Turn;

struct Worker final : Slot {
  Worker(Core& core, Pool& pool, int number);

  // The fiber's body: until it is told to end.
  void Run();
  // In a Turn, of an attempt that was asked to stop: where its start is not committed yet, which on a disk that fails
  // may take for ever, it ends without.
  void AbandonStart(Turn& turn) MR_IN_TURN;
  void Wake() override;

  Core& core;
  const int number;

 private:
  bool TakeJob();  // False: quit.
  // In a Turn: it gets the next job, or one to read first, or becomes idle, or is to end. `rest`: it takes none by
  // itself.
  void LookForJob(bool rest, Turn& turn) MR_IN_TURN;
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

}  // namespace millrace::dispatch
