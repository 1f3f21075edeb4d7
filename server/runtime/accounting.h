// Where a fiber's time goes. Every switch reads the time-stamp counter once and adds the interval to one of these
// heaps; the sum over all heaps is the fiber's wall time since it was started.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace millrace::rt {

// Why a fiber is parked. Keep ToString and the metrics' names in step. Those that are lost (below) stand together.
enum class WaitReason : uint8_t {
  kNone = 0,
  kChannelSend,  // The first that is lost.
  kChannelReceive,
  kSelect,
  kMutex,
  kRwMutex,
  kCondition,
  kSemaphore,
  kOnce,
  kWaitGroup,  // The last that is lost.
  kTimer,
  kIo,
  kProcess,   // a child process
  kBlocking,  // a call that blocks the thread
  kIdle,      // a pool worker without a job
  kExternal,  // a plain thread will wake it
  kCount,
};

const char* ToString(WaitReason reason);

// Lost: the fiber waits for another fiber inside this process (locks, channels). Not lost: it waits for what is
// inherently outside (time, I/O, a child, a blocking call). design.md §5.
constexpr bool IsLost(WaitReason reason) {
  return reason >= WaitReason::kChannelSend && reason <= WaitReason::kWaitGroup;
}

struct FiberTimes {
  Nanos running{0};
  Nanos runnable{0};  // ready, waiting for a processor
  std::array<Nanos, static_cast<size_t>(WaitReason::kCount)> blocked{};

  Nanos BlockedLost() const;
  Nanos BlockedOutside() const;
  FiberTimes operator-(const FiberTimes& earlier) const;
};

// The times of the calling fiber, up to now. Zeroes on a plain thread.
FiberTimes CurrentFiberTimes();

}  // namespace millrace::rt
