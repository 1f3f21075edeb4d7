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

Netpoller& NetpollerSlot::Use(std::unique_ptr<Netpoller> (*make)()) {
  if (Netpoller* present = present_.load(std::memory_order_acquire); present != &sleep_poller_) return *present;
  ThreadGuard guard(mutex_);
  if (made_ == nullptr) {
    made_ = make();
    present_.store(made_.get(), std::memory_order_seq_cst);
    // Whoever is asleep in the old one goes over to the new one.
    sleep_poller_.Interrupt();
  }
  return *made_;
}

}  // namespace millrace::rt
