// How long an operation may wait (sync/until.h). Every call of io/ that waits takes one as its last argument.
//
//   socket.Read(buffer)                                     for ever
//   socket.Read(buffer, io::Within(5s))                     for five seconds
//   socket.Read(buffer, {.cancel = token})                  until the token is cancelled
//   socket.Read(buffer, {.deadline = at, .cancel = token})  until either
//
// Unlike those of sync/, an operation that may not wait any longer when it begins fails without having tried, so a loop
// over a busy socket ends too.
#pragma once

#include "sync/until.h"

namespace millrace::io {

using sync::Until;
using sync::Within;

}  // namespace millrace::io
