#include "rpc/answer_size.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::Decode;

TEST(AnswerSize, AJobWithAPayloadThatNoClientTakesByDefaultIsStillWaitedForLookedAtAndCancelled) {
  Daemon big({.dispatcher = {.payload_bytes_max = size_t{8} << 20}});
  const std::string id = big.Submit("hold", std::string(size_t{5} << 20, 'x'));
  v1::CancelJobRequest cancel;
  cancel.set_id(id);
  v1::Job job;
  {
    grpc::ClientContext context;
    EXPECT_EQ(Brief(big.jobs->CancelJob(&context, cancel, &job)), "OK");
  }
  EXPECT_EQ(big.Wait(id).state(),
            v1::JOB_STATE_CANCELLED);  // Without a view, as a client does that knows nothing of them.

  v1::GetJobRequest get;
  get.set_id(id);
  v1::WaitJobRequest wait;
  wait.set_id(id);
  wait.set_view(v1::JOB_VIEW_FULL);
  v1::ListJobsRequest list;
  list.set_view(v1::JOB_VIEW_FULL);
  v1::ListJobsResponse page;
  {
    grpc::ClientContext c1, c2, c3;
    const grpc::Status refused = big.jobs->GetJob(&c1, get, &job);
    EXPECT_EQ(Brief(refused), "FAILED_PRECONDITION ANSWER_TOO_LARGE");
    EXPECT_EQ(Decode(refused).metadata.at("limit"), std::to_string(4 << 20));
    EXPECT_EQ(Brief(big.jobs->WaitJob(&c2, wait, &job)), "FAILED_PRECONDITION ANSWER_TOO_LARGE");
    EXPECT_EQ(Brief(big.jobs->ListJobs(&c3, list, &page)), "FAILED_PRECONDITION ANSWER_TOO_LARGE");
  }
  get.set_view(v1::JOB_VIEW_RESULT);
  list.set_view(v1::JOB_VIEW_RESULT);
  {
    grpc::ClientContext c1, c2;
    EXPECT_EQ(Brief(big.jobs->GetJob(&c1, get, &job)), "OK");
    EXPECT_EQ(job.attempt_history_size(), 1);
    EXPECT_EQ(Brief(big.jobs->ListJobs(&c2, list, &page)), "OK");
    EXPECT_EQ(page.jobs_size(), 1);
  }
  // A client that takes more says so.
  grpc::ChannelArguments more;
  more.SetMaxReceiveMessageSize(64 << 20);
  const auto jobs = v1::JobService::NewStub(
      grpc::CreateCustomChannel(big.server->address(), grpc::InsecureChannelCredentials(), more));
  get.set_view(v1::JOB_VIEW_FULL);
  for (const char* said : {"67108864", "many"}) {
    grpc::ClientContext context;
    context.AddMetadata("millrace-receive-bytes-max", said);
    job.Clear();
    const bool number = std::string_view(said) != "many";
    EXPECT_EQ(Brief(jobs->GetJob(&context, get, &job)), number ? "OK" : "FAILED_PRECONDITION ANSWER_TOO_LARGE");
    EXPECT_EQ(job.spec().payload().size(), number ? size_t{5} << 20 : 0) << said;
  }
}

TEST(AnswerSize, ManyPoolsStayBelowWhatClientsTakeOrAreRefusedClearly) {
  test::DaemonOptions options;
  for (int i = 0; i < 1000; ++i) {
    std::string name = std::to_string(i);
    options.pools.push_back({.name = name + std::string(63 - name.size(), 'p'), .workers = 1});
  }
  Daemon d(std::move(options));
  v1::ListPoolsResponse pools;
  {
    grpc::ClientContext context;
    ASSERT_EQ(Brief(d.pools->ListPools(&context, {}, &pools)), "OK");
  }
  EXPECT_EQ(pools.pools_size(), 1001);
  EXPECT_LT(pools.ByteSizeLong(), size_t{1} << 20);

  v1::GetPoolRequest get;
  get.set_name("default");
  v1::Pool pool;
  grpc::ClientContext c1, c2;
  c1.AddMetadata("millrace-receive-bytes-max", "10000");
  c2.AddMetadata("millrace-receive-bytes-max", "10");
  const grpc::Status refused = d.pools->ListPools(&c1, {}, &pools);
  EXPECT_EQ(Brief(refused), "FAILED_PRECONDITION ANSWER_TOO_LARGE");
  EXPECT_NE(refused.error_message().find("one pool at a time with GetPool"), std::string::npos);
  EXPECT_EQ(Brief(d.pools->GetPool(&c2, get, &pool)), "FAILED_PRECONDITION ANSWER_TOO_LARGE");
}

}  // namespace
}  // namespace millrace::rpc
