// JobService: translates its calls for dispatch and the answers back. The contract with clients is in
// proto/millrace/v1/job_service.proto. Streams have files of their own: submit_stream.h, watch.h.
//   Threads   gRPC's, which nothing here blocks: what has to wait for room, for a job or for a commit is a WaitingCall, and what
//             may read the disk is done on a fiber (unary_call.h).
#pragma once

#include "millrace/v1/job_service.grpc.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

class JobService final : public v1::JobService::CallbackService {
 public:
  explicit JobService(const Backend& backend) : backend_(backend) {}

 private:
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* SubmitJob(Context*, const v1::SubmitJobRequest*, v1::SubmitJobResponse*) override;
  Unary* BatchSubmitJobs(Context*, const v1::BatchSubmitJobsRequest*, v1::BatchSubmitJobsResponse*) override;
  grpc::ServerBidiReactor<v1::StreamSubmitRequest, v1::StreamSubmitResponse>* StreamSubmit(Context*) override;
  Unary* GetJob(Context*, const v1::GetJobRequest*, v1::Job*) override;
  Unary* ListJobs(Context*, const v1::ListJobsRequest*, v1::ListJobsResponse*) override;
  Unary* WaitJob(Context*, const v1::WaitJobRequest*, v1::Job*) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJobs(Context*, const v1::WatchJobsRequest*) override;
  Unary* CancelJob(Context*, const v1::CancelJobRequest*, v1::Job*) override;
  Unary* RetryJob(Context*, const v1::RetryJobRequest*, v1::Job*) override;
  Unary* DeleteJob(Context*, const v1::DeleteJobRequest*, v1::DeleteJobResponse*) override;
  Unary* CancelJobs(Context*, const v1::CancelJobsRequest*, v1::CancelJobsResponse*) override;
  Unary* RetryJobs(Context*, const v1::RetryJobsRequest*, v1::RetryJobsResponse*) override;
  Unary* DeleteJobs(Context*, const v1::DeleteJobsRequest*, v1::DeleteJobsResponse*) override;

  const Backend& backend_;
};

}  // namespace millrace::rpc
