// JobService: translates its calls for dispatch and the answers back. The contract with clients is in
// proto/millrace/v1/job_service.proto. Streams have files of their own: submit_stream.h, watch.h,
// read_pieces.h.
//   Threads   gRPC's, which nothing here blocks: what has to wait for room, for a job or for a commit is a WaitingCall,
//             and what may read the disk is done on a fiber (unary_call.h).
#pragma once

#include "millrace/v1/job_service.grpc.pb.h"
#include "rpc/read_pieces.h"
#include "rpc/submit_stream.h"
#include "rpc/unary_call.h"
#include "rpc/watch.h"

namespace millrace::rpc {

// Every method gets and gives bytes; wire.h says why.
using RawJobService = v1::JobService::WithRawCallbackMethod_SubmitJob<
    v1::JobService::WithRawCallbackMethod_BatchSubmitJobs<v1::JobService::WithRawCallbackMethod_StreamSubmit<
        v1::JobService::WithRawCallbackMethod_GetJob<v1::JobService::WithRawCallbackMethod_ListJobs<
            v1::JobService::WithRawCallbackMethod_WaitJob<v1::JobService::WithRawCallbackMethod_WatchJobs<
                v1::JobService::WithRawCallbackMethod_CancelJob<v1::JobService::WithRawCallbackMethod_RetryJob<
                    v1::JobService::WithRawCallbackMethod_DeleteJob<v1::JobService::WithRawCallbackMethod_CancelJobs<
                        v1::JobService::WithRawCallbackMethod_RetryJobs<
                            v1::JobService::WithRawCallbackMethod_DeleteJobs<
                                v1::JobService::WithRawCallbackMethod_ReadResult<v1::JobService::Service>>>>>>>>>>>>>>;

class JobService final : public RawJobService {
 public:
  explicit JobService(const Backend& backend) : backend_(backend) {}

 private:
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  using Bytes = grpc::ByteBuffer;

  Unary* SubmitJob(Context*, const Bytes*, Bytes*) override;
  Unary* BatchSubmitJobs(Context*, const Bytes*, Bytes*) override;
  StreamSubmitReactor* StreamSubmit(Context*) override;
  Unary* GetJob(Context*, const Bytes*, Bytes*) override;
  Unary* ListJobs(Context*, const Bytes*, Bytes*) override;
  Unary* WaitJob(Context*, const Bytes*, Bytes*) override;
  WatchReactor* WatchJobs(Context*, const Bytes*) override;
  PiecesReactor* ReadResult(Context* context, const Bytes* request) override {
    return StartReadResult(backend_, context, request);
  }
  Unary* CancelJob(Context*, const Bytes*, Bytes*) override;
  Unary* RetryJob(Context*, const Bytes*, Bytes*) override;
  Unary* DeleteJob(Context*, const Bytes*, Bytes*) override;
  Unary* CancelJobs(Context*, const Bytes*, Bytes*) override;
  Unary* RetryJobs(Context*, const Bytes*, Bytes*) override;
  Unary* DeleteJobs(Context*, const Bytes*, Bytes*) override;

  const Backend& backend_;
};

}  // namespace millrace::rpc
