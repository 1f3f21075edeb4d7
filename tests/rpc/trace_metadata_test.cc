#include "rpc/trace_metadata.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;

// Its kind `trace` answers with what the handler was given.
class CallTrace : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { d = new Daemon; }
  static void TearDownTestSuite() { delete std::exchange(d, nullptr); }

  template <typename Change>
  static grpc::Status TrySubmit(Change&& change, v1::SubmitJobResponse* ack, grpc::ClientContext* context) {
    v1::SubmitJobRequest request;
    request.mutable_spec()->set_kind("trace");
    change(request);
    return d->jobs->SubmitJob(context, request, ack);
  }

  static inline Daemon* d = nullptr;
};

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST_F(CallTrace, TheTraceOfACallGoesToItsJobs) {
  grpc::ClientContext context;
  context.AddMetadata("traceparent", kParent);
  context.AddMetadata("tracestate", "a=1");
  context.AddMetadata("tracestate", "b=2");
  context.AddMetadata("baggage", "user=7");
  v1::SubmitJobResponse ack;
  ASSERT_TRUE(TrySubmit([](v1::SubmitJobRequest&) {}, &ack, &context).ok());
  const v1::Job job = d->Wait(ack.id());
  EXPECT_EQ(job.result(), std::string(kParent) + " a=1,b=2 user=7") << "a header that comes twice is one list";
  EXPECT_EQ(job.spec().trace().traceparent(), kParent);

  grpc::ClientContext batch_context;
  batch_context.AddMetadata("traceparent", kParent);
  v1::BatchSubmitJobsRequest batch;
  for (int i = 0; i < 2; ++i) batch.add_requests()->mutable_spec()->set_kind("trace");
  const std::string own = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00";
  batch.mutable_requests(1)->mutable_spec()->mutable_trace()->set_traceparent(own);
  v1::BatchSubmitJobsResponse acks;
  ASSERT_TRUE(d->jobs->BatchSubmitJobs(&batch_context, batch, &acks).ok());
  EXPECT_EQ(d->Wait(acks.responses(0).id()).result(), std::string(kParent) + "  ");
  EXPECT_EQ(d->Wait(acks.responses(1).id()).result(), own + "  ") << "what the job says comes first";
}

TEST_F(CallTrace, AMalformedTraceIsLeftOutOfMetadataAndRefusedInARequest) {
  grpc::ClientContext context;
  context.AddMetadata("traceparent", "00-nonsense");
  context.AddMetadata("tracestate", "a=1");
  v1::SubmitJobResponse ack;
  ASSERT_TRUE(TrySubmit([](v1::SubmitJobRequest&) {}, &ack, &context).ok());
  const v1::Job job = d->Wait(ack.id());
  EXPECT_EQ(job.result(), "  ");
  EXPECT_FALSE(job.spec().has_trace());
  const auto nonsense = [](v1::SubmitJobRequest& r) {
    r.mutable_spec()->mutable_trace()->set_traceparent("00-nonsense");
  };
  grpc::ClientContext other_context;
  EXPECT_EQ(Brief(TrySubmit(nonsense, &ack, &other_context)), "INVALID_ARGUMENT BAD_TRACE spec.trace.traceparent");
}

TEST_F(CallTrace, ARepeatInAnotherSpanIsTheSameRequest) {
  const auto submit = [](const std::string& parent, v1::SubmitJobResponse* ack) {
    grpc::ClientContext context;
    context.AddMetadata("traceparent", parent);
    return TrySubmit([](v1::SubmitJobRequest& r) { r.set_request_id("traced"); }, ack, &context);
  };
  v1::SubmitJobResponse first, second;
  ASSERT_TRUE(submit(kParent, &first).ok());
  ASSERT_TRUE(submit("00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01", &second).ok());
  EXPECT_EQ(first.id(), second.id());
  EXPECT_TRUE(second.existing());
  EXPECT_EQ(d->Wait(first.id()).result(), std::string(kParent) + "  ") << "the job keeps the first";
}

TEST_F(CallTrace, ItemsOfAStreamThatNameNoneBelongToThatOfTheStream) {
  const std::string parent = kParent;
  const std::string own = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00";
  grpc::ClientContext context;
  context.AddMetadata("traceparent", parent);
  const auto stream = d->jobs->StreamSubmit(&context);
  const auto Item = [](int64_t sequence) {
    v1::StreamSubmitRequest item;
    item.set_sequence(sequence);
    item.mutable_request()->mutable_spec()->set_kind("trace");
    return item;
  };
  const auto result = [&](const v1::StreamSubmitRequest& item) {
    v1::StreamSubmitResponse answer;
    EXPECT_TRUE(stream->Write(item));
    EXPECT_TRUE(stream->Read(&answer));
    return d->Wait(answer.response().id()).result();
  };
  v1::StreamSubmitRequest second = Item(2);
  second.mutable_request()->mutable_spec()->mutable_trace()->set_traceparent(own);
  EXPECT_EQ(result(Item(1)), parent + "  ");
  EXPECT_EQ(result(second), own + "  ");
  EXPECT_EQ(result(Item(3)), parent + "  ");
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace millrace::rpc
