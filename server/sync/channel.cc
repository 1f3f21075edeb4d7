#include "sync/channel.h"

#include <limits>

#include "base/check.h"

namespace millrace::sync::internal {

ChannelCore::ChannelCore(size_t cells_wanted) : capacity(static_cast<uint32_t>(cells_wanted)) {
  MR_CHECK(cells_wanted < std::numeric_limits<uint32_t>::max(), "channel capacity out of range: %zu", cells_wanted);
}

bool ChannelCore::ParkSender(void* value) {
  rt::Sleeper self;
  ChannelWaiter waiter;
  waiter.who = self.handle();
  waiter.value = value;
  senders.PushBack(&waiter);
  self.ParkAndUnlock(rt::WaitReason::kChannelSend, lock);
  return waiter.passed;
}

bool ChannelCore::ParkReceiver(void* value) {
  rt::Sleeper self;
  ChannelWaiter waiter;
  waiter.who = self.handle();
  waiter.value = value;
  receivers.PushBack(&waiter);
  self.ParkAndUnlock(rt::WaitReason::kChannelReceive, lock);
  return waiter.passed;
}

void ChannelCore::Close() {
  WaitList<ChannelWaiter> released;
  {
    rt::SpinLockGuard guard(lock);
    MR_CHECK(!closed.load(std::memory_order_relaxed), "close of closed channel");
    closed.store(true, std::memory_order_release);
    while (ChannelWaiter* waiter = PopLive(receivers)) released.PushBack(waiter);
    while (ChannelWaiter* waiter = PopLive(senders)) released.PushBack(waiter);
  }
  while (ChannelWaiter* waiter = released.PopFront()) rt::Ready(waiter->who);
}

void FatalSendOnClosed() { MR_FATAL("send on closed channel"); }
void FatalCloseOfNil() { MR_FATAL("close of nil channel"); }

void ParkForEver(rt::WaitReason reason) {
  rt::Sleeper self;
  for (;;) {
    self.Park(
        reason, [](rt::Fiber*, void*) { return true; }, nullptr);
  }
}

}  // namespace millrace::sync::internal
