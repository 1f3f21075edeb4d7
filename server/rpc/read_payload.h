// ReadPayload: the payload of an attempt that a worker holds, as a stream of pieces.
//
//   Read      On a fiber, whole: a payload is one value of the store.
//   Written   One piece at a time, so gRPC holds no more than that of it beside ours. A worker that takes nothing for
//             long is cut, as any client is (unsent.h).
//   Memory    The payload and a piece count in the budget of calls that last, until the end of the call.
#pragma once

#include <cstddef>

#include "rpc/unary_call.h"

namespace millrace::rpc {

inline constexpr size_t kPayloadPieceBytes = size_t{256} << 10;

using PayloadReactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

PayloadReactor* StartReadPayload(const Backend& backend, grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer* request);

}  // namespace millrace::rpc
