// Sync: what a worker says and is told in one call, for workers that have no stream. What lasts from call to call is
// its session (sync_sessions.h).
//
//   In        Its words are acted upon when the call comes. An error of theirs ends the call, not the session.
//   Out       As soon as there is anything to tell; else, after `wait`, an empty answer. A worker that waits says
//             nothing, and what it holds is kept by what it says. So a call waits for half of a lease at most, whatever
//             it asked for.
//   Repeats   As on a stream (work_words.h): the fiber that looks up repeated ends is part of the call.
//   Closing   A call that waits is answered UNAVAILABLE when the server closes; what the worker holds stays its own.
#pragma once

#include <chrono>

#include "rpc/sync_sessions.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

inline constexpr std::chrono::seconds kSyncWaitMax{60};

grpc::ServerUnaryReactor* StartSync(const Backend& backend, SyncSessions& sessions, const Arrival& arrival);

}  // namespace millrace::rpc
