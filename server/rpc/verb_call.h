// A verb on jobs: done on a fiber, as it may read the disk, and answered when dispatch says that it is committed. A client that
// goes away or whose deadline passes before does not undo it.
#pragma once

#include <utility>

#include "millrace/v1/job_service.pb.h"
#include "rpc/convert.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

// Answers differ only in what they tell. Not the payload: it may be more than a client takes.
inline void Fill(const dispatch::VerbCall& call, v1::Job* job) { Fill(call.job, View::kResult, job); }
inline void Fill(const dispatch::VerbCall&, v1::DeleteJobResponse*) {}
template <typename Counts>
requires requires(Counts* counts) { counts->set_matched(0); }
void Fill(const dispatch::VerbCall& call, Counts* counts) {
  counts->set_matched(call.bulk.matched);
  counts->set_changed(call.bulk.changed);
}

template <typename Response>
class VerbCall final : public WaitingCall, public dispatch::VerbCall {
 public:
  VerbCall(const Backend& backend, Method method, grpc::CallbackServerContext* context, Response* response)
      : WaitingCall(backend, method, context), response_(response) {}

  template <typename Begin>
  void Start(Begin begin) {
    Work([this, begin = std::move(begin)] {
      if (const Status why = begin(this); !why.ok()) Answer(why);
    });
  }

 private:
  bool Withdraw() override { return backend_.dispatcher.Abandon(this); }

  void Done() override {
    if (status.ok()) Fill(*this, response_);
    Answer(status);
  }

  Response* const response_;
};

// `begin(call)` hands the call to the dispatcher, or says why not. On a fiber: it keeps by value what it needs; the request is
// gRPC's, and stays until the answer.
template <typename Response, typename Begin>
grpc::ServerUnaryReactor* StartVerb(const Backend& backend, Method method, grpc::CallbackServerContext* context,
                                    Response* response, Begin begin) {
  auto* call = new VerbCall<Response>(backend, method, context, response);
  call->Start(std::move(begin));
  return call;
}

}  // namespace millrace::rpc
