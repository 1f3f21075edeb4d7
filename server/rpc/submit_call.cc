#include "rpc/submit_call.h"

#include <string>

#include "rpc/convert.h"
#include "rpc/trace_metadata.h"

namespace millrace::rpc {
namespace {

// An acknowledgement in an answer.
constexpr size_t kAckBytes = 48;

// Answers of one job and of many differ only in where the acknowledgements go.
template <typename Request, typename Response>
class SubmitCall final : public WaitingCall, public dispatch::Submission {
 public:
  using WaitingCall::WaitingCall;

  void Start() {
    Request request;
    if (Status why = Receive(&request); !why.ok()) return Answer(why);
    if (Status why = Take(std::move(request)); !why.ok()) return Answer(why);
    if (const Trace trace = TraceOf(*arrival_.context)) {
      for (Item& item : items) {
        if (!item.spec.trace) item.spec.trace = trace;
      }
    }
    // A batch of small jobs may be smaller than its answer.
    if (items.size() > 1) {
      if (Status why = ReserveAnswer(items.size() * kAckBytes); !why.ok()) return Answer(why);
    }
    backend_.dispatcher.Submit(this);
  }

 private:
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

  bool Withdraw() override { return backend_.dispatcher.Abandon(this); }

  void Done() override {
    if (!status.ok()) return Answer(status);
    Response response;
    FillResponse(&response);
    Answer(Pack(response));
  }

  void FillResponse(v1::SubmitJobResponse* out) { Fill(acks[0], backend_.durability, out); }
  void FillResponse(v1::BatchSubmitJobsResponse* out) {
    for (const dispatch::SubmitAck& ack : acks) Fill(ack, backend_.durability, out->add_responses());
  }
};

template <typename Request, typename Response>
grpc::ServerUnaryReactor* Start(const Backend& backend, Method method, const Arrival& arrival) {
  auto* call = new SubmitCall<Request, Response>(backend, method, arrival);
  call->Start();
  return call;
}

}  // namespace

grpc::ServerUnaryReactor* StartSubmit(const Backend& backend, const Arrival& arrival) {
  return Start<v1::SubmitJobRequest, v1::SubmitJobResponse>(backend, Method::kSubmitJob, arrival);
}

grpc::ServerUnaryReactor* StartBatchSubmit(const Backend& backend, const Arrival& arrival) {
  return Start<v1::BatchSubmitJobsRequest, v1::BatchSubmitJobsResponse>(backend, Method::kBatchSubmitJobs, arrival);
}

}  // namespace millrace::rpc
