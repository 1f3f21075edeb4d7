// Signals as a process inherits them from whoever started it, made as if a shell had started it: none is blocked, and
// none is ignored but those that `nohup` and shells ignore for programs in the background. With an ignored SIGCHLD the
// kernel would reap the children of exec jobs. (Descriptors that were closed: base/standard_streams.h.)
#pragma once

namespace millrace {

// Before any thread.
void ResetInherited();

}  // namespace millrace
