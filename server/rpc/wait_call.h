// WaitJob: answers when the job is terminal, or with the job as it is once `timeout` has passed.
#pragma once

#include "rpc/waiting_call.h"

namespace millrace::rpc {

grpc::ServerUnaryReactor* StartWait(const Backend& backend, const Arrival& arrival);

}  // namespace millrace::rpc
