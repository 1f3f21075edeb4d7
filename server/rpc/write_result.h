// WriteResult: the end of an attempt whose result is too large for a message, as a stream of pieces.
//
//   Order     The first message says what comes, and is looked at on a fiber: is the attempt the worker's, and is there
//             room for so much? Then the pieces are read, one at a time, and the whole is handed to dispatch.
//   Answer    Once the end is committed. A call that repeats one whose answer was lost is answered the same, without
//             its pieces.
//   Memory    The whole result, from the first message on, and a piece count in the budget of calls that last.
//   Silence   A worker that sends no piece for long is cut, as is a client that takes nothing (unsent.h).
//   Closing   A server that stops cuts the call while it waits for a piece, and answers it while it waits for the
//             commit. What dispatch was told stays so.
#pragma once

#include "rpc/unary_call.h"

namespace millrace::rpc {

using WriteResultReactor = grpc::ServerReadReactor<grpc::ByteBuffer>;

WriteResultReactor* StartWriteResult(const Backend& backend, grpc::CallbackServerContext* context,
                                     grpc::ByteBuffer* response);

}  // namespace millrace::rpc
