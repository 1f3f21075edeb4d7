// Messages and their bytes. Requests arrive as bytes and answers leave as bytes, since gRPC 1.51 answers a request that
// it cannot parse with UNIMPLEMENTED, or with an OK after half of a stream, and does not say how much memory its
// answers take.
//
//   Threads   Pure functions.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include "base/budget.h"
#include "base/status.h"

namespace millrace::rpc {

// INVALID_ARGUMENT MALFORMED_REQUEST. `bytes` are released in any case.
Status Parse(grpc::ByteBuffer* bytes, google::protobuf::MessageLite* message);
// Replaces what `bytes` were.
void Serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer* bytes);

// RESOURCE_EXHAUSTED SERVER_BUSY: this budget of calls is used up. Nothing was done.
Status BusyStatus(const Budget& budget);

}  // namespace millrace::rpc
