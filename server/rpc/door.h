// Door: who may call what. The one place where a caller's identity is asked for; every rpc passes it before its request
// is looked at.
//
//   Threads   Any number of gRPC's threads at once. It does not wait, and outlives the server.
#pragma once

#include <functional>

#include "base/status.h"
#include "rpc/method.h"

namespace grpc {
class CallbackServerContext;
}

namespace millrace::rpc {

// UNAUTHENTICATED or PERMISSION_DENIED: the call ends with that. `caller`: its metadata and its peer. Empty: everybody
// may do everything.
using Door = std::function<Status(const MethodInfo& method, const grpc::CallbackServerContext& caller)>;

}  // namespace millrace::rpc
