#include "runtime/shared_queues.h"

#include <algorithm>
#include <utility>

#include "runtime/cycles.h"

namespace millrace::rt {

// Here and in what follows: MR_NO_TSAN where a fiber comes along on its own stack (sanitizers.h).
MR_NO_TSAN void SharedQueues::Push(Kind kind, Fiber* fiber) {
  lists_.Push(kind, fiber);
  Changed();
}

MR_NO_TSAN void SharedQueues::Changed() {
  const bool presses = AnyUrgent() || TooManyParked();
  if (presses != Presses()) presses_.store(presses, std::memory_order_relaxed);
}

MR_NO_TSAN void SharedQueues::HasStopped(Fiber& fiber, uint64_t now) {
  if (std::exchange(fiber.was_parked, true) || !TooManyParked()) return;
  const uint64_t crowd =
      slice_ticks_ * static_cast<uint64_t>(lists_.parked()) / static_cast<uint64_t>(parked_machines_max_);
  crowd_grows_at_.store(now + crowd, std::memory_order_relaxed);
}

// After the crowd has grown it stays as it is for a slice, and longer the larger it is, so that with N times as many as
// the cap the N-th part of a thread is added in a slice. Fibers that do not become hogs are not held up by that. Never
// without a spare thread: if the last one that searches for work parked as well, only hogs could run.
bool SharedQueues::MayBegin(uint64_t now, bool spare) const {
  return !TooManyParked() || (spare && now >= crowd_grows_at_.load(std::memory_order_relaxed));
}

Fiber* SharedQueues::PopBeforeOthers(const Taker& taker, bool urgent, bool hogs_too) {
  Shares& shares = taker.processor.shares;
  const uint64_t tick = taker.processor.tick.Get();
  if (urgent) {
    if (Fiber* fiber = PopUrgent()) {
      shares.UrgentGoes(taker.now, tick, slice_ticks_);
      return fiber;
    }
  }
  shares.Looks(taker.now, slice_ticks_);
  Fiber* fiber = nullptr;
  if (shares.HogsGoFirst(taker.now)) fiber = TakeHog(taker, /*first=*/true);
  if (fiber == nullptr && hogs_too) fiber = TakeHog(taker, /*first=*/false);
  if (fiber == nullptr) fiber = Taken(lists_.PopTimely(MayBegin(taker.now, taker.spare)));
  if (fiber != nullptr) shares.Found(tick);
  return fiber;
}

// No woken ones go to the ring while many threads are parked: fibers that have not begun are held back then, one by one
// (Scheduler::FindRunnable), and those that have must not be kept behind hogs that perhaps wait for them.
Fiber* SharedQueues::PopTimely(const Taker& taker) {
  constexpr int64_t kMost = RunQueue::kCapacity / 2;
  Fiber* first = Taken(lists_.PopTimely(MayBegin(taker.now, taker.spare)));
  if (first != nullptr && first->bound == nullptr && !TooManyParked())
    lists_.MoveWoken(taker.processor.run_queue, std::min((lists_.woken() + 1) / taker.procs, kMost - 1));
  return first;
}

Fiber* SharedQueues::PopLast(const Taker& taker) {
  if (Fiber* timely = PopTimely(taker)) return timely;
  if (Fiber* hog = TakeHog(taker, /*first=*/false)) return hog;
  if (AnyUrgent()) taker.processor.shares.UrgentGoes(taker.now, taker.processor.tick.Get(), slice_ticks_);
  return PopUrgent();
}

Fiber* SharedQueues::TakeHog(const Taker& taker, bool first) {
  Fiber* hog = Taken(lists_.PopHog());
  if (hog == nullptr) return nullptr;
  Shares& shares = taker.processor.shares;
  const uint64_t tick = taker.processor.tick.Get();
  if (first) {
    shares.HogGoesFirst(taker.now, tick, slice_ticks_);
  } else {
    shares.HogGoes(taker.now, tick, slice_ticks_);
  }
  return hog;
}

MR_NO_TSAN Machine* SharedQueues::PopBound(Processor& processor) {
  bool is_hog;
  Fiber* fiber = Taken(lists_.PopBound(&is_hog));
  if (fiber == nullptr) return nullptr;
  if (is_hog) processor.shares.HogGoes(NowTicks(), processor.tick.Get(), slice_ticks_);
  return fiber->bound;
}

Fiber* SharedQueues::PopUrgent() { return Taken(lists_.PopUrgent()); }

Fiber* SharedQueues::PopAnyBound() {
  bool is_hog;
  return Taken(lists_.PopBound(&is_hog));
}

}  // namespace millrace::rt
