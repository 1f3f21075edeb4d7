// The two ways to answer a unary call: at once, or when dispatch has the answer.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>

#include "dispatch/dispatcher.h"
#include "rpc/call_stats.h"
#include "rpc/error_details.h"
#include "rpc/open_calls.h"

namespace millrace::rpc {

// What every service works with; all of it outlives the server.
struct Backend {
  dispatch::Dispatcher& dispatcher;
  CallStats& stats;
  OpenCalls& open_calls;
  Durability durability;  // The journal's; named in every acknowledgement.
};

// Counts one call.
class CallTimer {
 public:
  CallTimer(CallStats& stats, Method method)
      : stats_(stats), method_(method), start_(std::chrono::steady_clock::now()) {}
  void Answered(StatusCode code) {
    stats_.Answered(method_, code, std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
  }

 private:
  CallStats& stats_;
  const Method method_;
  const std::chrono::steady_clock::time_point start_;
};

// `translate` fills the response or says why not; it does not wait.
template <typename Translate>
grpc::ServerUnaryReactor* AnswerNow(const Backend& backend, Method method, grpc::CallbackServerContext* context,
                                    Translate&& translate) {
  CallTimer timer(backend.stats, method);
  const Status status = translate();
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  timer.Answered(status.code());
  reactor->Finish(ToGrpc(status, context));
  return reactor;
}

// A call that dispatch answers later, on any thread, unless the client goes away or the server closes first.
//
//   Who answers  Dispatch, through the derived class, which calls Answer; or, once Withdraw has taken the call back from
//                dispatch, we. Withdraw is true for one caller at most, so Answer is called once.
//   Life         Deletes itself in OnDone, which gRPC calls after the answer and after every other reaction has returned. Nothing
//                touches the call after Answer.
class WaitingCall : public grpc::ServerUnaryReactor, public OpenCalls::Call {
 public:
  WaitingCall(const Backend& backend, Method method, grpc::CallbackServerContext* context)
      : backend_(backend), context_(context), timer_(backend.stats, method) {}

  void OnClosing() final {
    if (Withdraw()) Answer(ClosingStatus());
  }

 protected:
  // True: dispatch will not answer any more.
  virtual bool Withdraw() = 0;

  void Answer(const Status& status) {
    timer_.Answered(status.code());
    Finish(ToGrpc(status, context_));
  }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    delete this;
  }

  const Backend& backend_;

 private:
  void OnCancel() final {
    if (!Withdraw()) return;
    const bool late = context_->deadline() <= std::chrono::system_clock::now();
    Answer(late ? DeadlineExceeded("DEADLINE_EXCEEDED", "the call's deadline passed while it waited")
                : Cancelled("CALL_CANCELLED", "the client cancelled the call or went away"));
  }

  grpc::CallbackServerContext* const context_;
  CallTimer timer_;
};

}  // namespace millrace::rpc
