// What an answer is worth is said in its trailers.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "tests/rpc/daemon.h"
#include "tests/rpc/raw_call.h"
#include "tests/support/slow_journal.h"

namespace millrace::test {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;

// Calls every unary method of the service with an empty request, which most of them refuse.
template <typename Check>
void CallEach(Daemon& d, const char* service, Check check) {
  const auto* found = DescriptorPool::generated_pool()->FindServiceByName(service);
  ASSERT_NE(found, nullptr) << service;
  for (int i = 0; i < found->method_count(); ++i) {
    const MethodDescriptor& method = *found->method(i);
    if (method.client_streaming() || method.server_streaming()) continue;
    grpc::ClientContext context;
    std::string response;
    const grpc::Status status =
        RawCall(d, "/" + found->full_name() + "/" + method.name(), /*request=*/"", &response, &context);
    check(method.name(), status, DurabilityNamed(context));
  }
}

TEST(Durability, IsNamedByEveryUnaryMethodOfTheJobServiceThatRefuses) {
  Daemon d;
  int refused = 0;
  CallEach(d, "millrace.v1.JobService",
           [&](const std::string& method, const grpc::Status& status, const std::string& named) {
             EXPECT_EQ(named, "none") << method;
             if (!status.ok()) ++refused;
           });
  EXPECT_EQ(refused, 10) << "all but ListJobs, which lists";
}

TEST(Durability, IsNamedByEveryUnaryMethodOfTheJobServiceThatAnswers) {
  Daemon d;
  const std::string id = d.Submit("fail");
  d.Wait(id);
  const auto call = [&](auto method, const auto& request, auto response) {
    grpc::ClientContext context;
    const grpc::Status status = (d.jobs.get()->*method)(&context, request, &response);
    return Brief(status) + " " + DurabilityNamed(context);
  };
  const auto of = [&](auto request) {
    request.set_id(id);
    return request;
  };
  v1::SubmitJobRequest submit;
  submit.mutable_spec()->set_kind("echo");
  v1::BatchSubmitJobsRequest batch;
  *batch.add_requests() = submit;
  v1::ListJobsRequest list;
  const auto all = [](auto request) {
    request.set_filter("kind = fail");
    request.set_validate_only(true);
    return request;
  };
  using Stub = v1::JobService::Stub;
  EXPECT_EQ(call(&Stub::SubmitJob, submit, v1::SubmitJobResponse()), "OK none");
  EXPECT_EQ(call(&Stub::BatchSubmitJobs, batch, v1::BatchSubmitJobsResponse()), "OK none");
  EXPECT_EQ(call(&Stub::GetJob, of(v1::GetJobRequest()), v1::Job()), "OK none");
  EXPECT_EQ(call(&Stub::ListJobs, list, v1::ListJobsResponse()), "OK none");
  list.set_page_size(-1);
  EXPECT_EQ(call(&Stub::ListJobs, list, v1::ListJobsResponse()), "INVALID_ARGUMENT BAD_PAGE_SIZE page_size none");
  EXPECT_EQ(call(&Stub::WaitJob, of(v1::WaitJobRequest()), v1::Job()), "OK none");
  EXPECT_EQ(call(&Stub::RetryJob, of(v1::RetryJobRequest()), v1::Job()), "OK none");
  d.Wait(id);
  EXPECT_EQ(call(&Stub::CancelJobs, all(v1::CancelJobsRequest()), v1::CancelJobsResponse()), "OK none");
  EXPECT_EQ(call(&Stub::RetryJobs, all(v1::RetryJobsRequest()), v1::RetryJobsResponse()), "OK none");
  EXPECT_EQ(call(&Stub::DeleteJobs, all(v1::DeleteJobsRequest()), v1::DeleteJobsResponse()), "OK none");
  EXPECT_EQ(call(&Stub::CancelJob, of(v1::CancelJobRequest()), v1::Job()), "FAILED_PRECONDITION WRONG_STATE none");
  EXPECT_EQ(call(&Stub::DeleteJob, of(v1::DeleteJobRequest()), v1::DeleteJobResponse()), "OK none");
  d.Pause();
  v1::CancelJobRequest cancel;
  cancel.set_id(d.Submit("hold"));
  EXPECT_EQ(call(&Stub::CancelJob, cancel, v1::Job()), "OK none");
}

TEST(Durability, IsNamedAtTheEndOfStreams) {
  Daemon d;
  const std::string id = d.Submit("echo");
  d.Wait(id);
  {
    grpc::ClientContext context;
    auto stream = d.jobs->StreamSubmit(&context);
    stream->WritesDone();
    v1::StreamSubmitResponse answer;
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_EQ(Brief(stream->Finish()), "OK");
    EXPECT_EQ(DurabilityNamed(context), "none");
  }
  v1::WatchJobsRequest watch;
  watch.set_job_id(id);
  for (const char* end : {"OK", "INVALID_ARGUMENT JOB_ID_MALFORMED job_id"}) {
    grpc::ClientContext context;
    auto reader = d.jobs->WatchJobs(&context, watch);
    v1::JobEvent event;
    while (reader->Read(&event)) {
    }
    EXPECT_EQ(Brief(reader->Finish()), end);
    EXPECT_EQ(DurabilityNamed(context), "none");
    watch.set_job_id("x");
  }
}

TEST(Durability, IsNamedByBackupsAndNotByPools) {
  Daemon d;
  CallEach(d, "millrace.v1.AdminService", [](const std::string& method, const grpc::Status&, const std::string& named) {
    EXPECT_EQ(named, "none") << method;
  });
  CallEach(d, "millrace.v1.PoolService", [](const std::string& method, const grpc::Status&, const std::string& named) {
    EXPECT_EQ(named, "") << method;
  });
}

TEST(Durability, ThatIsNamedIsTheJournals) {
  SlowJournal journal;
  Daemon d{{.journal = &journal}};
  v1::GetJobRequest request;
  v1::Job job;
  grpc::ClientContext context;
  EXPECT_FALSE(d.jobs->GetJob(&context, request, &job).ok());
  EXPECT_EQ(DurabilityNamed(context), "fsync");
}

}  // namespace
}  // namespace millrace::test
