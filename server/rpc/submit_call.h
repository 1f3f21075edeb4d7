// SubmitJob and BatchSubmitJobs: one admission each, answered when the jobs are accepted, refused, or (on_full:
// ON_FULL_WAIT) when the call's deadline passes before there is room.
#pragma once

#include "rpc/waiting_call.h"

namespace millrace::rpc {

grpc::ServerUnaryReactor* StartSubmit(const Backend& backend, const Arrival& arrival);
grpc::ServerUnaryReactor* StartBatchSubmit(const Backend& backend, const Arrival& arrival);

}  // namespace millrace::rpc
