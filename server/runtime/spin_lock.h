// SpinLock: for sections of a few dozen instructions that are entered for every value that passes a channel. Unlike
// Lock it never sleeps: whoever finds it held looks for a while and then lets other threads have the core, since the
// holder must be waiting for one. In return giving it up is a plain store, which halves the cost of a section, and
// touches nothing afterwards: the object it protects may be destroyed by the next holder.
//
//   Rules   As for Lock, without exception: no parking, no user code, no allocation, no system call while held.
//   Whoever holds or waits for one is not stopped by the preemption signal (preempt.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "runtime/preempt.h"

namespace millrace::rt {

class MR_CAPABILITY("lock") SpinLock {
 public:
  SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() MR_ACQUIRE() {
    DisablePreemption();
    // acquire: pairs with the release in unlock, so the section sees what the last one wrote.
    if (held_.exchange(1, std::memory_order_acquire) != 0) [[unlikely]]
      LockSlow();
  }
  bool try_lock() MR_TRY_ACQUIRE(true) {
    DisablePreemption();
    bool taken = TryTake();
    if (!taken) EnablePreemption();
    return taken;
  }
  void unlock() MR_RELEASE() {
    held_.store(0, std::memory_order_release);
    EnablePreemption();
  }

 private:
  bool TryTake() {
    return held_.load(std::memory_order_relaxed) == 0 && held_.exchange(1, std::memory_order_acquire) == 0;
  }
  void LockSlow();

  std::atomic<uint32_t> held_{0};
};

class MR_SCOPED_CAPABILITY SpinLockGuard {
 public:
  explicit SpinLockGuard(SpinLock& lock) MR_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~SpinLockGuard() MR_RELEASE() { lock_.unlock(); }
  SpinLockGuard(const SpinLockGuard&) = delete;
  SpinLockGuard& operator=(const SpinLockGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace millrace::rt
