// SpinLock: for sections of a few dozen instructions that are entered for every value that passes a channel. Unlike Lock it never
// sleeps: who finds it held looks for a while and then lets other threads have the core, since the holder must be waiting for one.
// In return giving it up is a plain store, which halves the cost of a section, and touches nothing afterwards: the object it
// protects may be destroyed by the next holder.
//
//   Rules   As for Lock, without exception: no parking, no user code, no allocation, no system call while held.
//   Next    Preemption will be disabled while one is held, as with Lock.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace::rt {

class SpinLock {
 public:
  SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() {
    // acquire: pairs with the release in unlock, so the section sees what the last one wrote.
    if (held_.exchange(1, std::memory_order_acquire) != 0) [[unlikely]]
      LockSlow();
  }
  bool try_lock() {
    return held_.load(std::memory_order_relaxed) == 0 && held_.exchange(1, std::memory_order_acquire) == 0;
  }
  void unlock() { held_.store(0, std::memory_order_release); }

 private:
  void LockSlow();

  std::atomic<uint32_t> held_{0};
};

}  // namespace millrace::rt
