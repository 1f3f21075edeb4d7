#include "rpc/health_service.h"

#include <utility>

#include "rpc/wire.h"

namespace millrace::rpc {

using health::HealthCheckRequest;
using health::HealthCheckResponse;

// The lock of the service guards the members, except in OnDone.
class HealthService::WatchCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public OpenCalls::Call {
 public:
  WatchCall(HealthService& service, const Backend& backend, grpc::CallbackServerContext* context)
      : service_(service), backend_(backend), call_(backend, Method::kWatchHealth, context) {}

  void Start(grpc::ByteBuffer* bytes) {
    HealthCheckRequest request;
    Status status = call_.Enter(kCallBytes + bytes->Length());
    if (status.ok()) status = Parse(bytes, &request);
    {
      std::lock_guard guard(service_.lock_);
      if (status.ok()) {
        name_ = request.service();
        service_.watches_.insert(this);
        TellLocked();
      } else {
        EndLocked(status);
      }
    }
    backend_.open_calls.Add(this);
  }

  // The caller of this one and of the next holds the lock of the service.
  void TellLocked() {
    const HealthCheckResponse::ServingStatus now = service_.StatusOf(name_);
    if (writing_ || ended_ || told_ == now) return;
    told_ = now;
    writing_ = true;
    HealthCheckResponse response;
    response.set_status(now);
    Serialize(response, &bytes_);
    StartWrite(&bytes_);
  }

 private:
  // A write that is under way ends first.
  void EndLocked(const Status& why) {
    if (std::exchange(ended_, true)) return;
    end_ = why;
    if (!writing_) Finish(call_.End(end_));
  }

  void End(const Status& why) {
    std::lock_guard guard(service_.lock_);
    EndLocked(why);
  }

  void OnWriteDone(bool) override {
    std::lock_guard guard(service_.lock_);
    writing_ = false;
    ended_ ? Finish(call_.End(end_)) : TellLocked();
  }

  void OnCancel() override { End(Cancelled("CALL_CANCELLED", "the client cancelled the watch or went away")); }
  void OnClosing() override { End(ClosingStatus()); }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    {
      std::lock_guard guard(service_.lock_);
      service_.watches_.erase(this);
    }
    delete this;
  }

  HealthService& service_;
  const Backend& backend_;
  RpcCall call_;
  std::string name_;
  int told_ = -1;  // The state that was sent last; -1 is none.
  bool writing_ = false, ended_ = false;
  Status end_;
  grpc::ByteBuffer bytes_;
};

void HealthService::Set(const std::vector<State>& states) {
  std::lock_guard guard(lock_);
  for (const State& state : states) serving_[state.service] = state.serving;
  for (WatchCall* watch : watches_) watch->TellLocked();
}

HealthCheckResponse::ServingStatus HealthService::StatusOf(const std::string& service) const {
  const auto found = serving_.find(service);
  if (found == serving_.end()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return found->second ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* response) {
  RpcCall call(backend_, Method::kCheckHealth, context);
  HealthCheckRequest check;
  Status status = call.Enter(0);
  // Nobody else looks at the bytes; only the generated signature says const.
  if (status.ok()) status = Parse(const_cast<grpc::ByteBuffer*>(request), &check);
  if (status.ok()) {
    HealthCheckResponse answer;
    {
      std::lock_guard guard(lock_);
      answer.set_status(StatusOf(check.service()));
    }
    if (answer.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      status = NotFound("UNKNOWN_SERVICE", "this server has no service '" + check.service() + "'");
    }
    Serialize(answer, response);
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(call.End(status));
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* HealthService::Watch(grpc::CallbackServerContext* context,
                                                                 const grpc::ByteBuffer* request) {
  auto* watch = new WatchCall(*this, backend_, context);
  watch->Start(const_cast<grpc::ByteBuffer*>(request));
  return watch;
}

}  // namespace millrace::rpc
