#include "sync/semaphore.h"

#include "base/check.h"

namespace millrace::sync {

struct Semaphore::Waiter : internal::WaitLink<Semaphore::Waiter> {
  rt::Fiber* fiber = nullptr;
  int64_t wanted = 0;
};

void Semaphore::Acquire(int64_t n) {
  rt::Fiber* fiber = rt::CurrentFiber();
  MR_CHECK(fiber != nullptr, "Semaphore::Acquire on a plain thread: only a fiber can wait; use TryAcquire");
  MR_CHECK(n >= 0, "Semaphore::Acquire of %lld permits", static_cast<long long>(n));
  lock_.lock();
  if (waiters_.empty() && permits_ >= n) {
    permits_ -= n;
    lock_.unlock();
    return;
  }
  Waiter waiter;
  waiter.fiber = fiber;
  waiter.wanted = n;
  waiters_.PushBack(&waiter);
  rt::ParkAndUnlock(reason_, lock_);
}

bool Semaphore::TryAcquire(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::TryAcquire of %lld permits", static_cast<long long>(n));
  rt::LockGuard guard(lock_);
  if (!waiters_.empty() || permits_ < n) return false;
  permits_ -= n;
  return true;
}

void Semaphore::Release(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::Release of %lld permits", static_cast<long long>(n));
  internal::WaitList<Waiter> served;
  {
    rt::LockGuard guard(lock_);
    permits_ += n;
    while (Waiter* next = waiters_.front()) {
      if (next->wanted > permits_) break;
      permits_ -= next->wanted;
      waiters_.Remove(next);
      served.PushBack(next);
    }
  }
  // The semaphore may be gone by now: a served fiber, or one that came by, may have been its last user.
  while (Waiter* next = served.PopFront()) rt::Ready(next->fiber);
}

int64_t Semaphore::available() const {
  rt::LockGuard guard(lock_);
  return permits_;
}

}  // namespace millrace::sync
