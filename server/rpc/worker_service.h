// WorkerService: the workers in other processes, and those who look at them. The contract with both is in
// proto/millrace/v1/worker_service.proto. What workers say and are told has files of its own: work_stream.h,
// sync_call.h, read_pieces.h, write_result.h.
//   Threads   gRPC's, which nothing here blocks. Close: once no call is left, one plain thread.
#pragma once

#include <cstddef>
#include <memory>

#include "millrace/v1/worker_service.grpc.pb.h"
#include "rpc/read_pieces.h"
#include "rpc/sync_sessions.h"
#include "rpc/work_stream.h"
#include "rpc/write_result.h"

namespace millrace::rpc {

// Every method gets and gives bytes; wire.h says why.
using RawWorkerService = v1::WorkerService::WithRawCallbackMethod_Work<
    v1::WorkerService::WithRawCallbackMethod_Sync<v1::WorkerService::WithRawCallbackMethod_ReadPayload<
        v1::WorkerService::WithRawCallbackMethod_WriteResult<v1::WorkerService::WithRawCallbackMethod_ListWorkers<
            v1::WorkerService::WithRawCallbackMethod_GetWorker<v1::WorkerService::WithRawCallbackMethod_DrainWorker<
                v1::WorkerService::WithRawCallbackMethod_ResumeWorker<v1::WorkerService::Service>>>>>>>>;

class WorkerService final : public RawWorkerService {
 public:
  WorkerService(const Backend& backend, size_t sync_sessions_max)
      : backend_(backend), sessions_(std::make_shared<SyncSessions>(backend, sync_sessions_max)) {}

  // Leaves the workers that call Sync, so that dispatch knows them no more.
  void Close() { sessions_->Close(); }

 private:
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  using Bytes = grpc::ByteBuffer;

  WorkReactor* Work(Context* context) override { return StartWork(backend_, context); }
  Unary* Sync(Context*, const Bytes*, Bytes*) override;
  PiecesReactor* ReadPayload(Context* context, const Bytes* request) override {
    return StartReadPayload(backend_, context, request);
  }
  WriteResultReactor* WriteResult(Context* context, Bytes* response) override {
    return StartWriteResult(backend_, context, response);
  }
  Unary* ListWorkers(Context*, const Bytes*, Bytes*) override;
  Unary* GetWorker(Context*, const Bytes*, Bytes*) override;
  Unary* DrainWorker(Context*, const Bytes*, Bytes*) override;
  Unary* ResumeWorker(Context*, const Bytes*, Bytes*) override;

  const Backend& backend_;
  const std::shared_ptr<SyncSessions> sessions_;
};

}  // namespace millrace::rpc
