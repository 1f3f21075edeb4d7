// Stopping a fiber that does not yield, and taking the processor from one whose thread sleeps in a system call. The
// rules for user code are in README.md, those for the signal in preempt.h.
//
// After KLT switching (Shiina, Iwasaki, Taura, Balaji: "Lightweight Preemptive User-Level Threads", PPoPP 2021): the
// signal handler parks the whole thread, with the fiber's frames on its stack and malloc's locks in its hands, and the
// fiber goes on there later. So everything that belongs to the thread (thread-locals, lock owners, half-finished
// library calls) stays right.
#include <algorithm>
#include <ctime>

#include "base/check.h"
#include "runtime/cycles.h"
#include "runtime/ending.h"
#include "runtime/futex.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/thread_state.h"

namespace millrace::rt {

MR_NO_TSAN void Scheduler::OnPreemptSignal(Machine& machine, const SavedFrame& interrupted) {
  // The word counts what the interrupted code holds. Not zero: a runtime lock, or it works with its processor.
  if (machine.preempt_word->load(std::memory_order_relaxed) != 0) return;
  Pin();
  // On whatever stack it computes, its own or one that a library has made: the thread is stopped as it is.
  Fiber* fiber = machine.current;
  if (fiber == nullptr) return Unpin();
  if (stopping()) {
    Ending::StopIfAllowed(machine, interrupted);
    return Unpin();
  }
  if (machine.blocking.load(std::memory_order_relaxed)) return Unpin();

  uint64_t now = NowTicks();
  Processor* processor = machine.processor.Get();
  if (processor == nullptr) {
    // Sysmon took it while the thread slept; now it computes again and needs one.
    CloseDetachedAccount(machine, fiber, now);
    if (TakeProcessorToGoOn(machine)) return Unpin();
    {
      LockGuard guard(shared_.lock);
      Requeue(machine, fiber, fiber->urgent ? ReadyLists::kUrgentReturned : ReadyLists::kReturned);
    }
    // A processor may have become idle since, with nobody to look at the queue.
    WakeIfIdle();
  } else {
    // The request was for another slice than the present one: the signal is late.
    if (processor->stop_tick.load(std::memory_order_relaxed) != processor->tick.Get()) return Unpin();
    Machine* successor;
    {
      LockGuard guard(shared_.lock);
      successor = idle_machines_.Pop();
      // Without a spare one the processor goes straight to the fiber that was stopped longest ago.
      processor->shares.BurstEnds(now, processor->tick.Get(), slice_ticks_);
      if (successor == nullptr) successor = shared_.PopBound(*processor);
      if (successor != nullptr) {
        fiber->account.RanUntil(now);
        processor->counters.switches_preempted.Add(1);
        LetGo(machine, *processor);
        Requeue(machine, fiber, fiber->urgent ? ReadyLists::kReturned : ReadyLists::kStopped);
        shared_.HasStopped(*fiber, now);
      }
    }
    if (SpareMachines() == 0) housekeeper_.Ask(Housekeeper::kMachines);
    if (successor == nullptr) return Unpin();
    Assign(*successor, processor, false);
  }
  fiber->preempted_at = interrupted;
  Resumed resumed = SleepBound(machine);
  fiber->preempted_at = SavedFrame();
  if (resumed == Resumed::kStopping) Ending::StopIfAllowed(machine, interrupted);
  Unpin();
}

// The machine has no processor. After Stop nobody would wake it: SleepBound then returns at once.
MR_NO_TSAN void Scheduler::Requeue(Machine& machine, Fiber* fiber, ReadyLists::Kind kind) {
  if (stopping_.load(std::memory_order_relaxed)) return;
  fiber->bound = &machine;
  fiber->state.store(FiberState::kReady, std::memory_order_relaxed);
  sanitizers::Release(fiber);
  shared_.Push(kind, fiber);
}

// After Requeue: sleeps until somebody hands this thread a processor.
MR_NO_TSAN Scheduler::Resumed Scheduler::SleepBound(Machine& machine) {
  // acquire: pairs with the release in Assign.
  while (machine.wake.load(std::memory_order_acquire) == 0) {
    if (stopping()) return Resumed::kStopping;
    FutexWait(machine.wake, 0);
  }
  sanitizers::Acquire(&machine.wake);
  machine.wake.store(0, std::memory_order_relaxed);
  if (stopping()) return Resumed::kStopping;
  Processor& processor = *machine.assigned;
  Hold(machine, processor);
  GoOn(machine, processor);
  return Resumed::kYes;
}

// The machine's fiber runs again, with a slice of its own.
MR_NO_TSAN void Scheduler::GoOn(Machine& machine, Processor& processor) {
  Fiber* fiber = machine.current;
  if (fiber->thread_locks == 0) fiber->bound = nullptr;
  processor.Runs(*fiber, NowTicks(), /*inherits=*/false);
}

// Rule 5: `machine` found a fiber that only another thread can run. It hands its processor over and looks for one
// again.
MR_NO_TSAN void Scheduler::HandToBound(Machine& machine, Processor& processor, Fiber* fiber) {
  machine.left_at = 0;
  LetGo(machine, processor);
  Assign(*fiber->bound, &processor, false);
}

// An idle processor for a fiber that has none and is about to run.
MR_NO_TSAN bool Scheduler::TakeProcessorToGoOn(Machine& machine) {
  Processor* processor;
  {
    LockGuard guard(shared_.lock);
    processor = idle_processors_.Pop();
    if (processor == nullptr) return false;
    Hold(machine, *processor);
  }
  sysmon_sleep_.Rouse();
  GoOn(machine, *processor);
  return true;
}

MR_NO_TSAN void Scheduler::CloseDetachedAccount(Machine& machine, Fiber* fiber, uint64_t now) {
  fiber->account.DetachedUntil(machine.detached_at.load(std::memory_order_relaxed), now);
  // It may be about to wait in the middle of a blocking call, and stands where that leaves it then.
  fiber->preempted_at = SavedFrame();
  // release: pairs with Sysmon::LookAtDetached.
  machine.detached_at.store(0, std::memory_order_release);
}

namespace {

// Whoever asks may wait a moment.
bool Runs(pid_t tid) {
  ThreadDoes does = WhatThreadDoes(tid);
  if (does != ThreadDoes::kUnknown) return does == ThreadDoes::kRun;
  int64_t before = ThreadCpuNs(tid);
  timespec moment{.tv_sec = 0, .tv_nsec = 1'000'000};
  nanosleep(&moment, nullptr);
  return ThreadCpuNs(tid) - before > moment.tv_nsec / 10;
}

}  // namespace

MR_NO_TSAN Scheduler::TraceAsked Scheduler::AskForTrace(Fiber* fiber, pid_t* tid) {
  // AwaitMachines has the mutex then.
  if (stopping()) return TraceAsked::kNobody;
  TraceAsked asked = TraceAsked::kNobody;
  machines_.ForEach([&](Machine& machine) {
    if (asked != TraceAsked::kNobody || machine.current != fiber ||
        machine.life.load(std::memory_order_acquire) != Machine::Life::kRuns)
      return;
    *tid = machine.tid.load(std::memory_order_relaxed);
    asked = Runs(*tid) ? TraceAsked::kSignalled : TraceAsked::kAsleep;
    if (asked == TraceAsked::kAsleep) return;
    machine.trace_wanted.store(true, std::memory_order_release);
    SendPreemptSignal(machine);
  });
  return asked;
}

// ---- Calls that block

MR_NO_TSAN void Scheduler::EnterBlocking(Machine& machine, const SavedFrame& at) {
  sanitizers::IgnoreScope ignore;
  Pin();
  Fiber* fiber = machine.current;
  uint64_t now = NowTicks();
  Processor* processor = machine.processor.Get();
  if (processor != nullptr) {
    fiber->account.RanUntil(now);
  } else {
    CloseDetachedAccount(machine, fiber, now);
  }
  fiber->wait_reason = WaitReason::kBlocking;
  fiber->preempted_at = at;
  // release: pairs with the acquire of whoever looks at the fiber (dump.h, deadlock.h). Before the processor goes: once
  // all are idle, it must not be seen running.
  fiber->state.store(FiberState::kParked, std::memory_order_release);
  machine.blocking.store(true, std::memory_order_relaxed);
  if (processor != nullptr) {
    LetGo(machine, *processor);
    handoffs_.fetch_add(1, std::memory_order_relaxed);
    Disown(*processor);
  }
  Unpin();
}

MR_NO_TSAN void Scheduler::LeaveBlocking(Machine& machine) {
  sanitizers::IgnoreScope ignore;
  Pin();
  // The call may have parked the fiber, which then goes on with a processor like any other.
  if (machine.blocking.load(std::memory_order_relaxed)) {
    machine.blocking.store(false, std::memory_order_relaxed);
    Fiber* fiber = machine.current;
    fiber->account.BlockedUntil(WaitReason::kBlocking, NowTicks());
    if (stopping()) Ending::Abandon(machine);
    if (!TakeProcessorToGoOn(machine)) {
      {
        LockGuard guard(shared_.lock);
        Requeue(machine, fiber, fiber->urgent ? ReadyLists::kUrgentReturned : ReadyLists::kReturned);
      }
      // A processor may have become idle since, with nobody to look at the queue.
      WakeIfIdle();
      if (SleepBound(machine) == Resumed::kStopping) Ending::Abandon(machine);
    }
    fiber->preempted_at = SavedFrame();
  }
  // Kept until here: a fiber that waits for a processor with this reason was not stopped by a signal (dump.cc).
  machine.current->wait_reason = WaitReason::kNone;
  Unpin();
}

// Gives a processor that its machine has let go to whoever needs one. Any thread.
void Scheduler::Disown(Processor& processor) {
  {
    LockGuard guard(shared_.lock);
    EmptyIfRetired(processor);
    idle_processors_.Push(processor);
  }
  WakeSuccessor();
}

// Sysmon: from a machine whose thread sleeps in a system call that nobody has announced.
bool Scheduler::Retake(Processor& processor) {
  Machine* machine = processor.machine.load(std::memory_order_acquire);
  if (machine == nullptr) return false;
  uint64_t detached_at = NowTicks();
  machine->detached_at.store(detached_at, std::memory_order_relaxed);
  if (!machine->processor.Retake(&processor, *machine->preempt_word)) return false;
  processor.machine.store(nullptr, std::memory_order_relaxed);
  handoffs_.fetch_add(1, std::memory_order_relaxed);
  Disown(processor);
  return true;
}

}  // namespace millrace::rt
