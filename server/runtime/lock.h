// Lock: the runtime's own mutex, for critical sections of a few dozen instructions. It blocks the thread, never the fiber.
//
//   Callers   Any fiber, any plain thread, the scheduler itself.
//   Rules     Never parks while held (except through ParkAndUnlock). Never runs user code while held: no callback, no T's move
//             constructor, no allocation where it can be avoided. Short, because others spin for it.
//   Method    Three-state futex mutex (Drepper, "Futexes Are Tricky", mutex2) with a short spin before it sleeps.
//   Next      Preemption will be disabled while one is held: this is the only place that has to learn it.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace::rt {

class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() {
    uint32_t free = kFree;
    // acquire: pairs with the release in unlock, so the section sees what the last one wrote.
    if (!word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) LockSlow();
  }
  bool try_lock() {
    uint32_t free = kFree;
    return word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() {
    if (word_.exchange(kFree, std::memory_order_release) == kContended) WakeOne();
  }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;
  void LockSlow();
  void WakeOne();

  std::atomic<uint32_t> word_{kFree};
};

// `LockGuard guard(lock_);` as std::lock_guard, which works as well; the short name keeps call sites readable.
class LockGuard {
 public:
  explicit LockGuard(Lock& lock) : lock_(lock) { lock_.lock(); }
  ~LockGuard() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace millrace::rt
