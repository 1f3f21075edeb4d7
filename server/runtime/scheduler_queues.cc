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
    LockGuard guard(shared_.lock);
    for (uint32_t i = 0; i < count; ++i) shared_.Push(ReadyLists::kWoken, half[i]);
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
      // Partner: the barrier in Processors::NotAloneAnyMore. The only processor there is has the index 0; on another
      // one, which has just become one too many, that one may be idle.
      if (!processors_.alone() || processor->index > 0) WakeIfIdle();
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
  // Also called on a fiber that has lost its processor. Stopped in WakeOne it would take with it a processor, an idle
  // machine and the right to wake others, and everybody might sleep for ever.
  PinScope pin;
  outside_calls_.fetch_add(1, std::memory_order_relaxed);
  Processor* processor = nullptr;
  {
    LockGuard guard(shared_.lock);
    // Straight to its thread, if it keeps one: any other would have to be woken first, to find it.
    if (fiber->bound != nullptr && !stopping_.load(std::memory_order_relaxed)) processor = idle_processors_.Pop();
    if (processor == nullptr) {
      shared_.Push(fiber->bound != nullptr ? (fiber->urgent ? ReadyLists::kUrgentReturned : ReadyLists::kReturned)
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

// Until fewer threads are parked, or one more is affordable.
void Scheduler::HoldBack(Fiber* fiber) {
  LockGuard guard(shared_.lock);
  shared_.Push(ReadyLists::kHeldBack, fiber);
}

bool Scheduler::AnyWork() const {
  if (shared_.Any() || processors_.AnyQueued()) return true;
  int64_t earliest = processors_.EarliestTimer();
  return earliest != TimerHeap::kNever && earliest <= ClockNs();
}

bool Scheduler::NobodyRuns() const {
  if (idle_.idle_processors() < procs()) return false;
  bool held = false;
  processors_.ForEach([&](const Processor& processor) {
    held |= processors_.TooMany(processor) && processor.machine.load(std::memory_order_seq_cst) != nullptr;
  });
  return !held;
}

MR_NO_TSAN void Scheduler::StartTimer(Timer* timer, int64_t deadline_ns, Timer::Fire fire, int64_t period_ns) {
  Machine* machine = CurrentMachine();
  MR_CHECK(machine != nullptr, "a timer was started outside a fiber");
  sanitizers::IgnoreScope ignore;
  Pin();
  Processor* processor = machine->processor.Get();
  Unpin();
  // Any heap will do for a fiber that has lost its processor. The insertion itself may allocate and is not pinned.
  TimerHeap& heap = processor != nullptr ? processor->timers : processors_[0].timers;
  if (!heap.Insert(timer, deadline_ns, fire, period_ns)) return;
  {
    // All processors may be idle with nobody asleep for timers, of which there were none (rule 4). Looked at again: the
    // insertion may have slept, and the processor been taken meanwhile. Whoever loses it from here on gives it to a
    // machine that sees the timer.
    PinScope pin;
    if (machine->processor.Get() == nullptr) WakeSuccessor();
  }
  if (poller_role_.SleepsBeyond(deadline_ns)) InterruptPoller();
}

}  // namespace millrace::rt
