// What the kernel says of a thread of this process.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace millrace::rt {

// Whether it sleeps (in a system call or for a page), or runs or waits for a core. Unknown when there is no /proc or no
// descriptor to be had: then its CPU time (ThreadCpuNs) tells something, if one waits. Costs some 2 us. Allocates
// nothing and locks nothing, not even stdio, which may be locked by a stopped fiber.
enum class ThreadDoes : uint8_t { kRun, kSleep, kUnknown };
ThreadDoes WhatThreadDoes(pid_t tid);

// What it sleeps for, as far as the system call tells.
enum class SleepsFor : uint8_t {
  kNothing,  // It does not sleep, or nobody knows.
  kLock,     // futex(2)
  kMemory,   // mmap and the like: a moment, and perhaps in the middle of malloc
  kOutside,  // anything else: input, a child, a time
};
SleepsFor WhatThreadSleepsFor(pid_t tid);

// Where its own code goes on when it wakes up, and its stack pointer. False when it does not sleep, or nobody knows.
bool WhereThreadSleeps(pid_t tid, uintptr_t* pc, uintptr_t* sp);

// How many threads the process has. INT_MAX when there is no /proc.
int ThreadCount();

// Its CPU time so far.
int64_t ThreadCpuNs(pid_t tid);

}  // namespace millrace::rt
