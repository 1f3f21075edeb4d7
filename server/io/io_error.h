// What the kernel says, as a Status that names the thing: "cannot read from 127.0.0.1:9: Connection reset by peer".
#pragma once

#include <string>

#include "base/status.h"
#include "io/until.h"

namespace millrace::io {

// `what` was tried in vain: "cannot connect to 10.0.0.1:80". The reason is the errno's name, such as ECONNREFUSED, and
// codes are chosen by what a caller can do: UNAVAILABLE when the other side is at fault, RESOURCE_EXHAUSTED when this
// process or the system has run out of something, INTERNAL when the call was wrong.
Status IoError(int error, const std::string& what);

// The thing was closed by this process.
Status ClosedError(const std::string& what);

// `until` does not allow to wait any longer. DEADLINE_EXCEEDED IO_DEADLINE, or the code and reason of the cancellation.
Status StoppedError(const Until& until, bool cancelled, const std::string& what);

}  // namespace millrace::io
