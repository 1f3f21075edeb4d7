#include "runtime/lock_thread.h"

#include "runtime/machine.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

MR_NO_TSAN void LockThread() {
  Machine* machine = CurrentMachine();
  if (machine != nullptr && machine->current != nullptr) Scheduler::LockThread(*machine);
}

MR_NO_TSAN void UnlockThread() {
  Machine* machine = CurrentMachine();
  if (machine != nullptr && machine->current != nullptr) Scheduler::UnlockThread(*machine);
}

}  // namespace millrace::rt
