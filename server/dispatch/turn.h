// Turn: one section under the dispatcher's lock, and what follows from it once the lock is released.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "dispatch/dispatcher.h"
#include "dispatch/in_turn.h"
#include "dispatch/job_entry.h"
#include "runtime/accounting.h"
#include "sync/cancel.h"

namespace millrace::dispatch {

class Core;
class Gate;
class Pool;
class Slot;
struct Worker;
class WorkerDoor;

class MR_SCOPED_CAPABILITY Turn {
 public:
  explicit Turn(Core& core) MR_ACQUIRE(in_turn);  // Takes the lock.
  // Serves whoever waits for room, hands what was written to the journal, releases the lock, then does what was noted.
  ~Turn() MR_RELEASE();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // The time of this turn: read once, so that all its moves happen at the same time.
  MonoTime mono() {
    if (!mono_) mono_ = ReadMono();
    return *mono_;
  }
  WallTime wall() {
    if (!wall_) wall_ = ReadWall();
    return *wall_;
  }

  // ---- To be done after the lock is released
  void Wake(Slot* slot);
  void Answer(Submission* submission, Status status);
  void Answer(VerbCall* call) { Seldom().verbs.push_back(call); }
  // How the job ended; the record does not change any more.
  void Tell(JobWaiter* waiter, std::shared_ptr<const JobRecord> job) { finished_.emplace_back(waiter, std::move(job)); }
  void Tell(Dispatcher::DrainWaiter* waiter, Result<PoolStatus> pool) {
    Seldom().drained.emplace_back(waiter, std::move(pool));
  }
  void Tell(std::shared_ptr<WorkerDoor> door) {
    if (!door_) {
      door_ = std::move(door);
    } else {
      Seldom().doors.push_back(std::move(door));
    }
  }
  void Cancel(std::shared_ptr<sync::CancelSource> source, Status reason) {
    Seldom().cancels.emplace_back(std::move(source), std::move(reason));
  }
  void Free(std::shared_ptr<const void> memory);
  void StartWorker(Pool& pool, int number) { Seldom().new_workers.emplace_back(&pool, number); }
  void KickTimekeeper() { kick_ = true; }
  void NotifyWatchers() { events_ = true; }
  void TellStoreLost(Status status) { Seldom().store_lost = std::move(status); }

  // ---- Before the lock is released
  // There may be room for whoever waits at the gate.
  void RoomAt(Gate& gate);

  // Ends the turn of a worker as the destructor does. A reason: it has nothing to do now, and waits (Worker::Wait)
  // until another turn wakes it.
  std::optional<rt::WaitReason> EndFor(Slot& slot) MR_RELEASE() MR_NO_THREAD_SAFETY_ANALYSIS;

 private:
  MonoTime ReadMono() const;
  WallTime ReadWall() const;
  void ServeGates() MR_IN_TURN;
  void Settle() MR_IN_TURN;
  void DoTheRest();
  void DoWhatIsSeldom();

  Core& core_;
  bool held_ = true;
  bool events_ = false, kick_ = false;
  std::optional<MonoTime> mono_;
  std::optional<WallTime> wall_;

  // Chains through the objects themselves where a job makes one on every way through: no allocation.
  Slot* woken_ = nullptr;
  Submission* answered_ = nullptr;  // In order.
  Submission* last_answered_ = nullptr;
  std::array<std::shared_ptr<const void>, 3> freed_;
  size_t free_ = 0;  // The first one of `freed_` that is empty.
  std::vector<Gate*> gates_;
  std::vector<std::pair<JobWaiter*, std::shared_ptr<const JobRecord>>> finished_;
  std::shared_ptr<WorkerDoor> door_;  // Mostly there is one at most.

  // Few Turns do any of this, so the others do not pay for it.
  struct SeldomDone {
    Status store_lost;
    std::vector<std::shared_ptr<const void>> more_freed;
    std::vector<std::pair<Pool*, int>> new_workers;
    std::vector<VerbCall*> verbs;
    std::vector<std::shared_ptr<WorkerDoor>> doors;
    std::vector<std::pair<Dispatcher::DrainWaiter*, Result<PoolStatus>>> drained;
    std::vector<std::pair<std::shared_ptr<sync::CancelSource>, Status>> cancels;
  };
  SeldomDone& Seldom() {
    if (!seldom_) seldom_ = std::make_unique<SeldomDone>();
    return *seldom_;
  }
  std::unique_ptr<SeldomDone> seldom_;
};

}  // namespace millrace::dispatch
