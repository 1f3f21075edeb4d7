// Changing the number of processors while they run. Nothing stops the world: a processor too many is retired by the
// machine that holds it, at its next search for work, which sysmon brings about within a slice. What is in its ring
// goes to the global queue; its timers stay, fired by others (Go moves both with the world stopped, procresize).
#include <algorithm>

#include "base/check.h"
#include "runtime/cpu_limit.h"
#include "runtime/preempt.h"
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
  if (by == ResizedBy::kCpuLimit && !FollowsCpuLimit()) return before;
  processors_.MakeUpTo(procs);
  processors_.NotAloneAnyMore();
  PinScope pin;  // As in SubmitFromOutside.
  {
    LockGuard lock_guard(shared_.lock);
    processors_.SetProcs(procs);
    if (main_ != nullptr) idle_processors_.FollowProcs(before);  // Else RunMain puts them there.
  }
  processors_.PerhapsAlone();
  housekeeper_.Ask(Housekeeper::kMachines);
  WakeSuccessor();
  sysmon_sleep_.Rouse();
  return before;
}

void Scheduler::FollowCpuLimit() {
  int limit = std::clamp(CpuLimit(cgroup_root_), 1, kMaxProcs);
  if (limit != procs()) Resize(limit, ResizedBy::kCpuLimit);
}

// The machine's own, on finding that its processor is one too many.
void Scheduler::Retire(Machine& machine, Processor& processor) {
  {
    LockGuard guard(shared_.lock);
    if (!processors_.TooMany(processor)) return;
    EmptyIfRetired(processor);
    LetGo(machine, processor);
    idle_processors_.Push(processor);
  }
  if (machine.spinning) StopSpinning(machine);
  WakeSuccessor();
}

void Scheduler::EmptyIfRetired(Processor& processor) {
  if (!processors_.TooMany(processor)) return;
  bool inherits;
  while (Fiber* fiber = processor.run_queue.Pop(&inherits)) shared_.Push(ReadyLists::kWoken, fiber);
  if (processor.free_fibers != nullptr) stacks_.usual().Give(processor.free_fibers, processor.free_fiber_count);
  processor.free_fibers = nullptr;
  processor.free_fiber_count = 0;
}

}  // namespace millrace::rt
