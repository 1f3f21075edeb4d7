// Leaving one stack for another: registers by Boost.Context, and what the C++ runtime keeps by thread (errno,
// exceptions in flight) carried along with the fiber. Only scheduler.cc and park.cc use this.
#pragma once

#include "runtime/machine.h"

namespace millrace::rt {

// Once on each machine's thread, before its first switch: where this thread keeps errno and its exception state.
void BindThreadState(Machine& machine);

// Makes the next SwitchToFiber start the fiber's closure at the top of its stack.
void PrepareContext(Fiber* fiber);

// On the machine's own stack. Returns when a fiber has left its stack for this one, perhaps another than `fiber`;
// machine.after_switch says why.
Fiber* SwitchToFiber(Machine& machine, Fiber* fiber);

// On a fiber's stack. Goes to the next fiber's straight away where there is one at hand (Scheduler::PickNext), which
// then settles what this one has left behind; else to the machine's. Returns when the fiber goes on, perhaps on another
// machine.
void LeaveFiber(AfterSwitch reason, ParkCommit commit, void* argument);

}  // namespace millrace::rt
