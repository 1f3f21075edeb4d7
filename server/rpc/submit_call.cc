#include "rpc/submit_call.h"

#include <string>

#include "rpc/convert.h"

namespace millrace::rpc {
namespace {

// The request belongs to the call until OnDone and nobody else looks at it; only the generated signature says const. Moving a
// payload of a megabyte out of it beats copying it.
template <typename Request>
Request& Own(const Request* request) {
  return *const_cast<Request*>(request);
}

// Answers of one job and of many differ only in where the acknowledgements go.
template <typename Response>
class SubmitCall final : public WaitingCall, public dispatch::Submission {
 public:
  SubmitCall(const Backend& backend, Method method, grpc::CallbackServerContext* context, Response* response)
      : WaitingCall(backend, method, context), response_(response) {}

  void Start(const Status& translated) {
    if (!translated.ok()) return Answer(translated);
    backend_.dispatcher.Submit(this);
  }

  Status Take(v1::SubmitJobRequest&& request) {
    auto policy = FromProto(request.on_full());
    if (!policy.ok()) return policy.status();
    on_full = *policy;
    items.resize(1);
    return TakeSubmit(std::move(request), &items[0]);
  }

  Status Take(v1::BatchSubmitJobsRequest&& request) {
    auto policy = FromProto(request.on_full());
    if (!policy.ok()) return policy.status();
    on_full = *policy;
    if (request.requests().empty()) {
      return InvalidArgument("BATCH_EMPTY", "requests is empty: a batch has 1 to 1000 jobs").Field("requests");
    }
    items.resize(static_cast<size_t>(request.requests_size()));
    for (int i = 0; i < request.requests_size(); ++i) {
      Status taken = TakeSubmit(std::move(*request.mutable_requests(i)), &items[static_cast<size_t>(i)]);
      if (!taken.ok()) return InField("requests[" + std::to_string(i) + "].", std::move(taken));
    }
    return OkStatus();
  }

 private:
  bool Withdraw() override { return backend_.dispatcher.Abandon(this); }

  void Done() override {
    if (status.ok()) FillResponse(response_);
    Answer(status);
  }

  void FillResponse(v1::SubmitJobResponse* out) { Fill(acks[0], backend_.durability, out); }
  void FillResponse(v1::BatchSubmitJobsResponse* out) {
    for (const dispatch::SubmitAck& ack : acks) Fill(ack, backend_.durability, out->add_responses());
  }

  Response* const response_;
};

template <typename Request, typename Response>
grpc::ServerUnaryReactor* Start(const Backend& backend, Method method, grpc::CallbackServerContext* context,
                                const Request* request, Response* response) {
  auto* call = new SubmitCall<Response>(backend, method, context, response);
  call->Start(call->Take(std::move(Own(request))));
  return call;
}

}  // namespace

grpc::ServerUnaryReactor* StartSubmit(const Backend& backend, grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request, v1::SubmitJobResponse* response) {
  return Start(backend, Method::kSubmitJob, context, request, response);
}

grpc::ServerUnaryReactor* StartBatchSubmit(const Backend& backend, grpc::CallbackServerContext* context,
                                           const v1::BatchSubmitJobsRequest* request,
                                           v1::BatchSubmitJobsResponse* response) {
  return Start(backend, Method::kBatchSubmitJobs, context, request, response);
}

}  // namespace millrace::rpc
