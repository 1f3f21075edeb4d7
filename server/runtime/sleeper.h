// Sleeper: whoever waits in a queue of sync/, fiber or plain thread alike.
//
//   Who waits        makes a Sleeper in the frame of its wait, publishes handle() under a lock, and calls Park.
//   A waker          takes the handle out of the queue and calls Ready with it, exactly once per Park, as park.h says.
//   A fiber          parks, and its machine runs others. That is the way to wait; a handle of one is the Fiber* itself.
//   A plain thread   blocks: it has no stack to leave, so the commit is called at once, and then it sleeps in a futex
//                    until Ready. Whether it may block is for its owner to know: a callback of gRPC may not.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "runtime/park.h"

namespace millrace::rt {

// One word, copied into the queues of others.
class SleeperHandle {
 public:
  SleeperHandle() = default;

 private:
  friend class Sleeper;
  friend void Ready(SleeperHandle sleeper);
  static constexpr uintptr_t kThread = 1;  // A fiber is aligned to a cache line, a word to four bytes.
  explicit SleeperHandle(Fiber* fiber) : bits_(reinterpret_cast<uintptr_t>(fiber)) {}
  explicit SleeperHandle(std::atomic<uint32_t>* word) : bits_(reinterpret_cast<uintptr_t>(word) | kThread) {}
  void WakeThread() const;

  uintptr_t bits_ = 0;
};

// As Ready of a fiber.
inline void Ready(SleeperHandle sleeper) {
  if ((sleeper.bits_ & SleeperHandle::kThread) == 0) [[likely]] {
    Ready(reinterpret_cast<Fiber*>(sleeper.bits_));
  } else {
    sleeper.WakeThread();
  }
}

class Sleeper {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  explicit Sleeper(Fiber* fiber = CurrentFiber()) : fiber_(fiber) {}
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // nullptr: a plain thread.
  Fiber* fiber() const { return fiber_; }
  SleeperHandle handle() { return fiber_ != nullptr ? SleeperHandle(fiber_) : SleeperHandle(&woken_); }

  // Returns after Ready, or when the commit has said no. May be called again after that.
  void Park(WaitReason reason, ParkCommit commit, void* argument) {
    if (fiber_ != nullptr) [[likely]] {
      rt::Park(reason, commit, argument);
    } else if (commit(nullptr, argument)) {
      SleepUntil(kNever);
    }
  }

  // Parks and releases `lock`, which the caller holds.
  template <typename L>
  void ParkAndUnlock(WaitReason reason, L& lock) MR_RELEASE(lock) MR_NO_THREAD_SAFETY_ANALYSIS {
    Park(
        reason,
        [](Fiber*, void* held) MR_NO_THREAD_SAFETY_ANALYSIS {
          static_cast<L*>(held)->unlock();
          return true;
        },
        &lock);
  }

  // For a plain thread whose commit has been called. False: CLOCK_MONOTONIC has reached `deadline_ns` before a Ready.
  bool SleepUntil(int64_t deadline_ns);

 private:
  Fiber* const fiber_;
  std::atomic<uint32_t> woken_{0};
};

}  // namespace millrace::rt
