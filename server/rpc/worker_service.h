// WorkerService: the workers in other processes. The contract with them is in proto/millrace/v1/worker_service.proto,
// its one stream in work_stream.h.
//   Threads   gRPC's, which nothing here blocks.
#pragma once

#include "millrace/v1/worker_service.grpc.pb.h"
#include "rpc/work_stream.h"

namespace millrace::rpc {

// Every method gets and gives bytes; wire.h says why.
using RawWorkerService = v1::WorkerService::WithRawCallbackMethod_Work<v1::WorkerService::Service>;

class WorkerService final : public RawWorkerService {
 public:
  explicit WorkerService(const Backend& backend) : backend_(backend) {}

 private:
  WorkReactor* Work(grpc::CallbackServerContext* context) override { return StartWork(backend_, context); }

  const Backend& backend_;
};

}  // namespace millrace::rpc
