#include "sync/semaphore.h"

#include "base/check.h"
#include "sync/race_until.h"

namespace millrace::sync {

struct Semaphore::Waiter : internal::WaitLink<Semaphore::Waiter> {
  rt::SleeperHandle who;
  int64_t wanted = 0;
  internal::WakeRace* race = nullptr;  // Of one that may give up.
};

// With the lock held.
bool Semaphore::TakeAtOnce(int64_t n) {
  if (!waiters_.empty() || permits_ < n) return false;
  permits_ -= n;
  return true;
}

void Semaphore::Acquire(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::Acquire of %lld permits", static_cast<long long>(n));
  lock_.lock();
  if (TakeAtOnce(n)) {
    lock_.unlock();
    return;
  }
  rt::Sleeper self;
  Waiter waiter;
  waiter.who = self.handle();
  waiter.wanted = n;
  waiters_.PushBack(&waiter);
  self.ParkAndUnlock(reason_, lock_);
}

bool Semaphore::TryAcquire(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::TryAcquire of %lld permits", static_cast<long long>(n));
  rt::LockGuard guard(lock_);
  return TakeAtOnce(n);
}

bool Semaphore::TryAcquire(int64_t n, const Until& until) {
  if (TryAcquire(n)) return true;
  internal::WakeRace race(rt::CurrentFiber());
  internal::RaceUntil limit(race, until);
  lock_.lock();
  if (TakeAtOnce(n)) {
    lock_.unlock();
    limit.Stop();
    return true;
  }
  Waiter waiter;
  waiter.who = race.handle();
  waiter.wanted = n;
  waiter.race = &race;
  waiters_.PushBack(&waiter);
  struct Sleep {
    internal::WakeRace* race;
    rt::Lock* lock;
  } sleep{&race, &lock_};
  race.Park(
      reason_,
      [](rt::Fiber*, void* argument) {
        Sleep own = *static_cast<Sleep*>(argument);
        bool parked = own.race->Commit();
        own.lock->unlock();
        return parked;
      },
      &sleep);
  if (!limit.Stop()) return true;
  Waiters served;
  {
    rt::LockGuard guard(lock_);
    if (waiter.linked()) waiters_.Remove(&waiter);
    Serve(served);  // It may have held up those behind it.
  }
  Wake(served);
  return false;
}

// With the lock held: moves those that have got their permits to `served`.
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
  while (Waiter* next = served.PopFront()) rt::Ready(next->who);
}

void Semaphore::Release(int64_t n) {
  MR_CHECK(n >= 0, "Semaphore::Release of %lld permits", static_cast<long long>(n));
  Waiters served;
  {
    rt::LockGuard guard(lock_);
    permits_ += n;
    Serve(served);
  }
  // The semaphore may be gone by now: one that was served, or one that came by, may have been its last user.
  Wake(served);
}

int64_t Semaphore::available() const {
  rt::LockGuard guard(lock_);
  return permits_;
}

}  // namespace millrace::sync
