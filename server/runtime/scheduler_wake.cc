// How the scheduler wakes machines: rules 1 to 4 of scheduler.h from the side of whoever has work to give, and the poller role.
#include <mutex>

#include "runtime/cycles.h"
#include "runtime/futex.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

// Rule 2. A successor is needed only for work that is there, and for timers and I/O that nobody watches. Go wakes one in any case,
// which costs two system calls for each job that a plain thread hands to a runtime at rest.
void Scheduler::WakeSuccessor() {
  if (!idle_.MayNeedSuccessor()) return;
  bool unwatched = !poller_taken_.load(std::memory_order_seq_cst) &&
                   (poller().Watching() || EarliestTimer() != TimerHeap::kNever);  // Rule 4.
  if (unwatched || AnyWork()) WakeOne();
}

void Scheduler::WakeOne() {
  if (!idle_.TryBecomeWaker()) return;
  Processor* processor = nullptr;
  Machine* machine = nullptr;
  bool spins = true;
  {
    LockGuard guard(lock_);
    if (!stopping_.load(std::memory_order_relaxed)) processor = PopIdleProcessor();
    if (processor == nullptr) {
      idle_.CouldNotWake();
    } else if (idle_machines_ != nullptr) {
      machine = PopIdleMachine();
    } else if ((machine = PopBound(*processor)) != nullptr) {
      spins = false;
    } else {
      PushIdleProcessor(*processor);
    }
  }
  if (processor != nullptr && (machine == nullptr || !spins)) idle_.StopSpinning();
  if (machine != nullptr) {
    Assign(*machine, processor, spins);
  } else if (processor != nullptr) {
    housekeeper_.Ask(Housekeeper::kMachines);
  }
  if (processor != nullptr) RouseSysmon();
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
  // release: pairs with the acquire there.
  machine.wake.store(1, std::memory_order_release);
  FutexWake(machine.wake, 1);
}

void Scheduler::Hold(Machine& machine, Processor& processor) {
  sanitizers::Acquire(&processor);  // Made by Resize, perhaps.
  machine.detached_at.store(0, std::memory_order_release);
  // The slice of whoever had it before is over; else the first look for work would prefer the global queue again and again.
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
    LockGuard guard(lock_);
    Processor* processor = PopIdleProcessor();
    if (processor == nullptr) return false;
    Hold(machine, *processor);
    BecomeSpinning(machine);
  }
  RouseSysmon();
  return true;
}

Processor* Scheduler::PopIdleProcessor() {
  Processor* processor = idle_processors_;
  if (processor == nullptr) return nullptr;
  idle_processors_ = processor->idle_next;
  ++processors_taken_;
  idle_.ProcessorTaken();
  return processor;
}

void Scheduler::PushIdleProcessor(Processor& processor) {
  processor.retired = processor.index >= procs();
  if (processor.retired) return;
  processor.idle_next = idle_processors_;
  idle_processors_ = &processor;
  idle_.ProcessorIdle();
}

Machine* Scheduler::PopIdleMachine() {
  Machine* machine = idle_machines_;
  if (machine == nullptr) return nullptr;
  idle_machines_ = machine->idle_next;
  idle_machine_count_.fetch_sub(1, std::memory_order_seq_cst);
  return machine;
}

// Sysmon sleeps without an end only while every processor is idle.
void Scheduler::RouseSysmon() {
  // Partner: Sysmon::Sleep, which says that it sleeps and then looks at the idle processors once more.
  uint32_t sleeps = kSysmonSleeps;
  if (sysmon_word_.load(std::memory_order_seq_cst) == sleeps &&
      sysmon_word_.compare_exchange_strong(sleeps, kSysmonAwake, std::memory_order_seq_cst)) {
    FutexWake(sysmon_word_, 1);
  }
}

// Takes the poller role if it is free and sleeps until there is something to do. True: the machine got a processor. False: somebody
// else has the role, every processor is busy and no I/O awaited, or the runtime stops.
bool Scheduler::PollUntilWork(Machine& machine) {
  while (!poller_taken_.exchange(true, std::memory_order_seq_cst)) {
    bool took_processor = false;
    while (!stopping_.load(std::memory_order_seq_cst)) {
      Netpoller& poller = this->poller();
      int64_t until = EarliestTimer();
      // Published, then looked again: partner is StartTimer, which publishes its timer and then reads poll_until_.
      poll_until_.store(until, std::memory_order_seq_cst);
      if (EarliestTimer() < until) continue;
      // With all processors busy timers are their machines' concern and sysmon's; this one stays for the I/O.
      bool all_busy = idle_.idle_processors() == 0;
      machine.collecting = true;
      poller.Wait(all_busy && poller.Watching() ? std::max(until, NowNs() + kTimeSliceNs) : until);
      machine.collecting = false;
      poll_until_.store(kNobodyPolls, std::memory_order_seq_cst);
      if (!machine.collected.empty()) {
        LockGuard guard(lock_);
        ready_.Append(machine.collected);
      }
      if (!AnyWork()) continue;  // Interrupted for the sake of an earlier timer.
      took_processor = TryTakeProcessor(machine);
      // Without an idle processor each one has a machine that looks after its timers and the queues.
      if (took_processor || !poller.Watching()) break;
    }
    poll_until_.store(kNobodyPolls, std::memory_order_seq_cst);
    poller_taken_.store(false, std::memory_order_seq_cst);
    if (took_processor) return true;
    // Rule 4: a machine that went idle after TryTakeProcessor failed may have found the role taken and gone to sleep.
    bool again = poller().Watching() || (idle_.idle_processors() > 0 && EarliestTimer() != TimerHeap::kNever);
    if (!again || stopping_.load(std::memory_order_seq_cst)) return false;
  }
  return false;
}

// For I/O that nobody watches while all processors are busy.
void Scheduler::WakePoller() {
  Machine* machine;
  {
    LockGuard guard(lock_);
    machine = PopIdleMachine();
  }
  if (machine == nullptr) return housekeeper_.Ask(Housekeeper::kMachines);
  Assign(*machine, nullptr, false);
}

void Scheduler::InterruptPoller() {
  sanitizers::IgnoreScope ignore;
  poller().Interrupt();
}

Netpoller& Scheduler::UseNetpoller(std::unique_ptr<Netpoller> (*make)()) {
  if (Netpoller* present = poller_.load(std::memory_order_acquire); present != &sleep_poller_) return *present;
  std::lock_guard guard(netpoller_mutex_);
  if (netpoller_ == nullptr) {
    netpoller_ = make();
    poller_.store(netpoller_.get(), std::memory_order_seq_cst);
    // Whoever is asleep in the old one goes over to the new one.
    sleep_poller_.Interrupt();
  }
  return *netpoller_;
}

}  // namespace millrace::rt
