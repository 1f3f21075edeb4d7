// The trace of a call: what instrumented clients put into its metadata (job/trace_context.h).
//   Threads   The context of the call belongs to the calling thread.
#pragma once

#include <grpcpp/server_context.h>

#include "job/trace_context.h"

namespace millrace::rpc {

// None where the metadata has none, or nothing that can be handed on.
Trace TraceOf(const grpc::ServerContextBase& context);

}  // namespace millrace::rpc
