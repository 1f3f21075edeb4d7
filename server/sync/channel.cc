#include "sync/channel.h"

#include <limits>
#include <mutex>

#include "base/check.h"

namespace millrace::sync::internal {

namespace {

// The lock is held, and released once the fiber has left its stack.
void ParkAndUnlock(rt::WaitReason reason, rt::SpinLock& lock) {
  rt::Park(
      reason,
      [](rt::Fiber*, void* held) {
        static_cast<rt::SpinLock*>(held)->unlock();
        return true;
      },
      &lock);
}

}  // namespace

ChannelCore::ChannelCore(size_t cells_wanted) : capacity(static_cast<uint32_t>(cells_wanted)) {
  MR_CHECK(cells_wanted < std::numeric_limits<uint32_t>::max(), "channel capacity out of range: %zu", cells_wanted);
}

bool ChannelCore::ParkSender(void* value) {
  ChannelWaiter waiter;
  waiter.fiber = RequireFiber("Channel::Send");
  waiter.value = value;
  senders.PushBack(&waiter);
  ParkAndUnlock(rt::WaitReason::kChannelSend, lock);
  return waiter.passed;
}

bool ChannelCore::ParkReceiver(void* value) {
  ChannelWaiter waiter;
  waiter.fiber = RequireFiber("Channel::Receive");
  waiter.value = value;
  receivers.PushBack(&waiter);
  ParkAndUnlock(rt::WaitReason::kChannelReceive, lock);
  return waiter.passed;
}

void ChannelCore::Close() {
  WaitList<ChannelWaiter> released;
  {
    std::lock_guard guard(lock);
    MR_CHECK(!closed.load(std::memory_order_relaxed), "close of closed channel");
    closed.store(true, std::memory_order_release);
    while (ChannelWaiter* waiter = PopLive(receivers)) released.PushBack(waiter);
    while (ChannelWaiter* waiter = PopLive(senders)) released.PushBack(waiter);
  }
  while (ChannelWaiter* waiter = released.PopFront()) rt::Ready(waiter->fiber);
}

rt::Fiber* RequireFiber(const char* operation) {
  rt::Fiber* fiber = rt::CurrentFiber();
  MR_CHECK(fiber != nullptr, "%s on a plain thread: only a fiber can wait; use the Try form", operation);
  return fiber;
}

void FatalSendOnClosed() { MR_FATAL("send on closed channel"); }
void FatalCloseOfNil() { MR_FATAL("close of nil channel"); }

void ParkForEver(rt::WaitReason reason) {
  RequireFiber("waiting for a nil channel");
  for (;;) {
    rt::Park(
        reason, [](rt::Fiber*, void*) { return true; }, nullptr);
  }
}

}  // namespace millrace::sync::internal
