// A verb on jobs: answered when dispatch says that it is committed. A client that goes away or whose deadline passes before does not
// undo it.
#pragma once

#include "millrace/v1/job_service.pb.h"
#include "rpc/convert.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

// Answers differ only in what they tell.
inline void Fill(const dispatch::VerbCall& call, v1::Job* job) { Fill(call.job, true, job); }
inline void Fill(const dispatch::VerbCall&, v1::DeleteJobResponse*) {}
inline void Fill(const dispatch::VerbCall& call, v1::BulkJobsResponse* counts) {
  counts->set_matched(call.bulk.matched);
  counts->set_changed(call.bulk.changed);
}

template <typename Response>
class VerbCall final : public WaitingCall, public dispatch::VerbCall {
 public:
  VerbCall(const Backend& backend, Method method, grpc::CallbackServerContext* context, Response* response)
      : WaitingCall(backend, method, context), response_(response) {}

  void Refuse(const Status& why) { Answer(why); }

 private:
  bool Withdraw() override { return backend_.dispatcher.Abandon(this); }

  void Done() override {
    if (status.ok()) Fill(*this, response_);
    Answer(status);
  }

  Response* const response_;
};

// `begin(call)` hands the call to the dispatcher, or says why not.
template <typename Response, typename Begin>
grpc::ServerUnaryReactor* StartVerb(const Backend& backend, Method method, grpc::CallbackServerContext* context,
                                    Response* response, Begin&& begin) {
  auto* call = new VerbCall<Response>(backend, method, context, response);
  if (const Status status = begin(call); !status.ok()) call->Refuse(status);
  return call;
}

}  // namespace millrace::rpc
