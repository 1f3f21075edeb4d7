// WakeRace: several may wake one fiber, exactly one of them does. Settled by one compare-and-swap (Go: selectDone).
//
//   The fiber     makes a race on its stack, publishes it to all wakers, calls Park; then takes it back from the losers.
//   A waker       calls Claim. Only the winner goes on: kParked obliges it to call rt::Ready(fiber()) once, kEarly to do nothing,
//                 since the fiber has not left yet and will notice. It touches nothing of the race afterwards.
//   Lifetime      A loser may look at the race as long as it is published, so the fiber unlinks it under each waker's lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "runtime/park.h"
#include "runtime/timer.h"

namespace millrace::sync::internal {

class WakeRace {
 public:
  enum class Outcome : uint8_t { kLost, kEarly, kParked };

  // `early`: a waker may come before the fiber has parked, so Commit is needed. Without: all wakers need a lock that the fiber
  // holds until it has parked.
  explicit WakeRace(rt::Fiber* fiber, bool early = true) : state_(early ? kOpen : kParked), fiber_(fiber) {}
  WakeRace(const WakeRace&) = delete;
  WakeRace& operator=(const WakeRace&) = delete;

  rt::Fiber* fiber() const { return fiber_; }

  Outcome Claim() {
    // acq_rel: the winner's writes before the claim are seen by a fiber that finds the race settled in Commit.
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
    rt::Fiber* fiber = fiber_;
    if (Claim() == Outcome::kParked) rt::Ready(fiber);
  }

  // In a ParkCommit, before any lock is released. False: a waker was there first.
  bool Commit() {
    uint32_t open = kOpen;
    return state_.compare_exchange_strong(open, kParked, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  // Parks until claimed; wakers may come at any time.
  void Park(rt::WaitReason reason) {
    rt::Park(
        reason, [](rt::Fiber*, void* self) { return static_cast<WakeRace*>(self)->Commit(); }, this);
  }

 private:
  static constexpr uint32_t kOpen = 0, kParked = 1, kSettled = 2;

  std::atomic<uint32_t> state_;
  rt::Fiber* const fiber_;
};

// A deadline that takes part in a race.
class RaceTimer : private rt::Timer {
 public:
  explicit RaceTimer(WakeRace& race) : race_(race) {}

  void Start(MonoTime deadline) { Timer::Start(deadline, &Fire); }

  // Before the frame is left. True: the deadline won.
  bool Stop() {
    Cancel();
    return won_;
  }

 private:
  static void Fire(rt::Timer* timer) {
    auto* self = static_cast<RaceTimer*>(timer);
    // Stop takes the heap's lock, which is held here: this frame outlives the function whoever runs first.
    rt::Fiber* fiber = self->race_.fiber();
    WakeRace::Outcome outcome = self->race_.Claim();
    self->won_ = outcome != WakeRace::Outcome::kLost;
    if (outcome == WakeRace::Outcome::kParked) rt::Ready(fiber);
  }

  WakeRace& race_;
  bool won_ = false;
};

}  // namespace millrace::sync::internal
