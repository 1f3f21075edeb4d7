#include "runtime/blocking.h"

#include <cerrno>

#include "runtime/backtrace.h"
#include "runtime/machine.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

namespace {

// Out of line, so that errno is that of the thread on which the fiber is now (context.h).
__attribute__((noinline)) MR_NO_TSAN void Leave() {
  int saved_errno = errno;
  Machine* machine = CurrentMachine();
  if (machine != nullptr && machine->current != nullptr) machine->scheduler.LeaveBlocking(*machine);
  errno = saved_errno;
}

}  // namespace

MR_NO_TSAN BlockingScope::BlockingScope() {
  Machine* machine = CurrentMachine();
  if (machine != nullptr && machine->current != nullptr) machine->scheduler.EnterBlocking(*machine, BackInMyCaller());
}

BlockingScope::~BlockingScope() { Leave(); }

}  // namespace millrace::rt
