// WaitJob: answers when the job is terminal, or with the job as it is once `timeout` has passed.
#pragma once

#include "millrace/v1/job_service.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

grpc::ServerUnaryReactor* StartWait(const Backend& backend, grpc::CallbackServerContext* context,
                                    const v1::WaitJobRequest& request, v1::Job* response);

}  // namespace millrace::rpc
