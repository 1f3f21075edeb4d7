// Fibers that keep their thread (lock_thread.h). Such a fiber is bound to its machine for as long as it holds it:
// readied, it goes to the list of bound ones, and whoever finds it there hands the processor to its thread (rule 5).
// The machine searches for no work; while its fiber waits it sleeps without a processor.
#include <limits>

#include "base/check.h"
#include "runtime/futex.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

MR_NO_TSAN void Scheduler::LockThread(Machine& machine) {
  PinScope pin;
  Fiber& fiber = *machine.current;
  MR_CHECK(fiber.thread_locks < std::numeric_limits<decltype(fiber.thread_locks)>::max(),
           "fiber %lu '%s' has locked its thread %u times; give UnlockThread as often as LockThread",
           static_cast<unsigned long>(fiber.id), fiber.name, fiber.thread_locks);
  ++fiber.thread_locks;
  fiber.bound = &machine;
  machine.locked = &fiber;
}

MR_NO_TSAN void Scheduler::UnlockThread(Machine& machine) {
  PinScope pin;
  Fiber& fiber = *machine.current;
  MR_CHECK(fiber.thread_locks > 0, "fiber %lu '%s' unlocks its thread, which it has not locked; call LockThread first",
           static_cast<unsigned long>(fiber.id), fiber.name);
  if (--fiber.thread_locks > 0) return;
  fiber.bound = nullptr;
  machine.locked = nullptr;
}

// On the machine's own stack, its fiber has left. Returns that, with a processor, once it is ready and somebody has
// handed one over; nullptr: it has ended, or the runtime stops.
Fiber* Scheduler::AwaitLocked(Machine& machine) {
  machine.left_at = 0;
  Fiber* fiber = machine.locked;
  bool ended = machine.after_switch == AfterSwitch::kFinish;
  if (Processor* processor = machine.processor.Get()) {
    LetGo(machine, *processor);
    Disown(*processor);
  }
  if (ended) {
    machines_.EndsWithItsFiber();
    housekeeper_.Ask(Housekeeper::kMachines);
    return nullptr;
  }
  machines_.LockedSleeps();
  // acquire: pairs with the release in Assign. At the end of the run AwaitMachines wakes everybody again and again.
  while (machine.wake.load(std::memory_order_acquire) == 0) FutexWait(machine.wake, 0);
  machines_.LockedWakes();
  machine.wake.store(0, std::memory_order_relaxed);
  if (stopping()) return nullptr;
  Hold(machine, *machine.assigned);
  return fiber;
}

}  // namespace millrace::rt
