#include "dispatch/turn.h"

#include <algorithm>

#include "dispatch/core.h"
#include "dispatch/lease.h"
#include "dispatch/slot.h"

namespace millrace::dispatch {

Turn::Turn(Core& core) : core_(core) {
  core_.lock.lock();
  ++core_.turns;
}

Turn::~Turn() {
  if (!held_) return;
  Settle();
  core_.lock.unlock();
  DoTheRest();
}

MonoTime Turn::ReadMono() const { return core_.clock.Mono(); }
WallTime Turn::ReadWall() const { return core_.clock.Wall(); }

void Turn::Wake(Slot* slot) {
  if (!slot->waits) return;                 // It is in a turn of its own, at whose end it sees what it was given.
  if (slot->awaits_start) return;           // The commit of its start wakes it: before that it could only wait again.
  if (slot->leased && !slot->cold) return;  // Leases::Started has told of it.
  if (slot->leased) core_.leases.ExpectReader();
  ++core_.worker_wakes;
  slot->waits = false;
  slot->next_woken = woken_;
  woken_ = slot;
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
    Seldom().more_freed.push_back(std::move(memory));
  }
}

void Turn::RoomAt(Gate& gate) {
  if (gate.empty() || std::find(gates_.begin(), gates_.end(), &gate) != gates_.end()) return;
  gates_.push_back(&gate);
}

void Turn::ServeGates() {
  // Serving one may make room at another: a submission that is refused gives up its places.
  for (;;) {
    if (Pool* pool = core_.permits.TakeServable()) {
      core_.ServeIdleWorkers(*pool, *this);
      continue;
    }
    if (gates_.empty()) break;
    Gate* gate = gates_.back();
    gates_.pop_back();
    core_.admission.Serve(*gate, *this);
  }
}

void Turn::Settle() {
  // What follows from a commit at once may make room, and a submit that is served then writes again.
  do {
    if (core_.permits.any_servable() || !gates_.empty()) ServeGates();
  } while (core_.commits.HandOver(*this));
  if (core_.options().check_invariants) core_.CheckInvariants();
}

std::optional<rt::WaitReason> Turn::EndFor(Slot& slot) {
  Settle();
  std::optional<rt::WaitReason> wait;
  if (slot.idle) wait = rt::WaitReason::kIdle;
  if (slot.awaits_start) wait = rt::WaitReason::kIo;
  slot.waits = wait.has_value();
  held_ = false;
  core_.lock.unlock();
  DoTheRest();
  return wait;
}

void Turn::DoTheRest() {
  // Neither a worker nor a submission may be touched once it was told: it may be gone.
  for (Slot* slot = woken_; slot != nullptr;) {
    Slot* next = slot->next_woken;
    slot->Wake();
    slot = next;
  }
  for (Submission* submission = answered_; submission != nullptr;) {
    Submission* next = submission->next_;
    submission->Done();
    submission = next;
  }
  if (door_) door_->OnNews();
  if (seldom_) DoWhatIsSeldom();
  // Any number may wait for one job, and stand together here: they look at one copy.
  for (size_t i = 0; i < finished_.size();) {
    const JobRecord* const record = finished_[i].second.get();
    const JobSnapshot job = SnapshotOf(*record, /*full=*/true);
    for (; i < finished_.size() && finished_[i].second.get() == record; ++i) finished_[i].first->OnFinished(job);
  }
  if (kick_) core_.timekeeper.Kick();
  if (events_) core_.events.Notify();
}

void Turn::DoWhatIsSeldom() {
  for (VerbCall* call : seldom_->verbs) call->Done();
  for (const std::shared_ptr<WorkerDoor>& door : seldom_->doors) door->OnNews();
  for (auto& [source, reason] : seldom_->cancels) source->Cancel(std::move(reason));
  for (auto& [waiter, pool] : seldom_->drained) waiter->OnDrained(std::move(pool));
  for (auto& [pool, number] : seldom_->new_workers) core_.RunWorker(*pool, number);
  if (!seldom_->store_lost.ok() && core_.store_lost_door) core_.store_lost_door(seldom_->store_lost);
}

}  // namespace millrace::dispatch
