// Semaphore: a number of permits; whoever finds too few parks. Strictly first come, first served: a large request at
// the head holds up small ones behind it, so that it is not starved by them.
//
//   Callers   Anyone; a plain thread that waits blocks. Permits belong to nobody.
#pragma once

#include <cstdint>

#include "base/thread_annotations.h"
#include "runtime/lock.h"
#include "runtime/park.h"
#include "sync/until.h"
#include "sync/wait_list.h"
#include "sync/wake_race.h"

namespace millrace::sync {

class Semaphore {
 public:
  // `reason` as for Mutex.
  explicit Semaphore(int64_t permits, rt::WaitReason reason = rt::WaitReason::kSemaphore)
      : permits_(permits), reason_(reason) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // n >= 0.
  void Acquire(int64_t n = 1);
  // False also while others wait, whatever is left.
  [[nodiscard]] bool TryAcquire(int64_t n = 1);
  // False: not before `until` was over.
  [[nodiscard]] bool TryAcquire(int64_t n, const Until& until);
  void Release(int64_t n = 1);

  // A moment's view.
  int64_t available() const;

 private:
  struct Waiter;
  using Waiters = internal::WaitList<Waiter>;

  bool TakeAtOnce(int64_t n) MR_REQUIRES(lock_);
  // False: it is in the line now, and lock_ is held.
  bool TakeOrQueue(Waiter& waiter) MR_TRY_ACQUIRE(false, lock_);
  void ParkAndUnlock(internal::WakeRace& race) MR_RELEASE(lock_);
  // Moves those that have got their permits to `served`.
  void Serve(Waiters& served) MR_REQUIRES(lock_);
  static void Wake(Waiters& served);

  mutable rt::Lock lock_;
  int64_t permits_ MR_GUARDED_BY(lock_);
  Waiters waiters_ MR_GUARDED_BY(lock_);
  const rt::WaitReason reason_;
};

}  // namespace millrace::sync
