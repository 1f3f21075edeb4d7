// Spawn: from a ProcessSpec to a running child with its pipes; the lower half of io/process.
//
// posix_spawn can set neither a parent-death signal nor limits, so this is vfork and exec by hand. vfork, because a
// fork would copy the page tables of a daemon with many fibers, and would stop its threads meanwhile. Everything the
// child needs is laid out before; between vfork and exec it makes system calls and nothing else.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/status.h"
#include "io/process.h"
#include "io/unique_fd.h"

namespace millrace::io {

struct Spawned {
  // Also its process group. The caller must reap it, and only once the group needs no more signals.
  pid_t pid = -1;
  UniqueFd pidfd;                  // Readable when it has ended.
  UniqueFd input, output, errors;  // Our ends of its stdin, stdout and stderr; they do not block.
  UniqueFd side;                   // And of kSideDescriptor, where the spec wants it.
};

// Returns once the child runs its program. On a Status, and after bad_alloc, nothing is left behind:
// PROCESS_START_REFUSED where the system was short of something and no program has begun, else PROCESS_START_FAILED.
// `variable`, "NAME=value", is one more of the environment.
//
// The child dies with the calling *thread* (that is what PR_SET_PDEATHSIG watches), which must have all signals
// blocked: a handler of ours must not run in the child, whose memory is ours until it execs.
Result<Spawned> Spawn(const ProcessSpec& spec, const std::string& variable = "");

struct Ending {
  int status = 0;  // As from wait(2).
  Nanos cpu{0};
  Nanos run_delay{0};
};

// For a child that has ended: kills what is left in its group, reads what it used, and reaps it.
Ending Reap(pid_t pid);

// To the child's group, and to the child itself should it have left that. Only before Reap.
void SignalGroup(pid_t pid, int signal);

}  // namespace millrace::io
