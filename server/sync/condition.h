// Condition: fibers wait for a state that a mutex protects. Go's sync.Cond, std::condition_variable's shape.
//
//   std::unique_lock lock(mutex);
//   condition.Wait(lock, [&] { return !queue.empty(); });
//
//   Waiting    Wait gives the mutex up and takes it again before it returns, also after a time-out. There are no
//              spurious wake-ups, but the state may have changed again by then: hence the predicate.
//   Fairness   NotifyOne wakes the one that has waited longest; nobody who starts to wait later can take its
//              notification.
//   Callers    Anyone; a plain thread that waits blocks. Notify: with or without the mutex; remembers nothing when
//              nobody waits.
//   Lock       A std::unique_lock, a Mutex itself, anything with lock() and unlock().
#pragma once

#include "base/clock.h"
#include "runtime/lock.h"
#include "runtime/runtime.h"
#include "sync/until.h"
#include "sync/wait_list.h"
#include "sync/wake_race.h"

namespace millrace::sync {

class Condition {
 public:
  Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  template <typename L>
  void Wait(L& lock) {
    Waiter waiter(*this);
    lock.unlock();
    waiter.Sleep(nullptr);
    lock.lock();
  }
  template <typename L, typename Predicate>
  void Wait(L& lock, Predicate predicate) {
    while (!predicate()) Wait(lock);
  }

  // False: `until` was over without a notification.
  template <typename L>
  bool WaitUntil(L& lock, const Until& until) {
    Waiter waiter(*this);
    lock.unlock();
    bool notified = waiter.Sleep(&until);
    lock.lock();
    return notified;
  }
  // What the predicate says at the end.
  template <typename L, typename Predicate>
  bool WaitUntil(L& lock, const Until& until, Predicate predicate) {
    while (!predicate()) {
      if (!WaitUntil(lock, until)) return predicate();
    }
    return true;
  }
  template <typename L, typename... Predicate>
  bool WaitUntil(L& lock, MonoTime deadline, Predicate... predicate) {
    return WaitUntil(lock, Until{.deadline = deadline, .cancel = {}}, predicate...);
  }
  template <typename L, typename... Predicate>
  bool WaitFor(L& lock, AnyDuration duration, Predicate... predicate) {
    return WaitUntil(lock, Within(duration), predicate...);
  }

  void NotifyOne();
  void NotifyAll();

 private:
  // Queued from its construction on, so that a notification between unlock and sleep is not lost.
  class Waiter : public internal::WaitLink<Waiter> {
   public:
    explicit Waiter(Condition& condition);
    // True: notified. nullptr: for ever.
    bool Sleep(const Until* until);

    internal::WakeRace race;

   private:
    Condition& condition_;
  };

  // Whoever waits for what we have done queued before it gave up the mutex under which we did it.
  bool NobodyWaits() const MR_NO_THREAD_SAFETY_ANALYSIS { return waiters_.LooksEmpty(); }

  rt::Lock lock_;
  internal::WaitList<Waiter> waiters_ MR_GUARDED_BY(lock_);
};

}  // namespace millrace::sync
