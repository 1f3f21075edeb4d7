// The limit of open files (RLIMIT_NOFILE). A server wants the hard limit. The programs that it starts get the soft
// limit that it was given itself, since some still use select(), which knows no descriptor beyond 1023.
//
//   Threads   RaiseOpenFilesLimit once, before other threads start. The rest: any.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace millrace {

// Raises the soft limit to the hard one.
void RaiseOpenFilesLimit();
// How many more descriptors this process may open.
int64_t OpenFilesLeft();
// So many of the last descriptors are not for programs: connections, the store and the log need them more. Descriptors
// are numbered from the lowest that is free, so whoever was given one below the limit minus these has left that many.
int SpareDescriptors();
// The limit for programs that this process starts: the one from before it was raised.
rlimit OpenFilesLimitOfChildren();

}  // namespace millrace
