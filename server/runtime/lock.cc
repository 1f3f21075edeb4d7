#include "runtime/lock.h"

#include <climits>

#include "runtime/futex.h"

namespace millrace::rt {

void Lock::LockSlow() {
  // Sections are a few dozen instructions: some hundred cycles of looking is cheaper than the two system calls of a
  // sleep, unless the holder was descheduled, and then more spinning would only be in its way.
  for (int i = 0; i < 40 && starving_.load(std::memory_order_relaxed) == 0; ++i) {
    uint32_t free = kFree;
    if (word_.load(std::memory_order_relaxed) == kFree &&
        word_.compare_exchange_weak(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      return;
    }
    CpuRelax();
  }
  // A newcomer lets those who starve go first. It may be overtaken by the next one who does, but not by one who came
  // after it.
  while (uint32_t starving = starving_.load(std::memory_order_relaxed)) FutexWait(starving_, starving);
  // From here the word says kContended, also for the section we get: unlock then wakes one more than needed, never one
  // less.
  int wakes = 0;
  while (word_.exchange(kContended, std::memory_order_acquire) != kFree) {
    FutexWait(word_, kContended);
    if (++wakes == kPatience) starving_.fetch_add(1, std::memory_order_relaxed);
  }
  if (wakes >= kPatience) {
    starving_.fetch_sub(1, std::memory_order_relaxed);
    FutexWake(starving_, INT_MAX);
  }
}

void Lock::WakeOne() { FutexWake(word_, 1); }

}  // namespace millrace::rt
