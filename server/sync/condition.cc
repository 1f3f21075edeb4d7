#include "sync/condition.h"

#include "base/check.h"

namespace millrace::sync {

using internal::WakeRace;

Condition::Waiter::Waiter(Condition& condition) : race(rt::CurrentFiber()), condition_(condition) {
  MR_CHECK(race.fiber() != nullptr, "Condition::Wait on a plain thread: only a fiber can wait");
  rt::LockGuard guard(condition_.lock_);
  condition_.waiters_.PushBack(this);
}

bool Condition::Waiter::Sleep(std::optional<MonoTime> deadline) {
  if (!deadline.has_value()) {
    race.Park(rt::WaitReason::kCondition);
    return true;
  }
  internal::RaceTimer timer(race);
  timer.Start(*deadline);
  race.Park(rt::WaitReason::kCondition);
  if (!timer.Stop()) return true;
  // A notifier may hold us in hand and be losing the race right now, under the lock.
  rt::LockGuard guard(condition_.lock_);
  if (linked()) condition_.waiters_.Remove(this);
  return false;
}

void Condition::NotifyOne() {
  // Who waits for what we have done queued before it gave up the mutex under which we did it.
  if (waiters_.LooksEmpty()) return;
  rt::Fiber* ready = nullptr;
  {
    rt::LockGuard guard(lock_);
    while (Waiter* waiter = waiters_.PopFront()) {
      rt::Fiber* fiber = waiter->race.fiber();
      WakeRace::Outcome outcome = waiter->race.Claim();
      if (outcome == WakeRace::Outcome::kLost) continue;
      if (outcome == WakeRace::Outcome::kParked) ready = fiber;
      break;
    }
  }
  if (ready != nullptr) rt::Ready(ready);
}

void Condition::NotifyAll() {
  if (waiters_.LooksEmpty()) return;
  internal::WaitList<Waiter> parked;
  {
    rt::LockGuard guard(lock_);
    while (Waiter* waiter = waiters_.PopFront()) {
      if (waiter->race.Claim() == WakeRace::Outcome::kParked) parked.PushBack(waiter);
    }
  }
  while (Waiter* waiter = parked.PopFront()) rt::Ready(waiter->race.fiber());
}

}  // namespace millrace::sync
