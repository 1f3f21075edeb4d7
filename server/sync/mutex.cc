#include "sync/mutex.h"

#include <chrono>

#include "base/check.h"
#include "base/clock.h"
#include "runtime/backoff.h"
#include "runtime/runtime.h"
#include "runtime/sleeper.h"

namespace millrace::sync {

struct Mutex::Waiter : internal::WaitLink<Mutex::Waiter> {
  rt::SleeperHandle who;
  MonoTime since{};
  bool handed = false;  // The mutex is ours: unlock passed it on.
};

namespace {

constexpr Nanos kStarvation = std::chrono::milliseconds(1);
// Sections under a mutex are mostly short and the holder mostly runs: a microsecond or two of looking is less than a
// park. In ticks.
constexpr uint64_t kFirstLook = 256, kLastLook = 2048;

MonoTime Now() { return rt::Now(); }

}  // namespace

// With `state` just read: takes a free mutex and clears the bit that is ours. Leaves the newest state behind when it
// fails.
bool Mutex::TryAcquire(uint32_t& state, uint32_t clear) {
  while ((state & kLocked) == 0) {
    if (state_.compare_exchange_weak(state, (state | kLocked) & ~clear, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void Mutex::LockSlow(rt::Fiber* fiber) {
  rt::Sleeper self(fiber);
  Waiter waiter;
  waiter.who = self.handle();
  bool has_waited = false;
  uint32_t mine = 0;  // kWoken while that mark is ours.
  for (;;) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    for (rt::Backoff backoff(kFirstLook, kLastLook);;) {
      if (TryAcquire(state, mine)) return;
      if (mine == 0 && (state & (kWaiting | kWoken)) == kWaiting &&
          state_.compare_exchange_strong(state, state | kWoken, std::memory_order_relaxed, std::memory_order_relaxed)) {
        mine = kWoken;
      }
      if (!backoff.Pause()) break;
      state = state_.load(std::memory_order_relaxed);
    }

    const uint32_t starving = has_waited && Now() - waiter.since > kStarvation ? kStarving : 0;
    queue_lock_.lock();
    // Held at the moment it learns of us: its unlock comes through queue_lock_ and finds us.
    do {
      if (TryAcquire(state, mine)) {
        queue_lock_.unlock();
        return;
      }
    } while (!state_.compare_exchange_weak(state, (state | kWaiting | starving) & ~mine, std::memory_order_relaxed,
                                           std::memory_order_relaxed));
    mine = 0;
    if (has_waited) {
      waiters_.PushFront(&waiter);
    } else {
      waiter.since = Now();
      waiters_.PushBack(&waiter);
      has_waited = true;
    }
    if (fiber != nullptr)
      fiber->waits_for_owner_at.store(&owner_, std::memory_order_relaxed);  // Its reader expects anything.
    self.ParkAndUnlock(reason_, queue_lock_);
    if (fiber != nullptr) fiber->waits_for_owner_at.store(nullptr, std::memory_order_relaxed);
    if (waiter.handed) return;
    mine = kWoken;
  }
}

void Mutex::UnlockSlow() {
  uint32_t state = state_.load(std::memory_order_relaxed);
  // One step, after which the mutex may be gone with its owner. Whoever unlocks it while there is somebody to wake
  // comes through queue_lock_, so below it stays until we have let go of that.
  while (MayJustLetGo(state)) {
    if (state_.compare_exchange_weak(state, state & ~kLocked, std::memory_order_release, std::memory_order_relaxed))
      return;
  }
  MR_CHECK((state & kLocked) != 0, "sync: unlock of unlocked mutex");

  queue_lock_.lock();
  if ((state_.load(std::memory_order_relaxed) & kStarving) != 0) {
    Waiter* next = waiters_.PopFront();
    if (waiters_.empty()) {
      state_.fetch_and(~(kWaiting | kStarving), std::memory_order_relaxed);
    } else if (Now() - next->since < kStarvation) {
      state_.fetch_and(~kStarving, std::memory_order_relaxed);
    }
    next->handed = true;
    rt::SleeperHandle who = next->who;
    queue_lock_.unlock();
    rt::Ready(who);
    return;
  }

  bool wake;
  uint32_t left;
  state = state_.load(std::memory_order_relaxed);
  do {
    wake = (state & kWoken) == 0;
    left = state & ~kLocked;
    if (wake) left |= kWoken;
    if (wake && waiters_.single()) left &= ~kWaiting;
  } while (!state_.compare_exchange_weak(state, left, std::memory_order_release, std::memory_order_relaxed));
  rt::SleeperHandle next;
  if (wake) next = waiters_.PopFront()->who;
  queue_lock_.unlock();
  if (wake) rt::Ready(next);
}

}  // namespace millrace::sync
