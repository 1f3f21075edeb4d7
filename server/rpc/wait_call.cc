#include "rpc/wait_call.h"

#include <grpcpp/alarm.h>

#include <atomic>
#include <optional>

#include "rpc/answer_size.h"
#include "rpc/convert.h"

namespace millrace::rpc {
namespace {

class WaitCall final : public WaitingCall, public dispatch::JobWaiter {
 public:
  WaitCall(const Backend& backend, const Arrival& arrival)
      : WaitingCall(backend, Method::kWaitJob, arrival), bytes_max_(AnswerBytesMax(*arrival.context)) {}

  void Start() {
    v1::WaitJobRequest request;
    if (Status status = Receive(&request); !status.ok()) return Answer(status);
    if (Status status = Take(request); !status.ok()) return Answer(status);
    if (timeout_ && timeout_->count() == 0) {
      Work(backend_.reads, [this] { AnswerWithPresent(); });
    } else {
      Work(backend_.reads, [this] { Wait(); });
    }
    backend_.open_calls.Add(this);
  }

 private:
  Status Take(const v1::WaitJobRequest& request) {
    auto view = ViewOf(request.view(), View::kResult);
    if (!view.ok()) return view.status();
    view_ = *view;
    auto id = ParseJobId(request.id(), "id");
    if (!id.ok()) return id.status();
    id_ = *id;
    if (!request.has_timeout()) return OkStatus();
    auto given = FromProto(request.timeout(), "timeout");
    if (!given.ok()) return given.status();
    timeout_ = *given;
    return OkStatus();
  }

  // Called on a fiber, as is the next one.
  void Wait() {
    if (Status status = backend_.dispatcher.Wait(id_, this); !status.ok()) return Answer(status);
    if (!timeout_) return;
    references_.fetch_add(1, std::memory_order_relaxed);
    const gpr_timespec span = gpr_time_from_nanos(timeout_->count(), GPR_TIMESPAN);
    alarm_.Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), span), [this](bool expired) {
      if (expired && Withdraw()) Work(backend_.reads, [this] { AnswerWithPresent(); });
      Release();
    });
  }

  void AnswerWithPresent() {
    auto job = backend_.dispatcher.Get(id_, view_ != View::kBasic);
    job.ok() ? AnswerWith(*job) : Answer(job.status());
  }

  void AnswerWith(const JobSnapshot& job) {
    v1::Job response;
    Fill(job, view_, &response);
    Status fits = CheckAnswer(response, bytes_max_, kSmallerViews);
    Answer(fits.ok() ? Pack(response) : fits);
  }

  bool Withdraw() override { return backend_.dispatcher.AbandonWait(id_, this); }

  void OnFinished(const JobSnapshot& job) override {
    const bool left_out = static_cast<int64_t>(PayloadOf(*job.spec).size()) != job.payload_bytes;
    if (view_ != View::kFull || !left_out) return AnswerWith(job);
    Work(backend_.reads, [this] { AnswerWithPresent(); });  // It ran elsewhere, and its payload is on the disk only.
  }

  // The function of the alarm holds a reference: it may still have to run, as cancelled, when gRPC is done with the
  // call.
  void OnDone() override {
    backend_.open_calls.Remove(this);
    Forget();
    alarm_.Cancel();
    Release();
  }
  void Release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  JobId id_;
  View view_ = View::kResult;
  const int64_t bytes_max_;
  std::optional<Nanos> timeout_;
  grpc::Alarm alarm_;
  std::atomic<int> references_{1};
};

}  // namespace

grpc::ServerUnaryReactor* StartWait(const Backend& backend, const Arrival& arrival) {
  auto* call = new WaitCall(backend, arrival);
  call->Start();
  return call;
}

}  // namespace millrace::rpc
