// How the scheduler wakes machines: rules 1 to 3 of scheduler.h from the side of whoever has work to give.
#include "runtime/scheduler.h"

#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "runtime/futex.h"

namespace millrace::rt {

void Scheduler::WakeIfIdle() {
  // Rule 1: the fiber is in a queue. Partner: the fence in FindRunnable.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (idle_processor_count_.load(std::memory_order_relaxed) > 0 && spinning_.load(std::memory_order_relaxed) == 0)
    WakeOne();
}

// Rule 2. Whoever pushed while we were spinning left it to us; whoever pushes from now on sees that we are not (the same pair of
// barriers as in rule 1). So a successor is needed only for work that is there, and for timers that nobody watches. Go wakes one in
// any case, which costs two system calls for each job that a plain thread hands to a runtime at rest.
void Scheduler::WakeSuccessor() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (idle_processor_count_.load(std::memory_order_relaxed) == 0 || spinning_.load(std::memory_order_relaxed) != 0)
    return;
  bool timers_unwatched =
      !poller_taken_.load(std::memory_order_seq_cst) && EarliestTimer() != TimerHeap::kNever;  // Rule 4.
  if (timers_unwatched || AnyWork()) WakeOne();
}

void Scheduler::WakeOne() {
  int none = 0;
  if (!spinning_.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) return;
  Processor* processor = nullptr;
  Machine* machine = nullptr;
  {
    LockGuard guard(lock_);
    if (!stopping_.load(std::memory_order_relaxed)) processor = PopIdleProcessor();
    if (processor == nullptr) {
      need_spinning_.store(true, std::memory_order_relaxed);  // Rule 3; read under lock_.
      spinning_.fetch_sub(1, std::memory_order_seq_cst);
      return;
    }
    if (idle_machines_ != nullptr) {
      machine = idle_machines_;
      idle_machines_ = machine->idle_next;
      --idle_machine_count_;
    } else {
      ++machine_count_;
    }
  }
  machine_wakeups_.fetch_add(1, std::memory_order_relaxed);
  if (machine != nullptr) {
    machine->assigned = processor;
    machine->assigned_spinning = true;
    machine->wake.store(1, std::memory_order_release);
    FutexWake(machine->wake, 1);
    return;
  }
  std::lock_guard guard(machines_mutex_);
  if (!stopping_.load(std::memory_order_seq_cst)) {
    auto owned = std::make_unique<Machine>(*this);
    machine = owned.get();
    machine->processor = processor;
    machine->spinning = true;
    machine->random_state = seed_ + 0x9E3779B97F4A7C15u * (machines_.size() + 1);
    try {
      machine->thread = std::thread([this, machine] { MachineThread(*machine); });
      machines_.push_back(std::move(owned));
      return;
    } catch (const std::system_error&) {
      // Out of threads: the others go on with fewer processors, and the next wake-up tries again.
    }
  }
  LockGuard lock_guard(lock_);
  --machine_count_;
  PushIdleProcessor(processor);
  spinning_.fetch_sub(1, std::memory_order_seq_cst);
}

void Scheduler::BecomeSpinning(Machine& machine) {
  machine.spinning = true;
  need_spinning_.store(false, std::memory_order_relaxed);
  spinning_.fetch_add(1, std::memory_order_seq_cst);
}

void Scheduler::StopSpinning(Machine& machine) {
  machine.spinning = false;
  spinning_.fetch_sub(1, std::memory_order_seq_cst);
}

bool Scheduler::TryTakeProcessor(Machine& machine) {
  LockGuard guard(lock_);
  machine.processor = PopIdleProcessor();
  if (machine.processor == nullptr) return false;
  BecomeSpinning(machine);
  return true;
}

Processor* Scheduler::PopIdleProcessor() {
  Processor* processor = idle_processors_;
  if (processor == nullptr) return nullptr;
  idle_processors_ = processor->idle_next;
  idle_processor_count_.fetch_sub(1, std::memory_order_seq_cst);
  return processor;
}

void Scheduler::PushIdleProcessor(Processor* processor) {
  processor->idle_next = idle_processors_;
  idle_processors_ = processor;
  idle_processor_count_.fetch_add(1, std::memory_order_seq_cst);
}

}  // namespace millrace::rt
