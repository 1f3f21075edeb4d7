// The limit of open files (RLIMIT_NOFILE): a server wants the hard one, programs that it starts the soft one that it was given, since
// some still use select(), which knows no descriptor beyond 1023.
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
// What a program that this process starts is given: the limit from before it was raised.
rlimit OpenFilesLimitOfChildren();

}  // namespace millrace
