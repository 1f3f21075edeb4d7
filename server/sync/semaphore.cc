#include "sync/semaphore.h"

#include "base/check.h"
#include "runtime/sanitizers.h"
#include "sync/race_until.h"

namespace millrace::sync {

// For ThreadSanitizer the lock orders nobody: two that hold permits have not met, only who gives one back and who gets
// one.
using rt::sanitizers::IgnoreScope;

struct Semaphore::Waiter : internal::WaitLink<Semaphore::Waiter> {
  rt::SleeperHandle who;
  int64_t wanted = 0;
  internal::WakeRace* race = nullptr;  // Only where the waiter may give up.
};

bool Semaphore::TakeAtOnce(int64_t n) {
  if (!waiters_.empty() || permits_ < n) return false;
  permits_ -= n;
  return true;
}

void Semaphore::Acquire(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::Acquire of %lld permits", static_cast<long long>(n));
  rt::Sleeper self;
  Waiter waiter;
  waiter.who = self.handle();
  waiter.wanted = n;
  if (!TakeOrQueue(waiter)) self.ParkAndUnlock(reason_, lock_);
  rt::sanitizers::Acquire(this);
}

bool Semaphore::TakeOrQueue(Waiter& waiter) MR_NO_THREAD_SAFETY_ANALYSIS {
  IgnoreScope ignore;
  lock_.lock();
  if (TakeAtOnce(waiter.wanted)) {
    lock_.unlock();
    return true;
  }
  waiters_.PushBack(&waiter);
  return false;
}

bool Semaphore::TryAcquire(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::TryAcquire of %lld permits", static_cast<long long>(n));
  {
    IgnoreScope ignore;
    rt::LockGuard guard(lock_);
    if (!TakeAtOnce(n)) return false;
  }
  rt::sanitizers::Acquire(this);
  return true;
}

void Semaphore::ParkAndUnlock(internal::WakeRace& race) MR_NO_THREAD_SAFETY_ANALYSIS {
  struct Sleep {
    internal::WakeRace* race;
    rt::Lock* lock;
  } sleep{&race, &lock_};
  race.Park(
      reason_,
      [](rt::Fiber*, void* argument) MR_NO_THREAD_SAFETY_ANALYSIS {
        Sleep own = *static_cast<Sleep*>(argument);
        bool parked = own.race->Commit();
        own.lock->unlock();
        return parked;
      },
      &sleep);
}

bool Semaphore::TryAcquire(int64_t n, const Until& until) {
  if (TryAcquire(n)) return true;
  internal::WakeRace race(rt::CurrentFiber());
  internal::RaceUntil limit(race, until);
  Waiter waiter;
  waiter.who = race.handle();
  waiter.wanted = n;
  waiter.race = &race;
  if (TakeOrQueue(waiter)) {
    rt::sanitizers::Acquire(this);
    limit.Stop();
    return true;
  }
  ParkAndUnlock(race);
  if (!limit.Stop()) {
    rt::sanitizers::Acquire(this);
    return true;
  }
  Waiters served;
  {
    IgnoreScope ignore;
    rt::LockGuard guard(lock_);
    if (waiter.linked()) waiters_.Remove(&waiter);
    Serve(served);  // It may have held up those behind it.
  }
  Wake(served);
  return false;
}

void Semaphore::Serve(Waiters& served) {
  while (Waiter* next = waiters_.front()) {
    if (next->wanted > permits_) return;
    waiters_.Remove(next);
    if (next->race != nullptr && next->race->Claim() == internal::WakeRace::Outcome::kLost) continue;  // It gives up.
    permits_ -= next->wanted;
    served.PushBack(next);
  }
}

// Without the lock.
void Semaphore::Wake(Waiters& served) {
  IgnoreScope ignore;
  while (Waiter* next = served.PopFront()) rt::Ready(next->who);
}

void Semaphore::Release(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::Release of %lld permits", static_cast<long long>(n));
  Waiters served;
  rt::sanitizers::Release(this);
  {
    IgnoreScope ignore;
    rt::LockGuard guard(lock_);
    permits_ += n;
    Serve(served);
  }
  // The semaphore may be gone by now: one that was served, or one that came by, may have been its last user.
  Wake(served);
}

int64_t Semaphore::available() const {
  IgnoreScope ignore;
  rt::LockGuard guard(lock_);
  return permits_;
}

}  // namespace millrace::sync
