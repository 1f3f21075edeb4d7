// gRPC status to base Status, with the google.rpc details decoded. For the library's own files.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "base/status.h"
#include "google/rpc/status.pb.h"

namespace millrace::client {

// `address` goes into the message of an unreachable daemon. `stopped`: this side has ended the call, so CANCELLED comes
// from it. Otherwise CANCELLED comes from the server, which ends calls when it stops.
Status FromGrpc(const grpc::Status& status, const std::string& address, bool stopped = false);

// The same for an error inside an answer of StreamSubmit.
Status FromRpcStatus(const google::rpc::Status& status);

}  // namespace millrace::client
