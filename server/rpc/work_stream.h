// Work: the stream of a worker in another process.
//
//   In        One message at a time: it is acted upon before the next one is read. Where the worker does not take its
//             answers, no more is read.
//   Out       One message at a time, made of all that there is to tell then (work_words.h). A worker that takes nothing
//             for long is cut, as any client is (unsent.h).
//   Ends      By a goodbye, a half-close, an error of the worker, by age, with the daemon, or since another stream of
//             the same process took over. All but the first leave the worker its leases for a while.
#pragma once

#include <chrono>

#include "rpc/unary_call.h"

namespace millrace::rpc {

// Before any proxy on the way would cut it; a tenth more or less, so that not all come back at one time.
inline constexpr std::chrono::minutes kStreamAgeMax{30};

using WorkReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

WorkReactor* StartWork(const Backend& backend, grpc::CallbackServerContext* context);

}  // namespace millrace::rpc
