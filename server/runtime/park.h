// Park and Ready: the one door through which every fiber blocks. Channels, locks, timers and sockets all stand on these
// two.
//
// The protocol (as Go's gopark/goready): a fiber that must wait publishes itself somewhere (a wait queue) under a lock
// and calls Park with that lock. Park leaves the fiber's stack first and releases the lock after, so a waker that takes
// the lock finds a fiber that may be resumed at once. The waker takes it off the queue and calls Ready, exactly once
// per Park.
//
//   A waker touches nothing of the waiter after Ready: its stack may be gone.
//   Ready may be called from any thread, also one the runtime does not know (a gRPC callback).
//   A thread-local reference must not be held across Park: the fiber may go on on another thread.
#pragma once

#include "base/thread_annotations.h"
#include "runtime/accounting.h"
#include "runtime/fiber.h"
#include "runtime/lock.h"

namespace millrace::rt {

// Called after the fiber has left its stack. False: do not wait after all, go on at once (a wake-up was there first).
using ParkCommit = bool (*)(Fiber* fiber, void* argument);

// Parks the calling fiber until Ready. Fatal outside a fiber.
void Park(WaitReason reason, ParkCommit commit, void* argument);

// Parks and releases `lock`, which the caller holds.
void ParkAndUnlock(WaitReason reason, Lock& lock) MR_RELEASE(lock);

// Makes a parked fiber runnable. In a fiber's context it goes to the processor's next slot and shares the caller's time
// slice.
void Ready(Fiber* fiber);

// The calling fiber; nullptr on a plain thread. Valid on this fiber for its whole life (unlike anything about its
// machine).
Fiber* CurrentFiber();

// A thread-or-fiber waiter for code that both may call: Wait parks the fiber, or blocks the plain thread, whichever
// calls it; it does not matter who made the Parker. One use.
class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Returns once Wake has been called, at once if it was called before.
  void Wait(WaitReason reason);
  // Any thread, exactly once. Touches nothing of the Parker after the waiter may have gone on.
  void Wake();

 private:
  static bool Commit(Fiber* fiber, void* self);

  // 0: nobody waits yet, kWoken, kThreadWaits, else the Fiber* that is parked.
  static constexpr uintptr_t kWoken = 1;
  static constexpr uintptr_t kThreadWaits = 2;
  std::atomic<uintptr_t> state_{0};
  std::atomic<uint32_t> thread_word_{0};
};

}  // namespace millrace::rt
