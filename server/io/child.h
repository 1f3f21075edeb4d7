// The end of a child process that something else has started (a library, posix_spawn). For starting one: io/process.h.
#pragma once

#include <sys/types.h>

#include "base/status.h"
#include "io/until.h"

namespace millrace::io {

struct ChildEnd {
  int code = 0;    // Exit status, when it exited.
  int signal = 0;  // What killed it; 0: it exited.
};

// Parks until the child has ended, and reaps it: its number is free then. NOT_FOUND (ECHILD): this process has no such
// child, or somebody else has reaped it. When `until` is over the child goes on and can be awaited again.
Result<ChildEnd> AwaitChild(pid_t pid, const Until& until = {});

}  // namespace millrace::io
