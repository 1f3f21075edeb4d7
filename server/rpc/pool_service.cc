#include "rpc/pool_service.h"

#include <optional>

#include "rpc/convert.h"

namespace millrace::rpc {
namespace {

Status Answer(const Result<dispatch::PoolStatus>& pool, v1::Pool* response) {
  if (pool.ok()) Fill(*pool, response);
  return pool.status();
}

class DrainCall final : public WaitingCall, public dispatch::Dispatcher::DrainWaiter {
 public:
  DrainCall(const Backend& backend, grpc::CallbackServerContext* context, const v1::DrainPoolRequest& request,
            v1::Pool* response)
      : WaitingCall(backend, Method::kDrainPool, context), name_(request.name()), response_(response) {}

  void Start() {
    if (Status status = backend_.dispatcher.Drain(name_, this); !status.ok()) return WaitingCall::Answer(status);
    backend_.open_calls.Add(this);
  }

 private:
  bool Withdraw() override { return backend_.dispatcher.AbandonDrain(name_, this); }

  void OnDrained(dispatch::PoolStatus pool) override {
    Fill(pool, response_);
    WaitingCall::Answer(OkStatus());
  }

  const std::string name_;
  v1::Pool* const response_;
};

}  // namespace

grpc::ServerUnaryReactor* PoolService::ListPools(Context* context, const v1::ListPoolsRequest*,
                                                 v1::ListPoolsResponse* response) {
  return AnswerNow(backend_, Method::kListPools, context, [&] {
    for (const dispatch::PoolStatus& pool : backend_.dispatcher.Pools()) Fill(pool, response->add_pools());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* PoolService::GetPool(Context* context, const v1::GetPoolRequest* request,
                                               v1::Pool* response) {
  return AnswerNow(backend_, Method::kGetPool, context,
                   [&] { return Answer(backend_.dispatcher.GetPool(request->name()), response); });
}

grpc::ServerUnaryReactor* PoolService::ResizePool(Context* context, const v1::ResizePoolRequest* request,
                                                  v1::Pool* response) {
  return AnswerNow(backend_, Method::kResizePool, context, [&]() -> Status {
    std::optional<int> workers;
    std::optional<int64_t> jobs, bytes;
    if (request->has_workers()) workers = request->workers();
    if (request->has_capacity_jobs()) jobs = request->capacity_jobs();
    if (request->has_capacity_bytes()) bytes = request->capacity_bytes();
    if (!workers && !jobs && !bytes) {
      return InvalidArgument("NOTHING_TO_CHANGE", "give at least one of workers, capacity_jobs and capacity_bytes")
          .Field("workers");
    }
    return Answer(backend_.dispatcher.Resize(request->name(), workers, jobs, bytes), response);
  });
}

grpc::ServerUnaryReactor* PoolService::PausePool(Context* context, const v1::PausePoolRequest* request,
                                                 v1::Pool* response) {
  return AnswerNow(backend_, Method::kPausePool, context,
                   [&] { return Answer(backend_.dispatcher.Pause(request->name()), response); });
}

grpc::ServerUnaryReactor* PoolService::ResumePool(Context* context, const v1::ResumePoolRequest* request,
                                                  v1::Pool* response) {
  return AnswerNow(backend_, Method::kResumePool, context,
                   [&] { return Answer(backend_.dispatcher.Resume(request->name()), response); });
}

grpc::ServerUnaryReactor* PoolService::DrainPool(Context* context, const v1::DrainPoolRequest* request,
                                                 v1::Pool* response) {
  auto* call = new DrainCall(backend_, context, *request, response);
  call->Start();
  return call;
}

}  // namespace millrace::rpc
