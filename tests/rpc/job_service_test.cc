#include "rpc/job_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::Decode;
using test::Eventually;

class JobServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { d = new Daemon({.server = {.message_bytes_max = 4 << 20}}); }
  static void TearDownTestSuite() { delete std::exchange(d, nullptr); }

  // The answer to a submit of `kind` after `change`.
  template <typename Change>
  static grpc::Status TrySubmit(Change&& change, v1::SubmitJobResponse* response = nullptr,
                                grpc::ClientContext* context = nullptr) {
    v1::SubmitJobRequest request;
    request.mutable_spec()->set_kind("echo");
    change(request);
    grpc::ClientContext own_context;
    v1::SubmitJobResponse own_response;
    return d->jobs->SubmitJob(context ? context : &own_context, request, response ? response : &own_response);
  }

  static std::string ListError(const v1::ListJobsRequest& request) {
    grpc::ClientContext context;
    v1::ListJobsResponse response;
    return Brief(d->jobs->ListJobs(&context, request, &response));
  }

  static inline Daemon* d = nullptr;
};

TEST_F(JobServiceTest, ASubmittedJobRunsAndItsResultComesBack) {
  v1::SubmitJobResponse ack;
  ASSERT_TRUE(TrySubmit([](v1::SubmitJobRequest& r) { r.mutable_spec()->set_payload("ping"); }, &ack).ok());
  EXPECT_EQ(ack.id().size(), 26u);
  EXPECT_EQ(ack.durability(), v1::DURABILITY_NONE);
  EXPECT_FALSE(ack.existing());
  const v1::Job job = d->Wait(ack.id());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.result(), "ping");
  EXPECT_EQ(job.spec().pool(), "default");
  EXPECT_EQ(job.attempts(), 1);
  ASSERT_EQ(job.attempt_history_size(), 1);
  EXPECT_EQ(job.attempt_history(0).result(), v1::ATTEMPT_RESULT_SUCCEEDED);
  EXPECT_GE(job.finish_time().seconds(), job.create_time().seconds());
}

TEST_F(JobServiceTest, AFailedJobTellsWhyInUtf8) {
  const v1::Job job = d->Wait(d->Submit("fail"));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(job.error(), testing::HasSubstr("no luck ?"));
}

