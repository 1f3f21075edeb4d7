// ReadPayload and ReadResult: the payload of an attempt that a worker holds, and the result of a job, as streams of
// pieces.
//
//   Read      On a fiber, whole: either is one value of the store.
//   Written   One piece at a time, so gRPC holds no more than that of it beside ours. A client that takes nothing for
//             long is cut, as any is (unsent.h).
//   Memory    What is read, and a piece, count in the budget of calls that last before they are read from the disk, and
//             until the end of the call.
#pragma once

#include <cstddef>

#include "rpc/unary_call.h"

namespace millrace::rpc {

// How large a piece of a stream of bytes is, either way.
inline constexpr size_t kPieceBytes = size_t{256} << 10;

using PiecesReactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

PiecesReactor* StartReadPayload(const Backend& backend, grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer* request);
PiecesReactor* StartReadResult(const Backend& backend, grpc::CallbackServerContext* context,
                               const grpc::ByteBuffer* request);

}  // namespace millrace::rpc
