// A verb on jobs: done on a fiber, since it may read the disk, and answered when dispatch says that it is committed.
// When the client goes away or its deadline passes meanwhile, what was done stays done, and what had not begun is not
// begun.
#pragma once

#include <utility>

#include "millrace/v1/job_service.pb.h"
#include "rpc/convert.h"
#include "rpc/error_details.h"
#include "rpc/waiting_call.h"

namespace millrace::rpc {

// What the answers of the verbs say. They leave the payload out, which may be more than a client takes.
inline void Fill(const dispatch::VerbCall& call, v1::Job* job) { Fill(call.job, View::kResult, job); }
inline void Fill(const dispatch::VerbCall&, v1::DeleteJobResponse*) {}
template <typename Counts>
requires requires(Counts* counts) { counts->set_matched(0); }
void Fill(const dispatch::VerbCall& call, Counts* counts) {
  counts->set_matched(call.bulk.matched);
  counts->set_changed(call.bulk.changed);
  if (!call.bulk.first_error.ok()) Fill(call.bulk.first_error, counts->mutable_first_error());
}

// How large the answer of a verb on one job may be; the copy of the job, until it is sent, is no larger. The answers of
// the other verbs are small.
template <typename Response>
inline constexpr size_t kVerbAnswerBytes = 0;
template <>
inline constexpr size_t kVerbAnswerBytes<v1::Job> = kLogTailBytes + (kAttemptsKept + 1) * (kErrorBytesMax + 256) +
                                                    (size_t{8} << 10);

template <typename Request, typename Response, typename Begin>
class VerbCall final : public WaitingCall, public dispatch::VerbCall {
 public:
  VerbCall(const Backend& backend, Method method, const Arrival& arrival, Begin begin)
      : WaitingCall(backend, method, arrival), begin_(std::move(begin)) {}

  void Start() {
    if (Status why = Receive(&request_); !why.ok()) return Answer(why);
    Work(backend_.changes, [this] {
      // Nobody can be refused any more when the verb is done.
      Status why = ReserveAnswer(kVerbAnswerBytes<Response>);
      if (why.ok()) why = begin_(request_, this);
      if (!why.ok()) Answer(why);
    });
  }

 private:
  bool Gone() const override { return Interrupted(); }

  bool Withdraw() override { return backend_.dispatcher.Abandon(this); }

  void Done() override {
    if (status.code() == StatusCode::kCancelled) return Answer(WhyInterrupted());
    if (!status.ok()) return Answer(status);
    Response response;
    Fill(*this, &response);
    job = JobSnapshot();  // The answer may wait long for its client.
    Answer(Pack(response));
  }

  Request request_;
  const Begin begin_;
};

// `begin(request, call)` hands the call to the dispatcher, or says why not. On a fiber: it keeps by value what it
// needs.
template <typename Request, typename Response, typename Begin>
grpc::ServerUnaryReactor* StartVerb(const Backend& backend, Method method, const Arrival& arrival, Begin begin) {
  auto* call = new VerbCall<Request, Response, Begin>(backend, method, arrival, std::move(begin));
  call->Start();
  return call;
}

}  // namespace millrace::rpc
