// What a process inherits from whoever started it and the daemon cannot work with, made as if a shell had started it.
//
//   Descriptors  0, 1 and 2 are open: one that was closed leads to /dev/null. Otherwise the next file or connection would get the
//                number, and what is printed would go into it. Done before main, in every program that links this file.
//   Signals      None is blocked. None is ignored but those that `nohup` and shells ignore for programs in the background: an ignored
//                SIGCHLD would have the kernel reap the children of exec jobs.
#pragma once

namespace millrace {

// The signals. Before any thread.
void ResetInherited();

}  // namespace millrace
