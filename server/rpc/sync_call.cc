#include "rpc/sync_call.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "rpc/convert.h"
#include "rpc/waiting_call.h"

namespace millrace::rpc {
namespace {

class SyncCall final : public WaitingCall, public SyncSession::Caller {
 public:
  SyncCall(const Backend& backend, SyncSessions& sessions, const Arrival& arrival)
      : WaitingCall(backend, Method::kSync, arrival), sessions_(sessions) {}

  void Start() {
    const size_t bytes = arrival_.request->Length();
    v1::SyncRequest request;
    Status status = Receive(&request);
    if (status.ok()) status = CheckWorkRequestSize(bytes);
    if (status.ok()) status = TakeWait(request);
    if (status.ok()) status = Speak(&request);
    if (!status.ok()) return Answer(status);
    if (heard_.ended.empty()) {
      Listen();
    } else {
      Work(backend_.reads, [this] {
        WorkReply reply;
        reply.lost = FindLost(backend_.dispatcher.leases(), session_->holder(), heard_.ended);
        heard_.reply.Add(std::move(reply));
        Listen();
      });
    }
    backend_.open_calls.Add(this);
  }

 private:
  Status TakeWait(const v1::SyncRequest& request) {
    if (!request.has_wait()) return OkStatus();
    auto wait = FromProto(request.wait(), "wait", kSyncWaitMax);
    if (!wait.ok()) return InvalidArgument("BAD_WAIT", wait.status().message()).Field("wait");
    wait_ = std::min(*wait, backend_.dispatcher.leases().Options().lease / 2);
    return OkStatus();
  }

  // Finds its session, or begins one, and is heard there.
  Status Speak(v1::SyncRequest* request) {
    v1::WorkRequest& said = *request->mutable_said();
    const bool first = said.has_hello();
    if (first) {
      if (!request->instance_key().empty() && request->instance_key() != said.hello().instance_key()) {
        return InvalidArgument("BAD_WORKER", "instance_key is not that of the hello; leave it out beside one")
            .Field("instance_key");
      }
      auto begun = sessions_.Begin(std::move(*said.mutable_hello()), this);
      if (!begun.ok()) return InField("said.", begun.status());
      session_ = std::move(begun->session);
      heard_.reply.welcome = std::move(begun->welcome);
      said.clear_hello();
    } else if (request->instance_key().empty()) {
      return InvalidArgument("NO_HELLO", "the first call of a worker has a hello, and each other one its instance_key")
          .Field("said.hello");
    } else {
      auto found = sessions_.Find(request->instance_key(), this);
      if (!found.ok()) return found.status();
      session_ = *std::move(found);
    }
    Status status = Hear(backend_.dispatcher.leases(), session_->holder(), std::move(said), &heard_);
    if (status.ok() && !heard_.goodbye) return OkStatus();
    // No client would go on with a session of whose welcome it was not told.
    if (status.ok() || first) sessions_.Drop(*session_, UnknownSession());
    return InField("said.", std::move(status));
  }

  // Also on a fiber.
  void Listen() {
    if (heard_.goodbye) {
      v1::WorkResponse told;
      WorkWords().Tell(std::move(heard_.reply), {}, &told);
      return OnTold(OkStatus(), std::move(told));
    }
    if (!session_->Await(this, std::move(heard_.reply), wait_.count() > 0)) return;
    references_.fetch_add(1, std::memory_order_relaxed);
    const gpr_timespec span = gpr_time_from_nanos(wait_.count(), GPR_TIMESPAN);
    alarm_.Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), span), [this](bool expired) {
      if (expired) session_->Expire(this);
      Release();
    });
  }

  void OnTold(const Status& status, v1::WorkResponse&& told) override {
    if (!status.ok()) return Answer(status);
    v1::SyncResponse response;
    *response.mutable_told() = std::move(told);
    Answer(Pack(response));
  }

  bool Gone() const override { return Interrupted(); }

  bool Withdraw() override { return session_ != nullptr && session_->Abandon(this); }

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

  SyncSessions& sessions_;
  std::shared_ptr<SyncSession> session_;
  Heard heard_;
  Nanos wait_{0};
  grpc::Alarm alarm_;
  std::atomic<int> references_{1};
};

}  // namespace

grpc::ServerUnaryReactor* StartSync(const Backend& backend, SyncSessions& sessions, const Arrival& arrival) {
  auto* call = new SyncCall(backend, sessions, arrival);
  call->Start();
  return call;
}

}  // namespace millrace::rpc
