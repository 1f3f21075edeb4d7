// What the kernel says of a thread of this process.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace millrace::rt {

// It sleeps (in a system call or for a page), rather than runs or waits for a core. Costs some 2 us. Allocates nothing and locks nothing,
// not even stdio, which may be locked by a stopped fiber. False as well when there is no /proc.
bool ThreadSleeps(pid_t tid);

// It sleeps, and in a system call other than futex(2): it waits for the outside, not for a lock. False as well when unknown.
bool ThreadSleepsOutside(pid_t tid);

// How many threads the process has. INT_MAX when there is no /proc.
int ThreadCount();

// Its CPU time so far.
int64_t ThreadCpuNs(pid_t tid);

}  // namespace millrace::rt
