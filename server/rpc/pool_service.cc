#include "rpc/pool_service.h"

#include <optional>
#include <string>

#include "rpc/answer_size.h"
#include "rpc/convert.h"
#include "rpc/waiting_call.h"

namespace millrace::rpc {
namespace {

using Unary = grpc::ServerUnaryReactor;

Status Answer(const Result<dispatch::PoolStatus>& pool, v1::Pool* answer) {
  if (pool.ok()) Fill(*pool, answer);
  return pool.status();
}

class DrainCall final : public WaitingCall, public dispatch::Dispatcher::DrainWaiter {
 public:
  DrainCall(const Backend& backend, const Arrival& arrival) : WaitingCall(backend, Method::kDrainPool, arrival) {}

  void Start() {
    v1::DrainPoolRequest request;
    if (Status why = Receive(&request); !why.ok()) return WaitingCall::Answer(why);
    name_ = request.name();
    Work(backend_.changes, [this] {
      if (Status why = backend_.dispatcher.Drain(name_, this); !why.ok()) WaitingCall::Answer(why);
    });
    backend_.open_calls.Add(this);
  }

 private:
  bool Withdraw() override { return backend_.dispatcher.AbandonDrain(name_, this); }

  void OnDrained(Result<dispatch::PoolStatus> pool) override {
    if (!pool.ok()) return WaitingCall::Answer(pool.status());
    v1::Pool answer;
    Fill(*pool, &answer);
    WaitingCall::Answer(Pack(answer));
  }

  std::string name_;
};

Status Resize(dispatch::Dispatcher& dispatcher, const v1::ResizePoolRequest& request, v1::Pool* answer) {
  std::optional<int> workers;
  std::optional<int64_t> jobs, bytes;
  if (request.has_workers()) workers = request.workers();
  if (request.has_capacity_jobs()) jobs = request.capacity_jobs();
  if (request.has_capacity_bytes()) bytes = request.capacity_bytes();
  if (!workers && !jobs && !bytes) {
    return InvalidArgument("NOTHING_TO_CHANGE", "give at least one of workers, capacity_jobs and capacity_bytes")
        .Field("workers");
  }
  return Answer(dispatcher.Resize(request.name(), workers, jobs, bytes), answer);
}

}  // namespace

Unary* PoolService::ListPools(Context* context, const Bytes* request, Bytes* response) {
  return AnswerNow<v1::ListPoolsRequest, v1::ListPoolsResponse>(
      backend_, Method::kListPools, {context, request, response},
      [this, bytes_max = AnswerBytesMax(*context)](const v1::ListPoolsRequest&, v1::ListPoolsResponse* answer) {
        for (const dispatch::PoolStatus& pool : backend_.dispatcher.Pools()) Fill(pool, answer->add_pools());
        return CheckAnswer(*answer, bytes_max, kOnePool);
      });
}

Unary* PoolService::GetPool(Context* context, const Bytes* request, Bytes* response) {
  return AnswerNow<v1::GetPoolRequest, v1::Pool>(
      backend_, Method::kGetPool, {context, request, response},
      [this, bytes_max = AnswerBytesMax(*context)](const v1::GetPoolRequest& get, v1::Pool* answer) {
        MR_RETURN_IF_ERROR(Answer(backend_.dispatcher.GetPool(get.name()), answer));
        return CheckAnswer(*answer, bytes_max, kFewerKinds);
      });
}

Unary* PoolService::ResizePool(Context* context, const Bytes* request, Bytes* response) {
  return AnswerNow<v1::ResizePoolRequest, v1::Pool>(backend_, Method::kResizePool, {context, request, response},
                                                    [this](const v1::ResizePoolRequest& resize, v1::Pool* answer) {
                                                      return Resize(backend_.dispatcher, resize, answer);
                                                    });
}

Unary* PoolService::PausePool(Context* context, const Bytes* request, Bytes* response) {
  return AnswerOnFiber<v1::PausePoolRequest, v1::Pool>(backend_, Method::kPausePool, {context, request, response},
                                                       [this](const v1::PausePoolRequest& pause, v1::Pool* answer) {
                                                         return Answer(backend_.dispatcher.Pause(pause.name()), answer);
                                                       });
}

Unary* PoolService::ResumePool(Context* context, const Bytes* request, Bytes* response) {
  return AnswerOnFiber<v1::ResumePoolRequest, v1::Pool>(backend_, Method::kResumePool, {context, request, response},
                                                        [this](const v1::ResumePoolRequest& resume, v1::Pool* answer) {
                                                          return Answer(backend_.dispatcher.Resume(resume.name()),
                                                                        answer);
                                                        });
}

Unary* PoolService::DrainPool(Context* context, const Bytes* request, Bytes* response) {
  auto* call = new DrainCall(backend_, {context, request, response});
  call->Start();
  return call;
}

}  // namespace millrace::rpc
