#include "rpc/wait_call.h"

#include <grpcpp/alarm.h>

#include <atomic>
#include <optional>

#include "rpc/convert.h"

namespace millrace::rpc {
namespace {

class WaitCall final : public WaitingCall, public dispatch::JobWaiter {
 public:
  WaitCall(const Backend& backend, grpc::CallbackServerContext* context, v1::Job* response)
      : WaitingCall(backend, Method::kWaitJob, context), response_(response) {}

  void Start(const v1::WaitJobRequest& request) {
    if (Status status = Take(request); !status.ok()) return Answer(status);
    if (timeout_ && timeout_->count() == 0) {
      Work([this] { AnswerWithPresent(); });
    } else {
      Work([this] { Wait(); });
    }
    backend_.open_calls.Add(this);
  }

 private:
  Status Take(const v1::WaitJobRequest& request) {
    auto full = WantsFull(request.view(), true);
    if (!full.ok()) return full.status();
    full_ = *full;
    auto id = ParseJobId(request.id(), "id");
    if (!id.ok()) return id.status();
    id_ = *id;
    if (!request.has_timeout()) return OkStatus();
    auto given = FromProto(request.timeout(), "timeout");
    if (!given.ok()) return given.status();
    timeout_ = *given;
    return OkStatus();
  }

  // On a fiber, as is the next one.
  void Wait() {
    if (Status status = backend_.dispatcher.Wait(id_, this); !status.ok()) return Answer(status);
    if (!timeout_) return;
    references_.fetch_add(1, std::memory_order_relaxed);
    const gpr_timespec span = gpr_time_from_nanos(timeout_->count(), GPR_TIMESPAN);
    alarm_.Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), span), [this](bool expired) {
      if (expired && Withdraw()) Work([this] { AnswerWithPresent(); });
      Release();
    });
  }

  void AnswerWithPresent() {
    auto job = backend_.dispatcher.Get(id_, full_);
    if (job.ok()) Fill(*job, full_, response_);
    Answer(job.status());
  }

  bool Withdraw() override { return backend_.dispatcher.AbandonWait(id_, this); }

  void OnFinished(JobSnapshot job) override {
    Fill(job, full_, response_);
    Answer(OkStatus());
  }

  // The alarm's function holds a reference: it may still have to run, as cancelled, when gRPC is done with the call.
  void OnDone() override {
    backend_.open_calls.Remove(this);
    alarm_.Cancel();
    Release();
  }
  void Release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  v1::Job* const response_;
  JobId id_;
  bool full_ = true;
  std::optional<Nanos> timeout_;
  grpc::Alarm alarm_;
  std::atomic<int> references_{1};
};

}  // namespace

grpc::ServerUnaryReactor* StartWait(const Backend& backend, grpc::CallbackServerContext* context,
                                    const v1::WaitJobRequest& request, v1::Job* response) {
  auto* call = new WaitCall(backend, context, response);
  call->Start(request);
  return call;
}

}  // namespace millrace::rpc
