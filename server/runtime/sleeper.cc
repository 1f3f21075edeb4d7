#include "runtime/sleeper.h"

#include "runtime/cycles.h"
#include "runtime/futex.h"

namespace millrace::rt {

void SleeperHandle::WakeThread() const {
  auto& word = *reinterpret_cast<std::atomic<uint32_t>*>(bits_ & ~kThread);
  // release: pairs with the acquire in SleepUntil. The frame of the word may be gone right after; a futex wake on its
  // address is harmless then, as Parker::Wake says.
  word.store(1, std::memory_order_release);
  FutexWake(word, 1);
}

bool Sleeper::SleepUntil(int64_t deadline_ns) {
  while (woken_.load(std::memory_order_acquire) == 0) {
    if (deadline_ns == kNever) {
      FutexWait(woken_, 0);
      continue;
    }
    if (NowNs() >= deadline_ns) return false;
    FutexWaitUntil(woken_, 0, deadline_ns);
  }
  woken_.store(0, std::memory_order_relaxed);
  return true;
}

}  // namespace millrace::rt
