// The three ways to answer a unary call: at once, on a fiber, or when dispatch has the answer.
//
//   gRPC's threads are few, and Submit and Health need them: what may wait for the disk is done on a fiber of the runtime, and
//   the thread goes back. So reads that hang cost memory and a machine of the runtime each, and hold up no other call.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "dispatch/dispatcher.h"
#include "rpc/call_stats.h"
#include "rpc/error_details.h"
#include "rpc/open_calls.h"
#include "runtime/runtime.h"

namespace millrace::rpc {

// What every service works with; all of it outlives the server, and `runtime` runs until the server has stopped.
struct Backend {
  rt::Runtime& runtime;
  dispatch::Dispatcher& dispatcher;
  CallStats& stats;
  OpenCalls& open_calls;
  Durability durability;        // The journal's; named in every acknowledgement,
  std::string durability_word;  // and in the trailers of every answer.
};

// The trailer that says what an answer is worth; see job.proto.
inline constexpr const char kDurabilityTrailer[] = "millrace-durability";

// One call, from its arrival to its end. Every call ends through this, whoever answers it.
class CallEnding {
 public:
  CallEnding(const Backend& backend, Method method, grpc::CallbackServerContext* context)
      : backend_(backend), method_(method), context_(context), start_(std::chrono::steady_clock::now()) {}

  // What to Finish with, which comes next: counts the call and sets its trailers. Once.
  grpc::Status With(const Status& status) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start_;
    backend_.stats.Answered(method_, status.code(), took.count());
    if (!OfPools(method_)) context_->AddTrailingMetadata(kDurabilityTrailer, backend_.durability_word);
    return ToGrpc(status, context_);
  }

 private:
  // The journal does not keep what was done to a pool, so there is nothing to promise.
  static bool OfPools(Method method) { return method >= Method::kListPools && method <= Method::kDrainPool; }

  const Backend& backend_;
  const Method method_;
  grpc::CallbackServerContext* const context_;
  const std::chrono::steady_clock::time_point start_;
};

// `translate` fills the response or says why not; it does not wait, and does not read the disk.
template <typename Translate>
grpc::ServerUnaryReactor* AnswerNow(const Backend& backend, Method method, grpc::CallbackServerContext* context,
                                    Translate&& translate) {
  CallEnding ending(backend, method, context);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ending.With(translate()));
  return reactor;
}

// `work` may wait for the disk. It is done with the backend when it finishes its call: the server waits for calls, not for fibers.
template <typename Work>
void OnFiber(const Backend& backend, Work&& work) {
  // Beside any number of jobs that compute.
  backend.runtime.Go({.name = "call", .urgent = true}, std::forward<Work>(work));
}

// As AnswerNow, with a `translate` that may wait for the disk. It keeps by value what it needs; request, response and context
// are gRPC's, and stay until the answer. A client that goes away meanwhile has its answer already, from its own gRPC; here the
// call ends when `translate` returns.
template <typename Translate>
grpc::ServerUnaryReactor* AnswerOnFiber(const Backend& backend, Method method, grpc::CallbackServerContext* context,
                                        Translate translate) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  OnFiber(backend, [reactor, ending = CallEnding(backend, method, context),
                    translate = std::move(translate)]() mutable { reactor->Finish(ending.With(translate())); });
  return reactor;
}

// A call that dispatch answers later, on any thread, unless the client goes away or the server closes first.
//
//   Who answers  Dispatch, through the derived class, which calls Answer; or, once Withdraw has taken the call back from
//                dispatch, we. Withdraw is true for one caller at most, so Answer is called once.
//   Fiber        While Work is under way the call does not end: an answer is kept, and that the client went away or the server
//                closes is noted, until the fiber leaves. Only then is it known whether there is something to withdraw. So the
//                fiber may touch the call, and dispatch for it, to its end, and a server that stops waits for it as for any call.
//   Life         Deletes itself in OnDone, which gRPC calls after the answer and after every other reaction has returned.
//                Nothing but Work touches the call after Answer.
class WaitingCall : public grpc::ServerUnaryReactor, public OpenCalls::Call {
 public:
  WaitingCall(const Backend& backend, Method method, grpc::CallbackServerContext* context)
      : backend_(backend), context_(context), ending_(backend, method, context) {}

  void OnClosing() final { Interrupt(kClosing); }

 protected:
  // True: dispatch will not answer any more.
  virtual bool Withdraw() = 0;

  // Does on a fiber what may wait for the disk; `work` may Answer, or leave that to dispatch. From the start of the call, or by
  // whom Withdraw has told that nobody else answers.
  template <typename F>
  void Work(F work) {
    state_.fetch_add(kAtWork, std::memory_order_relaxed);
    OnFiber(backend_, [this, work = std::move(work)]() mutable {
      work();
      Leave();
    });
  }

  void Answer(const Status& status) {
    // Nobody begins to work on a call that somebody else answers, so the count only falls.
    if (state_.load(std::memory_order_acquire) >= kAtWork) {
      answer_ = status;
      if (state_.fetch_or(kAnswered, std::memory_order_acq_rel) >= kAtWork) return;  // Whoever leaves last sends it.
    }
    Send(status);
  }

  void OnDone() override {
    backend_.open_calls.Remove(this);
    delete this;
  }

  const Backend& backend_;

 private:
  // What state_ holds: these, and how many fibers are at work times kAtWork.
  static constexpr uint32_t kAnswered = 1, kClientGone = 2, kClosing = 4, kAtWork = 8;

  void OnCancel() final { Interrupt(kClientGone); }

  // Inside a reaction of gRPC or of OpenCalls, so the call outlives it.
  void Interrupt(uint32_t why) {
    if (state_.fetch_or(why, std::memory_order_acq_rel) >= kAtWork) return;  // Leave sees it.
    if (Withdraw()) Answer(Interruption(why));
  }

  // On the fiber.
  void Leave() {
    uint32_t state = state_.load(std::memory_order_acquire);
    do {
      const bool unheard = (state & (kClientGone | kClosing)) != 0 && (state & kAnswered) == 0;
      if (unheard && Withdraw()) {
        Answer(Interruption(state));
        state |= kAnswered;
      }
    } while (
        !state_.compare_exchange_weak(state, state - kAtWork, std::memory_order_acq_rel, std::memory_order_acquire));
    const bool last = state < 2 * kAtWork;
    if (last && (state & kAnswered) != 0) Send(answer_);
  }

  Status Interruption(uint32_t why) const {
    if ((why & kClosing) != 0) return ClosingStatus();
    const bool late = context_->deadline() <= std::chrono::system_clock::now();
    return late ? DeadlineExceeded("DEADLINE_EXCEEDED", "the call's deadline passed while it waited")
                : Cancelled("CALL_CANCELLED", "the client cancelled the call or went away");
  }

  void Send(const Status& status) { Finish(ending_.With(status)); }

  grpc::CallbackServerContext* const context_;
  CallEnding ending_;
  std::atomic<uint32_t> state_{0};
  Status answer_;  // With kAnswered.
};

}  // namespace millrace::rpc
