// Where ready fibers wait, and timers.
#include "base/check.h"
#include "runtime/cycles.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

void Scheduler::PushLocal(Processor& processor, Fiber* fiber) {
  while (!processor.run_queue.Push(fiber)) {
    std::array<Fiber*, RunQueue::kCapacity / 2> half;
    uint32_t count = processor.run_queue.TakeHalf(half);
    if (count == 0) continue;
    LockGuard guard(lock_);
    for (uint32_t i = 0; i < count; ++i) ready_.Push(ReadyLists::kWoken, half[i]);
  }
}

// Hands a ready fiber over; `machine` is the calling thread's, or nullptr.
MR_NO_TSAN void Scheduler::Submit(Machine* machine, Fiber* fiber) {
  sanitizers::Release(fiber);
  sanitizers::IgnoreScope ignore;
  if (machine != nullptr && &machine->scheduler == this && fiber->bound == nullptr && !fiber->urgent) {
    Pin();
    if (Processor* processor = machine->processor.Get()) [[likely]] {
      if (Fiber* displaced = processor->run_queue.PushNext(fiber)) PushLocal(*processor, displaced);
      // Partner: the barrier in Resize. The only processor there is has the index 0; on another one, which has just become one too
      // many, that one may be idle.
      if (!alone_.load(std::memory_order_relaxed) || processor->index > 0) WakeIfIdle();
      Unpin();
      return;
    }
    if (machine->collecting) {
      machine->collected.PushBack(fiber);
      Unpin();
      return;
    }
    Unpin();
  }
  SubmitFromOutside(fiber);
}

void Scheduler::SubmitFromOutside(Fiber* fiber) {
  // Also called on a fiber that has lost its processor. Stopped in WakeOne it would take with it a processor, an idle machine and
  // the right to wake others, and everybody might sleep for ever.
  PinScope pin;
  outside_calls_.fetch_add(1, std::memory_order_relaxed);
  Processor* processor = nullptr;
  {
    LockGuard guard(lock_);
    // Straight to its thread, if it keeps one: any other would have to be woken first, to find it.
    if (fiber->bound != nullptr && !stopping_.load(std::memory_order_relaxed)) processor = PopIdleProcessor();
    if (processor == nullptr) {
      ready_.Push(fiber->bound != nullptr ? (fiber->urgent ? ReadyLists::kUrgentReturned : ReadyLists::kReturned)
                                          : (fiber->urgent ? ReadyLists::kUrgent : ReadyLists::kWoken),
                  fiber);
    }
  }
  if (processor != nullptr) {
    Assign(*fiber->bound, processor, false);
    sysmon_sleep_.Rouse();
  } else {
    WakeIfIdle();
  }
  // release: pairs with ~Scheduler. Nothing of the scheduler is touched after this.
  outside_calls_.fetch_sub(1, std::memory_order_release);
}

Fiber* Scheduler::PopBeforeOthers(Processor& processor, uint64_t now, bool urgent, bool hogs_too) {
  Shares& shares = processor.shares;
  const uint64_t tick = processor.tick.Get();
  if (urgent) {
    if (Fiber* fiber = ready_.PopUrgent()) {
      shares.UrgentGoes(now, tick, slice_ticks_);
      return fiber;
    }
  }
  shares.Looks(now, slice_ticks_);
  Fiber* fiber = nullptr;
  if (shares.HogsGoFirst(now)) fiber = TakeHog(processor, now, /*first=*/true);
  if (fiber == nullptr && hogs_too) fiber = TakeHog(processor, now, /*first=*/false);
  if (fiber == nullptr) fiber = ready_.PopTimely(MayBegin(now));
  if (fiber != nullptr) shares.Found(tick);
  return fiber;
}

// The processor also gets its fair share of the woken ones into its ring; not while many are parked, since fibers that have not begun are
// held back then, one by one (FindRunnable), and those that have must not be kept behind hogs that perhaps wait for them.
Fiber* Scheduler::PopTimely(Processor& processor, uint64_t now, int64_t max) {
  Fiber* first = ready_.PopTimely(MayBegin(now));
  if (first != nullptr && first->bound == nullptr && !TooManyParked())
    ready_.MoveWoken(processor.run_queue, std::min((ready_.woken() + 1) / procs(), max - 1));
  return first;
}

