#include "runtime/spin_lock.h"

#include <sched.h>

#include <ctime>

#include "runtime/backoff.h"

namespace millrace::rt {

void SpinLock::LockSlow() {
  for (Backoff backoff(512, 16384); backoff.Pause();) {
    if (TryTake()) return;
  }
  // The holder was descheduled in the middle of its section. Should it have a lower priority than this thread, yielding
  // does not help it, so in the end this sleeps.
  for (int i = 0; !TryTake(); ++i) {
    if (i < 100) {
      sched_yield();
    } else {
      timespec pause{.tv_sec = 0, .tv_nsec = 50'000};
      nanosleep(&pause, nullptr);
    }
  }
}

}  // namespace millrace::rt
