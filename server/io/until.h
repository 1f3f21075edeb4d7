// Until: how long an operation may wait. Every call of io/ that waits takes one as its last argument.
//
//   socket.Read(buffer)                                     for ever
//   socket.Read(buffer, io::Within(5s))                     for five seconds
//   socket.Read(buffer, {.cancel = token})                  until the token is cancelled
//   socket.Read(buffer, {.deadline = at, .cancel = token})  until either
//
// An operation that may not wait any longer when it begins fails without having tried, so a loop over a busy socket ends too.
#pragma once

#include <chrono>
#include <utility>

#include "base/clock.h"
#include "sync/cancel.h"

namespace millrace::io {

struct Until {
  MonoTime deadline = MonoTime::max();
  sync::CancelToken cancel;

  bool limited() const { return deadline != MonoTime::max() || cancel.done() != nullptr; }
  bool expired() const { return deadline != MonoTime::max() && std::chrono::steady_clock::now() >= deadline; }
};

inline Until Within(AnyDuration duration, sync::CancelToken cancel = {}) {
  return {.deadline = Later(MonoTime(std::chrono::steady_clock::now()), duration), .cancel = std::move(cancel)};
}

}  // namespace millrace::io
