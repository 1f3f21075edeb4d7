#include "sync/condition.h"

#include "sync/race_until.h"

namespace millrace::sync {

using internal::WakeRace;

Condition::Waiter::Waiter(Condition& condition) : race(rt::CurrentFiber()), condition_(condition) {
  rt::LockGuard guard(condition_.lock_);
  condition_.waiters_.PushBack(this);
}

bool Condition::Waiter::Sleep(const Until* until) {
  if (until == nullptr) {
    race.Park(rt::WaitReason::kCondition);
    return true;
  }
  internal::RaceUntil limit(race, *until);
  race.Park(rt::WaitReason::kCondition);
  if (!limit.Stop()) return true;
  // A notifier may hold us in hand and be losing the race right now, under the lock.
  rt::LockGuard guard(condition_.lock_);
  if (linked()) condition_.waiters_.Remove(this);
  return false;
}

void Condition::NotifyOne() {
  if (NobodyWaits()) return;
  rt::SleeperHandle ready;
  bool parked = false;
  {
    rt::LockGuard guard(lock_);
    while (Waiter* waiter = waiters_.PopFront()) {
      ready = waiter->race.handle();
      WakeRace::Outcome outcome = waiter->race.Claim();
      if (outcome == WakeRace::Outcome::kLost) continue;
      parked = outcome == WakeRace::Outcome::kParked;
      break;
    }
  }
  if (parked) rt::Ready(ready);
}

void Condition::NotifyAll() {
  if (NobodyWaits()) return;
  internal::WaitList<Waiter> parked;
  {
    rt::LockGuard guard(lock_);
    while (Waiter* waiter = waiters_.PopFront()) {
      if (waiter->race.Claim() == WakeRace::Outcome::kParked) parked.PushBack(waiter);
    }
  }
  while (Waiter* waiter = parked.PopFront()) rt::Ready(waiter->race.handle());
}

}  // namespace millrace::sync
