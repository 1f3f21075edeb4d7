// WatchJobs: the events of jobs, as a stream.
//
//   Place     A watch holds a place in the dispatcher's event log and a batch of events at most, however slow its
//             reader is. A watch whose place is no longer kept gets a gap marker and goes on with the oldest event that
//             is.
//   Memory    An idle watch counts for a few KiB in the budget of calls that last, and a batch for what it is while it
//             is held. Where there is no room for the next event, the watch waits until there is.
//   Resume    Each event carries a token of its place; one of an earlier run of the daemon is a gap of unknown size.
//             The initial metadata of a watch that is not of one job carries the token of its beginning.
//   One job   With job_id, what the job is now comes first, and the stream ends after its terminal event.
#pragma once

#include "millrace/v1/job_service.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

inline constexpr const char kResumeTokenMetadata[] = "millrace-resume-token";

using WatchReactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

WatchReactor* StartWatch(const Backend& backend, grpc::CallbackServerContext* context, const grpc::ByteBuffer* request);

}  // namespace millrace::rpc
