// Mutex: mutual exclusion that parks the fiber, not the thread. Go's sync.Mutex, with its two modes.
//
//   sync::Mutex mutex;
//   std::lock_guard guard(mutex);       // std::unique_lock and std::scoped_lock work as well
//
//   Normal mode      Waiters are woken oldest first, but compete with fibers that arrive: those already run, and
//                    letting them in is what makes a busy mutex fast. A woken waiter that loses goes back to the front.
//   Starvation mode  Begins when a waiter has waited for more than 1 ms: Unlock hands the mutex to the oldest waiter,
//                    newcomers queue. Ends when the one served waited less, or was the last.
//   Misuse           Unlock of an unlocked mutex is fatal. As in Go, another fiber than the one that locked it may
//                    unlock it.
//   Callers          Anyone; a plain thread that has to wait blocks. There is no lock with a time limit, as in Go: what
//                    is held for long is a Semaphore of one permit.
//   Owner            The fiber that holds it is kept for reports of deadlocks.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "runtime/lock.h"
#include "runtime/park.h"
#include "sync/wait_list.h"

namespace millrace::sync {

class Mutex {
 public:
  // `reason` tells in accounts and dumps what is waited for, when the mutex is part of something else.
  explicit Mutex(rt::WaitReason reason = rt::WaitReason::kMutex) : reason_(reason) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() {
    rt::Fiber* fiber = rt::CurrentFiber();
    // Read first: the other bits may stay set for many sections, while somebody woken is on the way.
    uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & kLocked) != 0 || !state_.compare_exchange_strong(state, state | kLocked, std::memory_order_acquire,
                                                                  std::memory_order_relaxed)) [[unlikely]] {
      LockSlow(fiber);
    }
    owner_.store(fiber, std::memory_order_relaxed);
  }

  bool try_lock() {
    uint32_t state = state_.load(std::memory_order_relaxed);
    // Waiters do not stand in the way, unless they starve: then the mutex is never seen free.
    while ((state & kLocked) == 0) {
      if (state_.compare_exchange_weak(state, state | kLocked, std::memory_order_acquire, std::memory_order_relaxed)) {
        owner_.store(rt::CurrentFiber(), std::memory_order_relaxed);
        return true;
      }
    }
    return false;
  }

  void unlock() {
    owner_.store(nullptr, std::memory_order_relaxed);
    uint32_t state = state_.load(std::memory_order_relaxed);
    if (!MayJustLetGo(state) || !state_.compare_exchange_strong(state, state & ~kLocked, std::memory_order_release,
                                                                std::memory_order_relaxed)) [[unlikely]] {
      UnlockSlow();
    }
  }

  // A moment's view; nullptr when free or held by a plain thread.
  rt::Fiber* owner() const { return owner_.load(std::memory_order_relaxed); }
  // For Fiber::waits_for_owner_at, where that holder is waited for in another way than by lock().
  const void* owner_word() const { return &owner_; }

 private:
  struct Waiter;

  // kLocked is taken by compare-and-swap, by anyone. The other bits belong to queue_lock_; kWoken alone may also be set
  // by a fiber that spins. Giving kLocked up while fibers wait belongs to queue_lock_ too, except beside kWoken:
  // whoever that stands for looks again.
  static constexpr uint32_t kLocked = 1;
  static constexpr uint32_t kWaiting = 2;  // waiters_ is not empty
  static constexpr uint32_t kWoken = 4;    // A fiber is on its way to the mutex: unlock need not wake another.
  // Starvation mode: only together with kLocked, which passes from hand to hand.
  static constexpr uint32_t kStarving = 8;

  // Nobody is in the queue; or somebody is on the way to the mutex already, and comes back through queue_lock_ if it
  // does not get it.
  static bool MayJustLetGo(uint32_t state) {
    return state == kLocked || (state & (kLocked | kWoken | kStarving)) == (kLocked | kWoken);
  }
  void LockSlow(rt::Fiber* fiber);
  void UnlockSlow();
  bool TryAcquire(uint32_t& state, uint32_t clear);

  std::atomic<uint32_t> state_{0};
  rt::Lock queue_lock_;
  std::atomic<rt::Fiber*> owner_{nullptr};
  internal::WaitList<Waiter> waiters_ MR_GUARDED_BY(queue_lock_);
  const rt::WaitReason reason_;
};

}  // namespace millrace::sync
