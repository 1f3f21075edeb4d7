#include "runtime/accounting.h"

#include <numeric>

#include "runtime/cycles.h"
#include "runtime/machine.h"
#include "runtime/park.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

const char* ToString(WaitReason reason) {
  switch (reason) {
    case WaitReason::kNone:
      return "none";
    case WaitReason::kChannelSend:
      return "channel send";
    case WaitReason::kChannelReceive:
      return "channel receive";
    case WaitReason::kSelect:
      return "select";
    case WaitReason::kMutex:
      return "mutex";
    case WaitReason::kRwMutex:
      return "rw mutex";
    case WaitReason::kCondition:
      return "condition";
    case WaitReason::kSemaphore:
      return "semaphore";
    case WaitReason::kOnce:
      return "once";
    case WaitReason::kWaitGroup:
      return "wait group";
    case WaitReason::kTimer:
      return "timer";
    case WaitReason::kIo:
      return "io";
    case WaitReason::kProcess:
      return "process";
    case WaitReason::kBlocking:
      return "blocking call";
    case WaitReason::kIdle:
      return "idle";
    case WaitReason::kExternal:
      return "external";
    case WaitReason::kCount:
      break;
  }
  return "unknown";
}

namespace {

constexpr auto kFirstLost = static_cast<size_t>(WaitReason::kChannelSend);
constexpr auto kAfterLost = static_cast<size_t>(WaitReason::kWaitGroup) + 1;

}  // namespace

Nanos FiberTimes::BlockedLost() const {
  return std::accumulate(blocked.begin() + kFirstLost, blocked.begin() + kAfterLost, Nanos(0));
}

Nanos FiberTimes::BlockedOutside() const {
  const Nanos before = std::accumulate(blocked.begin(), blocked.begin() + kFirstLost, Nanos(0));
  return std::accumulate(blocked.begin() + kAfterLost, blocked.end(), before);
}

FiberTimes FiberTimes::operator-(const FiberTimes& earlier) const {
  FiberTimes difference;
  difference.running = running - earlier.running;
  difference.runnable = runnable - earlier.runnable;
  for (size_t i = 0; i < blocked.size(); ++i) difference.blocked[i] = blocked[i] - earlier.blocked[i];
  return difference;
}

MR_NO_TSAN FiberTimes CurrentFiberTimes() {
  FiberTimes times;
  Fiber* fiber = CurrentFiber();
  if (fiber == nullptr) return times;
  // Stopped in the middle of this, the fiber would find parts of before and of after.
  Pin();
  const Machine& machine = *CurrentMachine();
  const uint64_t now = NowTicks();
  FiberAccount account = fiber->account;
  if (machine.processor.Get() != nullptr) {
    account.RanUntil(now);
  } else {
    // Lost in a call that blocks, as CloseDetachedAccount will book it; in a Blocking call from the start.
    account.DetachedUntil(machine.detached_at.load(std::memory_order_relaxed), now);
  }
  Unpin();
  times.running = Nanos(TicksToNs(account.running));
  times.runnable = Nanos(TicksToNs(account.runnable));
  for (size_t i = 0; i < times.blocked.size(); ++i) times.blocked[i] = Nanos(TicksToNs(account.blocked[i]));
  return times;
}

}  // namespace millrace::rt
