// RuntimeOptions::simulate: who runs next is drawn by lot from the seed, so that different seeds try different orders,
// and time passes only when nobody is ready. (Go's fake time in checkdead, and its shuffled queues under the race
// detector.)
#include "runtime/cycles.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

// The simulation's FindLocal: any of the ready fibers, the clock moved on if there is none. nullptr: nothing to do and
// no timer.
Fiber* Scheduler::SimulateLocal(Processor& processor) {
  RunQueue& queue = processor.run_queue;
  for (;;) {
    processor.counters.timers_fired.Add(static_cast<uint64_t>(processor.timers.FireDue(ClockNs())));
    if (Fiber* fiber = queue.TakeNext()) PushLocal(processor, fiber);
    if (shared_.Any()) {
      LockGuard guard(shared_.lock);
      // By lot as well, so no clock is needed to share out.
      Fiber* fiber = shared_.PopUrgent();
      if (fiber == nullptr) fiber = shared_.PopLast(TakerOn(processor, /*now=*/0));
      if (fiber != nullptr) {
        if (fiber->bound != nullptr) return fiber;
        if (!queue.Push(fiber)) return fiber;
      }
    }
    if (uint32_t size = queue.Size()) {
      bool inherits;
      for (uint32_t skip = static_cast<uint32_t>(NextRandom(simulated_random_) % size); skip > 0; --skip)
        queue.Push(queue.Pop(&inherits));
      return queue.Pop(&inherits);
    }
    int64_t next = processors_.EarliestTimer();
    if (next == TimerHeap::kNever) return nullptr;
    // Due ones of a heap other than this processor's do not exist: there is one processor.
    if (next > ClockNs()) simulated_ns_.store(next, std::memory_order_relaxed);
  }
}

}  // namespace millrace::rt
