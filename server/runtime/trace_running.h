// Where a running fiber is: its thread is sent the preemption signal, and the handler writes the backtrace down before
// it goes on. Not one that sleeps in the kernel, where poll, nanosleep and others would end with EINTR: of that the
// kernel tells where.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/backtrace.h"
#include "runtime/dump.h"

namespace millrace::rt {

struct Fiber;
struct Machine;
class Scheduler;

// For SetTraceRunning of dump.h.
RunningTrace TraceRunningFiber(Fiber* fiber, uintptr_t* pcs, size_t max);

// For the time of a run, in which its machines may be asked.
void AllowTraces(Scheduler* scheduler);
void ForbidTraces(Scheduler* scheduler);

// In the signal handler. Async-signal-safe.
void AnswerTrace(Machine& machine, const SavedFrame& interrupted);

}  // namespace millrace::rt
