// StreamSubmit: a stream of submits, each answered by its sequence number, in any order.
//
//   Flow      At most kWindowItems items and kWindowBytes of payload are unanswered: read, and their answer not written
//             yet. Beyond that the stream stops reading, HTTP/2 flow control fills up, and the client's writes wait. So
//             a full pool (on_full: ON_FULL_WAIT) or a client that does not read slows its own stream and memory stays
//             flat.
//   Order     Items are handed to dispatch in the order of the stream. Answers go out as they come.
//   Garbage   An item that cannot be parsed ends the stream with INVALID_ARGUMENT, once what came before it is
//             answered. The metadata "item" says which it was, counted from 0.
//   Failure   An item that is refused is an answer like any other. A client that goes away takes its waiting items
//             along: they are abandoned; those accepted stay accepted.
//   Speed     All items are read into one message and all answers are written from another; items are reused. Answers
//             that wait behind another are written without a flush between them.
#pragma once

#include <cstddef>

#include "millrace/v1/job_service.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

inline constexpr size_t kWindowItems = 256;
inline constexpr size_t kWindowBytes = size_t{8} << 20;

using StreamSubmitReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

StreamSubmitReactor* StartSubmitStream(const Backend& backend, grpc::CallbackServerContext* context);

}  // namespace millrace::rpc
