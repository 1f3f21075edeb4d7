// Leaving one stack for another: registers by Boost.Context, and what the C++ runtime keeps by thread (errno, exceptions in
// flight) carried along with the fiber. Only scheduler.cc and park.cc use this.
#pragma once

#include "runtime/machine.h"

namespace millrace::rt {

// Once on each machine's thread, before its first switch: where this thread keeps errno and its exception state.
void BindThreadState(Machine& machine);

// Makes the next SwitchToFiber start the fiber's closure at the top of its stack.
void PrepareContext(Fiber* fiber);

// On the machine's own stack. Returns when the fiber has left its stack; machine.after_switch says why.
void SwitchToFiber(Machine& machine, Fiber* fiber);

// On a fiber's stack. Returns when the fiber goes on, perhaps on another machine.
void LeaveFiber(AfterSwitch reason, ParkCommit commit, void* argument);

}  // namespace millrace::rt