TEST_F(JobServiceTest, AWrongSubmitNamesTheFieldAndTheReason) {
  using R = v1::SubmitJobRequest;
  EXPECT_EQ(Brief(TrySubmit([](R& r) { r.clear_spec(); })), "INVALID_ARGUMENT KIND_MISSING spec.kind");
  EXPECT_EQ(Brief(TrySubmit([](R& r) { r.mutable_spec()->mutable_delay()->set_seconds(-1); })),
            "INVALID_ARGUMENT BAD_DURATION spec.delay");
  EXPECT_EQ(Brief(TrySubmit([](R& r) { r.set_on_full(static_cast<v1::OnFull>(7)); })),
            "INVALID_ARGUMENT UNKNOWN_ON_FULL on_full");
  EXPECT_EQ(Decode(TrySubmit([](R& r) { r.mutable_spec()->set_kind("nope"); })).reason, "KIND_NOT_FOUND");
  const auto no_pool = Decode(TrySubmit([](R& r) { r.mutable_spec()->set_pool("nope"); }));
  EXPECT_EQ(no_pool.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(no_pool.reason, "POOL_NOT_FOUND");
  EXPECT_EQ(no_pool.domain, "millrace");
}

TEST_F(JobServiceTest, AbsurdNumbersAreRefused) {
  using R = v1::SubmitJobRequest;
  EXPECT_EQ(Brief(TrySubmit([](R& r) { r.mutable_spec()->mutable_run_timeout(); })),
            "INVALID_ARGUMENT BAD_DURATION spec.run_timeout");
  EXPECT_EQ(Brief(TrySubmit([](R& r) { r.mutable_spec()->mutable_retry()->set_max_attempts(-1); })),
            "INVALID_ARGUMENT BAD_RETRY spec.retry.max_attempts");
  EXPECT_EQ(Brief(TrySubmit([](R& r) { r.mutable_spec()->mutable_retry()->set_backoff_multiplier(std::nan("")); })),
            "INVALID_ARGUMENT BAD_RETRY spec.retry.backoff_multiplier");
  EXPECT_EQ(Brief(TrySubmit([](R& r) { (*r.mutable_spec()->mutable_labels())["two words"] = "x"; })),
            "INVALID_ARGUMENT BAD_LABEL spec.labels");
  EXPECT_EQ(Brief(TrySubmit([](R& r) { r.set_request_id(std::string(129, 'i')); })),
            "INVALID_ARGUMENT BAD_REQUEST_ID request_id");
}

TEST_F(JobServiceTest, AnErrorThatQuotesTheClientStillFitsIntoTrailers) {
  v1::GetJobRequest request;
  request.set_id(std::string(100'000, 'z'));
  v1::Job job;
  grpc::ClientContext context;
  const auto seen = Decode(d->jobs->GetJob(&context, request, &job));
  EXPECT_EQ(seen.reason, "JOB_ID_MALFORMED");
  EXPECT_LT(seen.message.size(), 1100u);
}

TEST_F(JobServiceTest, APayloadThatIsTooLargeIsRefusedByUsAndAMessageThatIsByGrpc) {
  const auto payload = [](size_t bytes) {
    return [bytes](v1::SubmitJobRequest& r) { r.mutable_spec()->set_payload(std::string(bytes, 'x')); };
  };
  EXPECT_TRUE(TrySubmit(payload(1 << 20)).ok());
  const auto seen = Decode(TrySubmit(payload((1 << 20) + 1)));
  EXPECT_EQ(seen.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(seen.field, "spec.payload");
  EXPECT_EQ(TrySubmit(payload(5 << 20)).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(TrySubmit(payload(1)).ok()) << "the server goes on";
}

TEST_F(JobServiceTest, ARequestIdIsAcceptedOnceAndReuseWithOtherContentIsRefused) {
  const auto submit = [](const char* payload, v1::SubmitJobResponse* ack) {
    return TrySubmit(
        [payload](v1::SubmitJobRequest& r) {
          r.set_request_id("same");
          r.mutable_spec()->set_payload(payload);
        },
        ack);
  };
  v1::SubmitJobResponse first, second;
  ASSERT_TRUE(submit("a", &first).ok());
  ASSERT_TRUE(submit("a", &second).ok());
  EXPECT_EQ(first.id(), second.id());
  EXPECT_TRUE(second.existing());
  const auto seen = Decode(submit("b", &second));
  EXPECT_EQ(seen.code, grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(seen.reason, "REQUEST_ID_REUSED");
}

TEST_F(JobServiceTest, AUniqueKeyThatIsHeldGivesTheHolderOrARefusalThatNamesIt) {
  const auto submit = [](v1::UniqueKey::OnTaken on_taken, v1::SubmitJobResponse* ack) {
    return TrySubmit(
        [on_taken](v1::SubmitJobRequest& r) {
          r.mutable_spec()->mutable_delay()->set_seconds(3600);
          r.mutable_spec()->mutable_unique_key()->set_key("nightly");
          r.mutable_spec()->mutable_unique_key()->set_on_taken(on_taken);
        },
        ack);
  };
  v1::SubmitJobResponse first, second;
  ASSERT_TRUE(submit(v1::UniqueKey::ON_TAKEN_REJECT, &first).ok());
  EXPECT_FALSE(first.existing());
  ASSERT_TRUE(submit(v1::UniqueKey::ON_TAKEN_RETURN_EXISTING, &second).ok());
  EXPECT_EQ(first.id(), second.id());
  EXPECT_TRUE(second.existing());
  EXPECT_EQ(second.state(), v1::JOB_STATE_SCHEDULED);
  const auto seen = Decode(submit(v1::UniqueKey::ON_TAKEN_REJECT, &second));
  EXPECT_EQ(seen.code, grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(seen.reason, "UNIQUE_KEY_TAKEN");
  EXPECT_EQ(seen.field, "spec.unique_key");
  EXPECT_EQ(Brief(TrySubmit([](v1::SubmitJobRequest& r) { r.mutable_spec()->mutable_unique_key(); })),
            "INVALID_ARGUMENT BAD_UNIQUE_KEY spec.unique_key.key");
}

TEST_F(JobServiceTest, ABatchIsAllOrNothing) {
  v1::BatchSubmitJobsRequest request;
  v1::BatchSubmitJobsResponse response;
  const auto call = [&] {
    grpc::ClientContext context;
    response.Clear();
    return d->jobs->BatchSubmitJobs(&context, request, &response);
  };
  EXPECT_EQ(Brief(call()), "INVALID_ARGUMENT BATCH_EMPTY requests");
  for (int i = 0; i < 3; ++i) request.add_requests()->mutable_spec()->set_kind("echo");
  ASSERT_TRUE(call().ok());
  ASSERT_EQ(response.responses_size(), 3);
  for (const auto& ack : response.responses()) EXPECT_EQ(d->Wait(ack.id()).state(), v1::JOB_STATE_SUCCEEDED);

  const uint64_t accepted = d->dispatcher->Stats().pools.at(0).submitted[0];
  request.mutable_requests(1)->mutable_spec()->set_kind("");
  EXPECT_EQ(Brief(call()), "INVALID_ARGUMENT KIND_MISSING requests[1].spec.kind");
  EXPECT_EQ(d->dispatcher->Stats().pools.at(0).submitted[0], accepted);
}

TEST_F(JobServiceTest, AMalformedIdAndAnUnknownJobAreDifferentErrors) {
  for (const char* bad : {"", "x", "0123456789abcdef0123456789", "01ARZ3NDEKTSV4RRFFQ69G5FA!"}) {
    v1::GetJobRequest request;
    request.set_id(bad);
    v1::Job job;
    grpc::ClientContext context;
    const std::string brief = Brief(d->jobs->GetJob(&context, request, &job));
    EXPECT_TRUE(brief == "INVALID_ARGUMENT JOB_ID_MALFORMED id" || std::string(bad).size() == 26)
        << bad << ": " << brief;
  }
  const std::string unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  grpc::ClientContext c1, c2, c3, c4, c5;
  v1::Job job;
  v1::DeleteJobResponse deleted;
  v1::GetJobRequest get;
  get.set_id(unknown);
  EXPECT_EQ(Decode(d->jobs->GetJob(&c1, get, &job)).reason, "JOB_NOT_FOUND");
  v1::WaitJobRequest wait;
  wait.set_id(unknown);
  EXPECT_EQ(Decode(d->jobs->WaitJob(&c2, wait, &job)).reason, "JOB_NOT_FOUND");
  v1::CancelJobRequest cancel;
  cancel.set_id(unknown);
  EXPECT_EQ(Decode(d->jobs->CancelJob(&c3, cancel, &job)).reason, "JOB_NOT_FOUND");
  v1::RetryJobRequest retry;
  retry.set_id(unknown);
  EXPECT_EQ(Decode(d->jobs->RetryJob(&c4, retry, &job)).reason, "JOB_NOT_FOUND");
  v1::DeleteJobRequest forget;
  forget.set_id(unknown);
  EXPECT_EQ(Decode(d->jobs->DeleteJob(&c5, forget, &deleted)).reason, "JOB_NOT_FOUND");
}

TEST_F(JobServiceTest, AWaitWithATimeoutAnswersWithTheJobAsItIs) {
  const std::string id = d->Submit("hold");
  Eventually([&] { return d->Get(id).state() == v1::JOB_STATE_RUNNING; });
  for (const int64_t milliseconds : {0, 20}) {
    v1::WaitJobRequest request;
    request.set_id(id);
    request.mutable_timeout()->set_nanos(static_cast<int32_t>(milliseconds * 1'000'000));
    v1::Job job;
    grpc::ClientContext context;
    ASSERT_TRUE(d->jobs->WaitJob(&context, request, &job).ok());
    EXPECT_EQ(job.state(), v1::JOB_STATE_RUNNING);
  }
  // A timeout that is not reached.
  d->Release();
  v1::WaitJobRequest request;
  request.set_id(id);
  request.mutable_timeout()->set_seconds(3600);
  v1::Job job;
  grpc::ClientContext context;
  ASSERT_TRUE(d->jobs->WaitJob(&context, request, &job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobServiceTest, AWaitEndsWithItsDeadlineAndWithItsClient) {
  const std::string id = d->Submit("hold");
  v1::WaitJobRequest request;
  request.set_id(id);
  v1::Job job;
  grpc::ClientContext late;
  late.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(d->jobs->WaitJob(&late, request, &job).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);

  grpc::ClientContext gone;
  std::thread canceller([&] { gone.TryCancel(); });
  EXPECT_EQ(d->jobs->WaitJob(&gone, request, &job).error_code(), grpc::StatusCode::CANCELLED);
  canceller.join();
  d->Release();
  EXPECT_EQ(d->Wait(id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobServiceTest, CancelRetryAndDeleteFollowTheLifecycle) {
  const std::string id = d->Submit("hold");
  Eventually([&] { return d->Get(id).state() == v1::JOB_STATE_RUNNING; });
  v1::Job job;
  v1::DeleteJobRequest forget;
  forget.set_id(id);
  v1::DeleteJobResponse deleted;
  {
    grpc::ClientContext context;
    EXPECT_EQ(Brief(d->jobs->DeleteJob(&context, forget, &deleted)), "FAILED_PRECONDITION WRONG_STATE");
  }
  {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_id(id);
    request.set_reason(std::string(2000, 'r'));
    EXPECT_EQ(Brief(d->jobs->CancelJob(&context, request, &job)), "INVALID_ARGUMENT REASON_TOO_LONG reason");
  }
  {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_id(id);
    request.set_reason("not needed any more");
    ASSERT_TRUE(d->jobs->CancelJob(&context, request, &job).ok());
  }
  EXPECT_EQ(d->Wait(id).state(), v1::JOB_STATE_CANCELLED);
  {
    grpc::ClientContext context;
    v1::RetryJobRequest request;
    request.set_id(id);
    ASSERT_TRUE(d->jobs->RetryJob(&context, request, &job).ok());
    d->Release();
    EXPECT_EQ(d->Wait(id).state(), v1::JOB_STATE_SUCCEEDED);
  }
  {
    grpc::ClientContext context;
    ASSERT_TRUE(d->jobs->DeleteJob(&context, forget, &deleted).ok());
  }
  v1::GetJobRequest get;
  get.set_id(id);
  grpc::ClientContext context;
  EXPECT_EQ(Decode(d->jobs->GetJob(&context, get, &job)).reason, "JOB_NOT_FOUND");
}

TEST_F(JobServiceTest, BulkChangesNeedAFilterAndCanBeCountedFirst) {
  std::set<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    v1::SubmitJobResponse ack;
    ASSERT_TRUE(
        TrySubmit([](v1::SubmitJobRequest& r) { (*r.mutable_spec()->mutable_labels())["bulk"] = "yes"; }, &ack).ok());
    ids.insert(ack.id());
    d->Wait(ack.id());
  }
  v1::CancelJobsResponse cancelled;
  v1::RetryJobsResponse retried;
  v1::DeleteJobsRequest request;
  v1::DeleteJobsResponse response;
  grpc::ClientContext c1, c2, c3, c4, c5, c6;
  EXPECT_EQ(Brief(d->jobs->CancelJobs(&c1, {}, &cancelled)), "INVALID_ARGUMENT FILTER_REQUIRED filter");
  EXPECT_EQ(Brief(d->jobs->RetryJobs(&c2, {}, &retried)), "INVALID_ARGUMENT FILTER_REQUIRED filter");
  EXPECT_EQ(Brief(d->jobs->DeleteJobs(&c3, request, &response)), "INVALID_ARGUMENT FILTER_REQUIRED filter");
  request.set_filter("labels.bulk = yes AND AND");
  EXPECT_EQ(Brief(d->jobs->DeleteJobs(&c4, request, &response)), "INVALID_ARGUMENT BAD_FILTER filter");
  request.set_filter("labels.bulk = yes");
  request.set_validate_only(true);
  ASSERT_TRUE(d->jobs->DeleteJobs(&c5, request, &response).ok());
  EXPECT_EQ(response.matched(), 3);
  request.set_validate_only(false);
  ASSERT_TRUE(d->jobs->DeleteJobs(&c6, request, &response).ok());
  EXPECT_EQ(response.changed(), 3);
  v1::ListJobsRequest list;
  list.set_filter("labels.bulk = yes");
  v1::ListJobsResponse left;
  grpc::ClientContext context;
  ASSERT_TRUE(d->jobs->ListJobs(&context, list, &left).ok());
  EXPECT_EQ(left.jobs_size(), 0);
}

TEST_F(JobServiceTest, PagesCoverEveryJobOnceInEitherOrder) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    v1::SubmitJobResponse ack;
    ASSERT_TRUE(
        TrySubmit([](v1::SubmitJobRequest& r) { (*r.mutable_spec()->mutable_labels())["page"] = "yes"; }, &ack).ok());
    ids.push_back(ack.id());
    d->Wait(ack.id());
  }
  for (const bool newest_first : {false, true}) {
    std::vector<std::string> seen;
    std::vector<int> sizes;
    v1::ListJobsRequest request;
    request.set_filter("labels.page = yes");
    request.set_page_size(2);
    request.set_newest_first(newest_first);
    do {
      v1::ListJobsResponse response;
      grpc::ClientContext context;
      ASSERT_TRUE(d->jobs->ListJobs(&context, request, &response).ok());
      for (const v1::Job& job : response.jobs()) seen.push_back(job.id());
      sizes.push_back(response.jobs_size());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    EXPECT_THAT(sizes, testing::ElementsAre(2, 2, 1));
    std::vector<std::string> expected = ids;
    if (newest_first) std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(seen, expected);
  }
}

TEST_F(JobServiceTest, APageOfHeavyJobsEndsBeforeTheMessageLimitAndSaysThatOthersFollow) {
  std::set<std::string> ids;
  // Some with a heavy result, and some whose payload alone is heavy.
  for (const char* kind : {"echo", "echo", "echo", "fail", "fail", "fail", "fail", "fail"}) {
    v1::SubmitJobResponse ack;
    ASSERT_TRUE(TrySubmit(
                    [kind](v1::SubmitJobRequest& r) {
                      r.mutable_spec()->set_kind(kind);
                      (*r.mutable_spec()->mutable_labels())["heavy"] = "yes";
                      r.mutable_spec()->set_payload(std::string(1'000'000, 'x'));
                    },
                    &ack)
                    .ok());
    ids.insert(ack.id());
    d->Wait(ack.id());
  }
  for (const v1::JobView view : {v1::JOB_VIEW_BASIC, v1::JOB_VIEW_RESULT, v1::JOB_VIEW_FULL}) {
    std::set<std::string> seen;
    v1::ListJobsRequest request;
    request.set_filter("labels.heavy = yes");
    request.set_view(view);
    do {
      v1::ListJobsResponse response;
      grpc::ClientContext context;
      ASSERT_TRUE(d->jobs->ListJobs(&context, request, &response).ok());
      for (const v1::Job& job : response.jobs()) seen.insert(job.id());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    EXPECT_EQ(seen, ids) << v1::JobView_Name(view);
  }
}

TEST_F(JobServiceTest, AWrongListNamesTheField) {
  v1::ListJobsRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(ListError(request), "INVALID_ARGUMENT BAD_PAGE_SIZE page_size");
  request.set_page_size(1);
  request.set_filter("colour = red");
  EXPECT_EQ(ListError(request), "INVALID_ARGUMENT BAD_FILTER filter");
  request.set_filter("");
  request.set_view(static_cast<v1::JobView>(9));
  EXPECT_EQ(ListError(request), "INVALID_ARGUMENT UNKNOWN_VIEW view");
  request.clear_view();
  request.set_page_token("nonsense");
  EXPECT_EQ(ListError(request), "INVALID_ARGUMENT PAGE_TOKEN_MALFORMED page_token");

  d->Submit("echo");
  d->Submit("echo");
  request.clear_page_token();
  v1::ListJobsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(d->jobs->ListJobs(&context, request, &response).ok());
  ASSERT_FALSE(response.next_page_token().empty());
  request.set_page_token(response.next_page_token());
  request.set_filter("kind = echo");
  EXPECT_EQ(ListError(request), "INVALID_ARGUMENT PAGE_TOKEN_MISMATCH page_token");
}

}  // namespace
}  // namespace millrace::rpc
