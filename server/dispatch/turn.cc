#include "dispatch/turn.h"

#include <algorithm>

#include "dispatch/core.h"
#include "dispatch/worker.h"

namespace millrace::dispatch {

Turn::Turn(Core& core) : core_(core) { core_.lock.lock(); }

Turn::~Turn() {
  if (!held_) return;
  ServeGates();
  core_.lock.unlock();
  DoTheRest();
}

MonoTime Turn::mono() {
  if (!mono_) mono_ = core_.clock.Mono();
  return *mono_;
}

WallTime Turn::wall() {
  if (!wall_) wall_ = core_.clock.Wall();
  return *wall_;
}

void Turn::Wake(Worker* worker) {
  if (!worker->parked) return;  // It is on its way and will see what it was given when it has the lock.
  worker->parked = false;
  worker->next_woken = woken_;
  woken_ = worker;
}

void Turn::Answer(Submission* submission, Status status) {
  submission->status = std::move(status);
  submission->next_ = nullptr;
  submission->previous_ = last_answered_;
  (last_answered_ != nullptr ? last_answered_->next_ : answered_) = submission;
  last_answered_ = submission;
}

void Turn::Free(std::shared_ptr<const void> memory) {
  if (!memory) return;
  if (free_ < freed_.size()) {
    freed_[free_++] = std::move(memory);
  } else {
    more_freed_.push_back(std::move(memory));
  }
}

void Turn::RoomAt(Gate& gate) {
  if (gate.empty() || std::find(gates_.begin(), gates_.end(), &gate) != gates_.end()) return;
  gates_.push_back(&gate);
}

void Turn::ServeGates() {
  while (!gates_.empty()) {  // Serving one may make room at another: a submission that is refused gives up its places.
    Gate* gate = gates_.back();
    gates_.pop_back();
    core_.admission.Serve(*gate, *this);
  }
}

bool Turn::NothingToDo() const {
  return woken_ == nullptr && answered_ == nullptr && free_ == 0 && finished_.empty() && drained_.empty() &&
         cancels_.empty() && !events_ && !kick_;
}

bool Turn::ParkIdle(Worker& worker) {
  ServeGates();
  if (worker.job != nullptr || worker.cold || worker.quit || !NothingToDo()) return false;
  Park(worker, rt::WaitReason::kIdle);
  return true;
}

void Turn::Park(Worker& worker, rt::WaitReason reason) {
  worker.parked = true;
  held_ = false;
  rt::ParkAndUnlock(reason, core_.lock);
}

void Turn::DoTheRest() {
  // Neither a worker nor a submission may be touched once it was told: it may be gone.
  for (Worker* worker = woken_; worker != nullptr;) {
    Worker* next = worker->next_woken;
    rt::Ready(worker->fiber);
    worker = next;
  }
  for (Submission* submission = answered_; submission != nullptr;) {
    Submission* next = submission->next_;
    submission->Done();
    submission = next;
  }
  for (auto& [source, reason] : cancels_) source->Cancel(std::move(reason));
  for (auto& [waiter, job] : finished_) waiter->OnFinished(SnapshotOf(*job, /*full=*/true));
  for (auto& [waiter, pool] : drained_) waiter->OnDrained(std::move(pool));
  for (auto& [pool, number] : new_workers_) core_.RunWorker(*pool, number);
  if (kick_) core_.timekeeper.Kick();
  if (events_) core_.events.Notify();
}

}  // namespace millrace::dispatch