Fiber* Scheduler::PopLast(Processor& processor, uint64_t now) {
  if (Fiber* timely = PopTimely(processor, now, RunQueue::kCapacity / 2)) return timely;
  if (Fiber* hog = TakeHog(processor, now, /*first=*/false)) return hog;
  if (ready_.AnyUrgent()) processor.shares.UrgentGoes(now, processor.tick.Get(), slice_ticks_);
  return ready_.PopUrgent();
}

Fiber* Scheduler::TakeHog(Processor& processor, uint64_t now, bool first) {
  Fiber* hog = ready_.PopHog();
  if (hog == nullptr) return nullptr;
  if (first) {
    processor.shares.HogGoesFirst(now, processor.tick.Get(), slice_ticks_);
  } else {
    processor.shares.HogGoes(now, processor.tick.Get(), slice_ticks_);
  }
  return hog;
}

Machine* Scheduler::PopBound(Processor& processor) {
  bool is_hog;
  Fiber* fiber = ready_.PopBound(&is_hog);
  if (fiber == nullptr) return nullptr;
  if (is_hog) processor.shares.HogGoes(NowTicks(), processor.tick.Get(), slice_ticks_);
  return fiber->bound;
}

// May a fiber begin that has not? It might become the next one that a signal stops, and while many threads are parked each one more is
// affordable only now and then: after the crowd has grown it stays as it is for a slice, and longer the larger it is, so that with N times
// as many as the cap the N-th part of a thread is added in a slice. Fibers that do not become hogs are not held up by that. Never
// without a spare thread: if the last one that searches for work parked as well, only hogs could run.
bool Scheduler::MayBegin(uint64_t now) const {
  return !TooManyParked() || (now >= crowd_grows_at_.load(std::memory_order_relaxed) &&
                              idle_machine_count_.load(std::memory_order_relaxed) > 0);
}

void Scheduler::HoldBack(Fiber* fiber) {
  LockGuard guard(lock_);
  ready_.Push(ReadyLists::kHeldBack, fiber);
}

bool Scheduler::AnyWork() const {
  if (SharedWork()) return true;
  bool work = false;
  ForEachProcessor([&](Processor& processor) { work = work || !processor.run_queue.Empty(); });
  if (work) return true;
  int64_t earliest = EarliestTimer();
  return earliest != TimerHeap::kNever && earliest <= ClockNs();
}

bool Scheduler::NobodyRuns() const {
  if (idle_.idle_processors() < procs()) return false;
  bool held = false;
  ForEachProcessor([&](const Processor& processor) {
    held |= processor.index >= procs() && processor.machine.load(std::memory_order_seq_cst) != nullptr;
  });
  return !held;
}

int64_t Scheduler::EarliestTimer() const {
  int64_t earliest = TimerHeap::kNever;
  ForEachProcessor([&](Processor& processor) { earliest = std::min(earliest, processor.timers.earliest_ns()); });
  return earliest;
}

MR_NO_TSAN void Scheduler::StartTimer(Timer* timer, int64_t deadline_ns, Timer::Fire fire, int64_t period_ns) {
  Machine* machine = CurrentMachine();
  MR_CHECK(machine != nullptr, "a timer was started outside a fiber");
  sanitizers::IgnoreScope ignore;
  Pin();
  Processor* processor = machine->processor.Get();
  Unpin();
  // Any heap will do for a fiber that has lost its processor. The insertion itself may allocate and is not pinned.
  TimerHeap& heap = processor != nullptr ? processor->timers : processors_[0]->timers;
  if (!heap.Insert(timer, deadline_ns, fire, period_ns)) return;
  if (processor == nullptr) {
    // All processors may be idle with nobody asleep for timers, of which there were none (rule 4).
    PinScope pin;
    WakeSuccessor();
  }
  if (poller_role_.SleepsBeyond(deadline_ns)) InterruptPoller();
}

}  // namespace millrace::rt
