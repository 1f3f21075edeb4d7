// Changing the number of processors while they run. Nothing stops the world: a processor too many is retired by the machine that
// holds it, at its next search for work, which sysmon brings about within a slice. What is in its ring goes to the global queue; its
// timers stay, fired by others (Go moves both with the world stopped, procresize).
#include <algorithm>

#include "base/check.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

int Scheduler::SetProcs(int procs) {
  MR_CHECK(procs >= 1 && procs <= kMaxProcs, "SetProcs(%d): the number of processors must be 1 to %d", procs,
           kMaxProcs);
  MR_CHECK(!simulate_ || procs == 1, "SetProcs(%d): a simulation has one processor", procs);
  return Resize(procs, ResizedBy::kProgram);
}

int Scheduler::Resize(int procs, ResizedBy by) {
  UnstoppableGuard guard(resize_mutex_);
  int before = this->procs();
  // What the program has said goes before the limit, also when that was read earlier.
  if (by == ResizedBy::kProgram) follow_cpu_limit_.store(false, std::memory_order_relaxed);
  if (by == ResizedBy::kCpuLimit && !follow_cpu_limit_.load(std::memory_order_relaxed)) return before;
  for (int i = created_.load(std::memory_order_relaxed); i < procs; ++i) {
    auto processor = std::make_unique<Processor>();
    processor->index = i;
    sanitizers::Release(processor.get());  // Partners: Hold, Arrive.
    processors_[static_cast<size_t>(i)] = std::move(processor);
    // release: pairs with the acquire in ForEachProcessor.
    created_.store(i + 1, std::memory_order_release);
  }
  if (alone_.exchange(false, std::memory_order_seq_cst)) {
    // Who pushed without looking for an idle processor has done so before this, and WakeSuccessor below sees it.
    MR_CHECK(ProcessBarrier(), "membarrier(2) worked and does not any more");
  }
  PinScope pin;  // As in SubmitFromOutside.
  {
    LockGuard lock_guard(lock_);
    procs_.store(procs, std::memory_order_seq_cst);
    if (main_ != nullptr) {  // Else RunMain puts them there.
      Processor** link = &idle_processors_;
      while (Processor* processor = *link) {
        if (processor->index < procs) {
          link = &processor->idle_next;
          continue;
        }
        *link = processor->idle_next;
        processor->retired = true;
        idle_.ProcessorTaken();
      }
      for (int i = before; i < procs; ++i) {
        // One that was retired and is still held has just not noticed; it stays.
        Processor& processor = *processors_[static_cast<size_t>(i)];
        if (processor.retired) PushIdleProcessor(processor);
      }
    }
  }
  alone_.store(procs == 1 && ProcessBarrier(), std::memory_order_relaxed);
  housekeeper_.Ask(Housekeeper::kMachines);
  WakeSuccessor();
  sysmon_sleep_.Rouse();
  return before;
}

// The machine's own, on finding that its processor is one too many.
void Scheduler::Retire(Machine& machine, Processor& processor) {
  {
    LockGuard guard(lock_);
    if (processor.index < procs()) return;
    EmptyIfRetired(processor);
    LetGo(machine, processor);
    PushIdleProcessor(processor);
  }
  if (machine.spinning) StopSpinning(machine);
  WakeSuccessor();
}

// lock_ held, by whoever owns the processor at the moment.
void Scheduler::EmptyIfRetired(Processor& processor) {
  if (processor.index < procs()) return;
  bool inherits;
  while (Fiber* fiber = processor.run_queue.Pop(&inherits)) ready_.Push(ReadyLists::kWoken, fiber);
  if (processor.free_fibers != nullptr) stacks_.usual().Give(processor.free_fibers, processor.free_fiber_count);
  processor.free_fibers = nullptr;
  processor.free_fiber_count = 0;
}

}  // namespace millrace::rt
