// SubmitJob and BatchSubmitJobs: one admission each, answered when the jobs are accepted, refused, or (on_full = WAIT) when the
// call's deadline passes before there is room.
#pragma once

#include "millrace/v1/job_service.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

// `request` is emptied: its strings and payloads become the job's.
grpc::ServerUnaryReactor* StartSubmit(const Backend& backend, grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request, v1::SubmitJobResponse* response);
grpc::ServerUnaryReactor* StartBatchSubmit(const Backend& backend, grpc::CallbackServerContext* context,
                                           const v1::BatchSubmitJobsRequest* request,
                                           v1::BatchSubmitJobsResponse* response);

}  // namespace millrace::rpc
