#include "runtime/netpoll.h"

#include <limits>

#include "runtime/futex.h"

namespace millrace::rt {

void SleepPoller::Wait(int64_t deadline_ns) {
  if (deadline_ns == std::numeric_limits<int64_t>::max()) {
    FutexWait(interrupted_, 0);
  } else {
    FutexWaitUntil(interrupted_, 0, deadline_ns);
  }
  interrupted_.store(0, std::memory_order_seq_cst);
}

void SleepPoller::Interrupt() {
  interrupted_.store(1, std::memory_order_seq_cst);
  FutexWake(interrupted_, 1);
}

}  // namespace millrace::rt
