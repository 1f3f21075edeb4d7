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
    for (uint32_t i = 0; i < count; ++i) PushShared(global_, half[i]);
  }
}

// Hands a ready fiber over; `machine` is the calling thread's, or nullptr.
MR_NO_TSAN void Scheduler::Submit(Machine* machine, Fiber* fiber) {
  sanitizers::Release(fiber);
  if (machine != nullptr && &machine->scheduler == this) {
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
  {
    LockGuard guard(lock_);
    PushShared(global_, fiber);
  }
  WakeIfIdle();
  // release: pairs with ~Scheduler. Nothing of the scheduler is touched after this.
  outside_calls_.fetch_sub(1, std::memory_order_release);
}

void Scheduler::PushShared(FiberList& list, Fiber* fiber) {
  list.PushBack(fiber);
  // seq_cst: rule 1 is "push, then look who sleeps" against "go to sleep, then look at this".
  shared_count_.fetch_add(1, std::memory_order_seq_cst);
}

void Scheduler::AppendShared(FiberList& fibers) {
  shared_count_.fetch_add(fibers.count(), std::memory_order_seq_cst);
  global_.Append(fibers);
}

Fiber* Scheduler::PopBound() {
  Fiber* fiber = bound_.PopFront();
  if (fiber == nullptr) return nullptr;
  shared_count_.fetch_sub(1, std::memory_order_seq_cst);
  parked_count_.fetch_sub(1, std::memory_order_relaxed);
  return fiber;
}

// The fiber that has waited longest. Of those that any machine can run, the processor also gets its fair share into its ring; not
// while many are parked, since fibers that have not begun are sent back then, one by one (FindRunnable), and those that have must not
// be kept behind hogs that perhaps wait for them.
Fiber* Scheduler::PopShared(Processor& processor, int64_t max) {
  bool crowded = TooManyParked();
  FiberList* oldest = &global_;
  auto consider = [&oldest](FiberList& list) {
    if (!list.empty() && (oldest->empty() || list.front()->since < oldest->front()->since)) oldest = &list;
  };
  if (!crowded) consider(deferred_);
  consider(bound_);
  if (oldest == &bound_) return PopBound();
  Fiber* first = oldest->PopFront();
  if (first == nullptr) return nullptr;
  int64_t taken = 1;
  if (oldest == &global_ && !crowded) {
    int64_t share = std::min((global_.count() + 1) / procs() + 1, max);
    for (; taken < share && !global_.empty() && processor.run_queue.Push(global_.front()); ++taken) global_.PopFront();
  }
  shared_count_.fetch_sub(taken, std::memory_order_seq_cst);
  return first;
}

// A fiber that has not begun yet waits until fewer machines are parked: it might become the next one that a signal stops.
void Scheduler::Defer(Fiber* fiber) {
  LockGuard guard(lock_);
  PushShared(deferred_, fiber);
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

MR_NO_TSAN void Scheduler::StartTimer(Timer* timer, int64_t deadline_ns, Timer::Fire fire) {
  Machine* machine = CurrentMachine();
  MR_CHECK(machine != nullptr, "a timer was started outside a fiber");
  Pin();
  Processor* processor = machine->processor.Get();
  Unpin();
  // Any heap will do for a fiber that has lost its processor. The insertion itself may allocate and is not pinned.
  TimerHeap& heap = processor != nullptr ? processor->timers : processors_[0]->timers;
  if (!heap.Insert(timer, deadline_ns, fire)) return;
  if (processor == nullptr) {
    // All processors may be idle with nobody asleep for timers, of which there were none (rule 4).
    PinScope pin;
    WakeSuccessor();
  }
  // Partner: PollUntilWork.
  if (deadline_ns < poll_until_.load(std::memory_order_seq_cst)) InterruptPoller();
}

}  // namespace millrace::rt
