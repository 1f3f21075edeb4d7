// Unary calls: what all have in common, and the two ways to answer one that does not wait for dispatch: at once, and on
// a fiber. Calls that dispatch answers are in waiting_call.h.
//
//   gRPC has few threads, and Submit and Health need them. So what may wait for the disk is done on a fiber of the
//   runtime, and the thread goes back to gRPC. Reads that hang cost memory and a machine of the runtime each, and hold
//   up no other call.
//
//   Limits    What a call holds is its request and the answer that its client has not read (rpc_call.h). The disk is
//             read, and changed, for a number of calls at a time.
//   Clients   When the client has gone before the fiber of its call runs, nothing is done for the call.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "base/status.h"
#include "rpc/rpc_call.h"
#include "rpc/unsent.h"
#include "runtime/runtime.h"
#include "sync/semaphore.h"

namespace millrace::rpc {

// A call as gRPC hands it over. gRPC owns all of it, and keeps it until OnDone.
struct Arrival {
  grpc::CallbackServerContext* context;
  const grpc::ByteBuffer* request;
  grpc::ByteBuffer* response;
};

// `work` may wait for the disk. It must not touch the backend after it has finished its call, since the server waits
// for calls and not for fibers.
template <typename Work>
void OnFiber(const Backend& backend, Work&& work) {
  // Urgent, so that it runs beside any number of jobs that compute.
  backend.runtime.Go({.name = "call", .urgent = true}, std::forward<Work>(work));
}

// Deletes itself in OnDone, which gRPC calls after the answer and after every other reaction has returned.
class UnaryCall : public grpc::ServerUnaryReactor, public Unsent::Entry {
 public:
  UnaryCall(const Backend& backend, Method method, const Arrival& arrival)
      : backend_(backend), arrival_(arrival), call_(backend, method, arrival.context) {}

 protected:
  // Enters, and gives the request, or why the call is refused. First of all, and once.
  Status Receive(google::protobuf::MessageLite* request);
  // Keeps room for the answer of a change that may be larger than a few KiB: before the change, which is not to be
  // begun when this is not OK. At most once.
  Status ReserveAnswer(size_t bytes);
  // Makes `answer` the answer of an OK status. Not OK: there is no room for the answer; only calls that changed nothing
  // are refused for that. To be called before Send, and once.
  Status Pack(const google::protobuf::MessageLite& answer);
  // To be called once; nothing touches the call afterwards.
  void Send(const Status& status);

  bool OnlyReads() const { return call_.info().only_reads; }
  bool ClientIsGone() const { return arrival_.context->IsCancelled(); }
  // The answer to a call that nobody waits for any more: its deadline has passed, or its client has gone.
  Status GoneStatus() const;

  // Gives back what the call holds. When a call that did so is deleted, the server may be gone.
  void Forget();
  void OnDone() override;

  const Backend& backend_;
  const Arrival arrival_;

 private:
  void Cut() final { arrival_.context->TryCancel(); }

  RpcCall call_;
};

// A call that is answered by one function: Status translate(const Request&, Response*).
template <typename Request, typename Response, typename Translate>
class PlainCall final : public UnaryCall {
 public:
  PlainCall(const Backend& backend, Method method, const Arrival& arrival, Translate translate)
      : UnaryCall(backend, method, arrival), translate_(std::move(translate)) {}

  void AnswerNow() {
    Status status = Receive(&request_);
    Send(status.ok() ? Translated() : status);
  }

  void AnswerOnFiber() {
    if (Status status = Receive(&request_); !status.ok()) return Send(status);
    OnFiber(backend_, [this] {
      sync::Semaphore& permits = OnlyReads() ? backend_.reads : backend_.changes;  // Outlives the call.
      permits.Acquire();
      const Status status = ClientIsGone() ? GoneStatus() : Translated();
      permits.Release();
      Send(status);
    });
  }

 private:
  Status Translated() {
    Response response;
    MR_RETURN_IF_ERROR(translate_(request_, &response));
    return Pack(response);
  }

  Request request_;
  Translate translate_;
};

// `translate` fills the response or says why not; it does not wait, and does not read the disk.
template <typename Request, typename Response, typename Translate>
grpc::ServerUnaryReactor* AnswerNow(const Backend& backend, Method method, const Arrival& arrival,
                                    Translate translate) {
  auto* call = new PlainCall<Request, Response, Translate>(backend, method, arrival, std::move(translate));
  call->AnswerNow();
  return call;
}

// As AnswerNow, with a `translate` that may wait for the disk. It keeps by value what it needs.
template <typename Request, typename Response, typename Translate>
grpc::ServerUnaryReactor* AnswerOnFiber(const Backend& backend, Method method, const Arrival& arrival,
                                        Translate translate) {
  auto* call = new PlainCall<Request, Response, Translate>(backend, method, arrival, std::move(translate));
  call->AnswerOnFiber();
  return call;
}

}  // namespace millrace::rpc
