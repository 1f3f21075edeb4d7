// Fibers that keep their thread (lock_thread.h). Such a fiber is bound to its machine for as long as it holds it:
// readied, it goes to the list of bound ones, and whoever finds it there hands the processor to its thread (rule 5).
// The machine searches for no work; while its fiber waits it sleeps without a processor.
#include <pthread.h>

#include <limits>
#include <memory>
#include <mutex>
#include <vector>

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
    machine_count_.fetch_sub(1, std::memory_order_seq_cst);
    ended_machines_.fetch_add(1, std::memory_order_relaxed);
    housekeeper_.Ask(Housekeeper::kMachines);
    return nullptr;
  }
  locked_asleep_.fetch_add(1, std::memory_order_seq_cst);
  // acquire: pairs with the release in Assign. At the end of the run AwaitMachines wakes everybody again and again.
  while (machine.wake.load(std::memory_order_acquire) == 0) FutexWait(machine.wake, 0);
  locked_asleep_.fetch_sub(1, std::memory_order_seq_cst);
  machine.wake.store(0, std::memory_order_relaxed);
  if (stopping_.load(std::memory_order_seq_cst)) return nullptr;
  Hold(machine, *machine.assigned);
  return fiber;
}

// Threads that have ended with their fiber, for the housekeeper. True: some are not gone yet, try again soon.
bool Scheduler::ReapMachines() {
  if (ended_machines_.load(std::memory_order_relaxed) == 0) return false;
  std::lock_guard guard(machines_mutex_);
  sanitizers::IgnoreScope ignore;
  if (stopping_.load(std::memory_order_seq_cst)) return false;
  std::erase_if(machines_, [&](const std::unique_ptr<Machine>& machine) {
    if (machine->life.load(std::memory_order_acquire) != Machine::Life::kEnded) return false;
    // Sysmon may have found it on its processor a moment ago. While it naps it looks at nobody, and it will not find it
    // there again. (seq_cst: the nap begins after the last use.)
    if (sysmon_sleep_.awake() || machine->watched.load(std::memory_order_acquire)) return false;
    if (pthread_tryjoin_np(machine->thread, nullptr) != 0) return false;
    ended_machines_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  });
  // While sysmon sleeps nothing changes.
  return ended_machines_.load(std::memory_order_relaxed) > 0 && !sysmon_sleep_.sleeps();
}

}  // namespace millrace::rt
