#include "runtime/lock.h"

#include "runtime/futex.h"

namespace millrace::rt {

void Lock::LockSlow() {
  // Sections are a few dozen instructions: some hundred cycles of looking is cheaper than the two system calls of a sleep,
  // unless the holder was descheduled, and then more spinning would only be in its way.
  for (int i = 0; i < 40; ++i) {
    uint32_t free = kFree;
    if (word_.load(std::memory_order_relaxed) == kFree &&
        word_.compare_exchange_weak(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      return;
    }
    CpuRelax();
  }
  // From here the word says kContended, also for the section we get: unlock then wakes one more than needed, never one less.
  while (word_.exchange(kContended, std::memory_order_acquire) != kFree) FutexWait(word_, kContended);
}

void Lock::WakeOne() { FutexWake(word_, 1); }

}  // namespace millrace::rt
