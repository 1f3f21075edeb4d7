// The dump: every live fiber with its state, since when, and its backtrace with symbols, of all runtimes in the
// process.
//
//   runtime: fiber dump: 3 fibers: 1 running, 2 channel receive
//   fiber 17 'worker' [channel receive, 12 s]:
//     #0 0x0000000000408c3d millrace::rt::Park(...) at /src/server/runtime/park.cc:23
//     ...
//   runtime: end of fiber dump
//
// The kFibersShown fibers with the lowest ids are shown one by one; of the others, those with the same stack are
// counted together.
//
//   Callers   Any thread, any fiber (which holds its processor meanwhile and is in the dump itself); not a signal
//             handler.
//   Method    Nothing is stopped and no lock is held: fibers go on while they are looked at. One that changed its state
//             meanwhile is looked at again, at most kLooks times, and then shown as moved. Nothing outside its stack is
//             ever read.
//   Asleep    A running fiber whose thread sleeps in a call that nobody announced is shown as asleep in a call and is
//             not disturbed. Its innermost lines are found by looking at its stack and may be wrong, or miss some in
//             the C library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace millrace::rt {

struct Fiber;

inline constexpr int kFibersShown = 1000;
inline constexpr int kFramesShown = 64;  // For each fiber.

std::string FiberDump();
// The same, written to a descriptor.
void DumpFibers(int fd);

struct RunningTrace {
  size_t depth = 0;     // How many addresses; 0 if it does not run any more, or nothing can be seen.
  bool asleep = false;  // Its thread sleeps in the kernel.
};
// How to see where a running fiber is: fills `pcs` with up to `max` addresses, innermost first. It is called from the
// dump's thread. Without one, running fibers are shown without a backtrace.
using TraceRunning = RunningTrace (*)(Fiber* fiber, uintptr_t* pcs, size_t max);
void SetTraceRunning(TraceRunning trace);

// The name of a fiber as read from outside. Fiber and name may be gone by then: "" or anything, but no fault.
std::string CopyFiberName(const char* name);

}  // namespace millrace::rt

// For other languages and for debuggers: `call millrace_dump_fibers(2)`.
extern "C" void millrace_dump_fibers(int fd);
