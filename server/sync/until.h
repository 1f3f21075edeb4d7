// Until: how long somebody is willing to wait. Every call of sync/ and io/ that can wait takes one as its last
// argument: the Try forms of sync/, which without it do not wait at all, and all of io/.
//
//   channel.TryReceive(Within(5s))                                for five seconds
//   semaphore.TryAcquire(2, {.cancel = token})                    until the token is cancelled
//   condition.WaitUntil(lock, {.deadline = at, .cancel = token})  until either
//   socket.Read(buffer)                                           for ever
//
// What can be done at once is done by sync/ whatever the Until says, so one that is over already is a Try. Who gave up
// looks at `cancelled()` to learn why.
#pragma once

#include <utility>

#include "base/clock.h"
#include "runtime/runtime.h"
#include "sync/cancel.h"

namespace millrace::sync {

struct Until {
  MonoTime deadline = MonoTime::max();
  CancelToken cancel;

  bool limited() const { return deadline != MonoTime::max() || cancel.done() != nullptr; }
  bool expired() const { return deadline != MonoTime::max() && rt::Now() >= deadline; }
  bool cancelled() const { return cancel.cancelled(); }
};

inline Until Within(AnyDuration duration, CancelToken cancel = {}) {
  return {.deadline = Later(rt::Now(), duration), .cancel = std::move(cancel)};
}

}  // namespace millrace::sync
