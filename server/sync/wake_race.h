// WakeRace: several may wake one that waits, exactly one of them does. Settled by one compare-and-swap (Go:
// selectDone).
//
//   Who waits     makes a race in its frame, publishes it to all wakers, calls Park; then takes it back from the
//                 losers. A fiber, or a plain thread (sleeper.h).
//   A waker       calls Claim. Only the winner goes on: kParked obliges it to call rt::Ready(handle()) once, kEarly to
//                 do nothing, since the other has not left yet and will notice. It touches nothing of the race
//                 afterwards.
//   Lifetime      A loser may look at the race as long as it is published, so it is unlinked under each waker's lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "runtime/park.h"
#include "runtime/sanitizers.h"
#include "runtime/sleeper.h"
#include "runtime/timer.h"

namespace millrace::sync::internal {

class WakeRace {
 public:
  enum class Outcome : uint8_t { kLost, kEarly, kParked };

  // `fiber`: the caller; nullptr: a plain thread. `early`: a waker may come before it has parked, so Commit is needed.
  // Without: all wakers need a lock that is held until it has parked.
  explicit WakeRace(rt::Fiber* fiber, bool early = true) : state_(early ? kOpen : kParked), self_(fiber) {}
  WakeRace(const WakeRace&) = delete;
  WakeRace& operator=(const WakeRace&) = delete;

  rt::Fiber* fiber() const { return self_.fiber(); }
  rt::SleeperHandle handle() { return self_.handle(); }

  Outcome Claim() {
    // acq_rel: the winner's writes before the claim are seen by one that finds the race settled in Commit.
    switch (state_.exchange(kSettled, std::memory_order_acq_rel)) {
      case kOpen:
        return Outcome::kEarly;
      case kParked:
        return Outcome::kParked;
      default:
        return Outcome::kLost;
    }
  }

  // For wakers that do nothing else than wake.
  void Wake() {
    rt::SleeperHandle sleeper = handle();
    if (Claim() == Outcome::kParked) rt::Ready(sleeper);
  }

  // In a ParkCommit, before any lock is released. False: a waker was there first.
  bool Commit() {
    uint32_t open = kOpen;
    return state_.compare_exchange_strong(open, kParked, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  // Parks until claimed; wakers may come at any time.
  void Park(rt::WaitReason reason) {
    Park(
        reason, [](rt::Fiber*, void* self) { return static_cast<WakeRace*>(self)->Commit(); }, this);
  }
  // The same with a commit of the caller's, which calls Commit if that is needed.
  void Park(rt::WaitReason reason, rt::ParkCommit commit, void* argument) {
    if (fiber() != nullptr || thread_deadline_ns_ == rt::Sleeper::kNever) [[likely]] {
      self_.Park(reason, commit, argument);
      rt::sanitizers::Acquire(&state_);  // A waker may have come before the commit, which then saw it.
      return;
    }
    if (!commit(nullptr, argument) || self_.SleepUntil(thread_deadline_ns_)) return;
    timed_out_ = Claim() != Outcome::kLost;
    if (!timed_out_) self_.SleepUntil(rt::Sleeper::kNever);  // The winner is about to ready us.
  }

 private:
  friend class RaceTimer;
  static constexpr uint32_t kOpen = 0, kParked = 1, kSettled = 2;

  std::atomic<uint32_t> state_;
  rt::Sleeper self_;
  // A plain thread has no timers: it looks at the clock itself.
  int64_t thread_deadline_ns_ = rt::Sleeper::kNever;
  bool timed_out_ = false;
};

// A deadline that takes part in a race.
class RaceTimer : private rt::Timer {
 public:
  explicit RaceTimer(WakeRace& race) : race_(race) {}

  void Start(MonoTime deadline) {
    if (race_.fiber() != nullptr) return Timer::Start(deadline, &Fire);
    race_.thread_deadline_ns_ = deadline.time_since_epoch().count();
  }

  // Before the frame is left. True: the deadline won.
  bool Stop() {
    Cancel();
    return won_ || race_.timed_out_;
  }

 private:
  static void Fire(rt::Timer* timer) {
    auto* self = static_cast<RaceTimer*>(timer);
    // Stop takes the heap's lock, which is held here: this frame outlives the function whoever runs first.
    rt::SleeperHandle sleeper = self->race_.handle();
    WakeRace::Outcome outcome = self->race_.Claim();
    self->won_ = outcome != WakeRace::Outcome::kLost;
    if (outcome == WakeRace::Outcome::kParked) rt::Ready(sleeper);
  }

  WakeRace& race_;
  bool won_ = false;
};

}  // namespace millrace::sync::internal
