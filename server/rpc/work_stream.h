// Work: the stream of a worker in another process.
//
//   In        One message at a time: it is acted upon before the next one is read. Where the worker does not take its
//             answers, no more is read.
//   Out       One message at a time, made of all that there is to tell then: words about attempts first, leases after
//             them, up to kResponseBytes of those. What waits meanwhile stays with dispatch, which bounds it by the
//             worker's slots. A worker that takes nothing for long is cut, as any client is (unsent.h).
//   Repeats   An end of an attempt that is not the worker's any more may be one that was written down and whose
//             acknowledgement was lost: a fiber looks that up before it is called LEASE_LOST.
//   Ends      By a goodbye, a half-close, an error of the worker, by age, with the daemon, or since another stream of
//             the same process took over. All but the first leave the worker its leases for a while.
#pragma once

#include <cstddef>

#include "rpc/unary_call.h"

namespace millrace::rpc {

inline constexpr size_t kWorkRequestBytesMax = size_t{4} << 20;
inline constexpr size_t kResponseBytes = size_t{1} << 20;
// Before any proxy on the way would cut it; a tenth more or less, so that not all come back at one time.
inline constexpr std::chrono::minutes kStreamAgeMax{30};

using WorkReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

WorkReactor* StartWork(const Backend& backend, grpc::CallbackServerContext* context);

}  // namespace millrace::rpc
