// Lock: the runtime's own mutex, for critical sections of a few dozen instructions. It blocks the thread, never the
// fiber.
//
//   Callers   Any fiber, any plain thread, the scheduler itself.
//   Rules     Never parks while held (except through ParkAndUnlock). Never runs user code while held: no callback, no
//             T's move constructor, no allocation where it can be avoided. Short, because others spin for it.
//   Method    Three-state futex mutex (Drepper, "Futexes Are Tricky", mutex2) with a short spin before it sleeps.
//             Unlock is a locked exchange on purpose: a plain store followed by a look for sleepers can miss one
//             (store-load reordering), and a lock whose wake-ups need a time-out as a safety net is not worth the 5 ns.
//   Fairness  Whoever runs may take a free lock before one who has just been woken for it; that is fast, and starves a
//             sleeper beside threads that take the lock in a loop. A waiter woken kPatience times in vain therefore
//             keeps newcomers out until it has had its turn.
//   Preempt   Whoever holds or waits for one is not stopped by the preemption signal (preempt.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "runtime/preempt.h"

namespace millrace::rt {

class MR_CAPABILITY("lock") Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() MR_ACQUIRE() {
    DisablePreemption();
    // acquire: pairs with the release in unlock, so the section sees what the last one wrote.
    uint32_t free = kFree;
    if (starving_.load(std::memory_order_relaxed) != 0 ||
        !word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed))
        [[unlikely]] {
      LockSlow();
    }
  }
  bool try_lock() MR_TRY_ACQUIRE(true) {
    DisablePreemption();
    uint32_t free = kFree;
    bool taken = word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
    if (!taken) EnablePreemption();
    return taken;
  }
  void unlock() MR_RELEASE() {
    if (word_.exchange(kFree, std::memory_order_release) == kContended) WakeOne();
    EnablePreemption();
  }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;
  static constexpr int kPatience = 4;
  void LockSlow();
  void WakeOne();

  std::atomic<uint32_t> word_{kFree};
  std::atomic<uint32_t> starving_{0};  // How many waiters have lost their patience.
};

// `LockGuard guard(lock_);` is a std::lock_guard that clang's thread-safety analysis knows.
class MR_SCOPED_CAPABILITY LockGuard {
 public:
  explicit LockGuard(Lock& lock) MR_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~LockGuard() MR_RELEASE() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace millrace::rt
