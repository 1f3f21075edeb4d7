// Semaphore: a number of permits; whoever finds too few parks. Strictly first come, first served: a large request at the head
// holds up small ones behind it, so that it is not starved by them.
//
//   Callers   Anyone; a plain thread that waits blocks. Permits belong to nobody.
#pragma once

#include <cstdint>

#include "runtime/lock.h"
#include "runtime/park.h"
#include "sync/until.h"
#include "sync/wait_list.h"

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

  bool TakeAtOnce(int64_t n);
  bool TakeOrQueue(Waiter& waiter);
  void Serve(Waiters& served);
  static void Wake(Waiters& served);

  mutable rt::Lock lock_;
  int64_t permits_;
  Waiters waiters_;
  const rt::WaitReason reason_;
};

}  // namespace millrace::sync
