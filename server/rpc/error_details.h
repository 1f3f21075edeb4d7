// Status -> what a client sees of it: a gRPC code, the message, and google.rpc.Status details.
//
//   Always    ErrorInfo with the reason, the domain "millrace" and the metadata, so that a program needs no text
//             matching.
//   BadRequest is there when a field is at fault; RetryInfo, and the trailer grpc-retry-pushback-ms which gRPC's own
//             retry follows, when it may help to repeat the call later.
//   Size      Details travel in trailers, of which a client takes 8 KiB by default, while a message may quote what a
//             client sent. So texts are clipped.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <optional>

#include "base/status.h"
#include "google/rpc/status.pb.h"

namespace millrace::rpc {

inline constexpr const char kErrorDomain[] = "millrace";

grpc::StatusCode ToGrpc(StatusCode code);
void Fill(const Status& status, google::rpc::Status* out);
grpc::Status ToGrpc(const Status& status);
// Also sets the pushback trailer. Before Finish.
grpc::Status ToGrpc(const Status& status, grpc::CallbackServerContext* context);

}  // namespace millrace::rpc
