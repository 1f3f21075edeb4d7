// How the scheduler wakes machines: rules 1 to 4 of scheduler.h from the side of whoever has work to give, and the
// poller role.
#include <algorithm>

#include "runtime/cycles.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

// Rule 2. A successor is needed only for work that is there, and for timers and I/O that nobody watches. Go wakes one
// in any case, which costs two system calls for each job that a plain thread hands to a runtime at rest.
void Scheduler::WakeSuccessor() {
  if (!idle_.MayNeedSuccessor()) return;
  bool unwatched =
      !poller_role_.taken() && (poller().Watching() || processors_.EarliestTimer() != TimerHeap::kNever);  // Rule 4.
  if (unwatched || AnyWork()) WakeOne();
}

void Scheduler::WakeOne() {
  if (!idle_.TryBecomeWaker()) return;
  Processor* processor = nullptr;
  Machine* machine = nullptr;
  bool spins = true;
  {
    LockGuard guard(shared_.lock);
    if (!stopping_.load(std::memory_order_relaxed)) processor = idle_processors_.Pop();
    if (processor == nullptr) {
      idle_.CouldNotWake();
    } else if ((machine = idle_machines_.Pop()) == nullptr) {
      machine = shared_.PopBound(*processor);
      spins = false;
      if (machine == nullptr) idle_processors_.Push(*processor);
    }
  }
  if (processor != nullptr && (machine == nullptr || !spins)) idle_.StopSpinning();
  if (machine != nullptr) {
    Assign(*machine, processor, spins);
  } else if (processor != nullptr) {
    housekeeper_.Ask(Housekeeper::kMachines);
  }
  if (processor != nullptr) sysmon_sleep_.Rouse();
  // The thread of a stopped fiber does not search, so it finds no successor when there is more to do (rule 2).
  if (machine != nullptr && !spins) WakeSuccessor();
}

namespace {

// SleepBound, on a fiber's stack, is not seen by TSan, and neither is what it makes happen before the next assignment.
MR_NO_TSAN void SetAssignment(Machine& machine, Processor* processor, bool spinning) {
  machine.assigned = processor;
  machine.assigned_spinning = spinning;
}

}  // namespace

// Wakes a machine that sleeps in AcquireProcessor or SleepBound.
void Scheduler::Assign(Machine& machine, Processor* processor, bool spinning) {
  machine_wakeups_.fetch_add(1, std::memory_order_relaxed);
  SetAssignment(machine, processor, spinning);
  sanitizers::Release(&machine.wake);
  machine.Wake();
}

void Scheduler::Hold(Machine& machine, Processor& processor) {
  sanitizers::Acquire(&processor);  // Made by Resize, perhaps.
  machine.detached_at.store(0, std::memory_order_release);
  // The slice of whoever had it before is over; else the first look for work would prefer the global queue again and
  // again.
  processor.slice_start.Set(NowTicks());
  machine.processor.Set(&processor);
  processor.machine.store(&machine, std::memory_order_release);
}

void Scheduler::LetGo(Machine& machine, Processor& processor) {
  processor.machine.store(nullptr, std::memory_order_relaxed);
  machine.processor.Set(nullptr);
}

void Scheduler::BecomeSpinning(Machine& machine) {
  machine.spinning = true;
  idle_.StartSpinning();
}

void Scheduler::StopSpinning(Machine& machine) {
  machine.spinning = false;
  idle_.StopSpinning();
}

bool Scheduler::TryTakeProcessor(Machine& machine) {
  {
    LockGuard guard(shared_.lock);
    Processor* processor = idle_processors_.Pop();
    if (processor == nullptr) return false;
    Hold(machine, *processor);
    BecomeSpinning(machine);
  }
  sysmon_sleep_.Rouse();
  return true;
}

int Scheduler::SpareMachines() const MR_NO_THREAD_SAFETY_ANALYSIS { return idle_machines_.count(); }

uint64_t Scheduler::ProcessorsTaken() {
  LockGuard guard(shared_.lock);
  return idle_processors_.taken();
}

// What the poller's role asks of the scheduler (poller_role.h).
struct Scheduler::PollerHost {
  Scheduler& s;
  Machine& machine;

  bool Stopping() const { return s.stopping(); }
  int64_t EarliestTimer() const { return s.processors_.EarliestTimer(); }
  int IdleProcessors() const { return s.idle_.idle_processors(); }
  bool Watching() const { return s.poller().Watching(); }
  bool AnyWork() const { return s.AnyWork(); }
  bool TakeProcessor() const { return s.TryTakeProcessor(machine); }
  void Wait(int64_t until) const {
    Netpoller& poller = s.poller();
    // With all processors busy timers are their machines' concern and sysmon's; this one stays for the I/O.
    const bool for_io_alone = IdleProcessors() == 0 && poller.Watching();
    machine.collecting = true;
    poller.Wait(for_io_alone ? std::max(until, NowNs() + kTimeSliceNs) : until);
    machine.collecting = false;
    if (machine.collected.empty()) return;
    LockGuard guard(s.shared_.lock);
    s.shared_.Append(machine.collected);
  }
};

static_assert(PollerRole::kNever == TimerHeap::kNever);

bool Scheduler::PollUntilWork(Machine& machine) {
  PollerHost host{*this, machine};
  return poller_role_.UntilWork(host);
}

// For I/O that nobody watches while all processors are busy.
void Scheduler::WakePoller() {
  Machine* machine;
  {
    LockGuard guard(shared_.lock);
    machine = idle_machines_.Pop();
  }
  if (machine == nullptr) return housekeeper_.Ask(Housekeeper::kMachines);
  Assign(*machine, nullptr, false);
}

void Scheduler::InterruptPoller() {
  sanitizers::IgnoreScope ignore;
  poller().Interrupt();
}

}  // namespace millrace::rt
