#include "rpc/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::DaemonOptions;
using test::Eventually;

// A watch that is established when the constructor returns.
struct Watching {
  Watching(Daemon& d, const v1::WatchJobsRequest& request) : reader(d.jobs->WatchJobs(&context, request)) {
    reader->WaitForInitialMetadata();
  }
  ~Watching() {
    context.TryCancel();
    v1::JobEvent event;
    while (reader->Read(&event)) {
    }
    if (!finished) (void)reader->Finish();
  }
  v1::JobEvent Next() {
    v1::JobEvent event;
    EXPECT_TRUE(reader->Read(&event));
    return event;
  }
  // "RUNNING SUCCEEDED": the states up to the end of the stream.
  std::string Rest() {
    std::string states;
    v1::JobEvent event;
    while (reader->Read(&event)) {
      if (event.event_case() == v1::JobEvent::kState)
        states += (states.empty() ? "" : " ") + v1::JobState_Name(event.state()).substr(sizeof("JOB_STATE_") - 1);
    }
    return states;
  }
  grpc::Status Finish() {
    finished = true;
    return reader->Finish();
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::JobEvent>> reader;
  bool finished = false;
};

grpc::Status Refusal(Daemon& d, const v1::WatchJobsRequest& request) {
  Watching watch(d, request);
  v1::JobEvent event;
  EXPECT_FALSE(watch.reader->Read(&event));
  return watch.Finish();
}

TEST(WatchJobs, TellsEveryStateFromNowOnInOrder) {
  Daemon d;
  d.Wait(d.Submit("echo"));
  Watching watch(d, {});
  const std::string id = d.Submit("echo");
  for (const v1::JobState state : {v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED}) {
    const v1::JobEvent event = watch.Next();
    EXPECT_EQ(event.job_id(), id);
    EXPECT_EQ(event.state(), state);
    EXPECT_EQ(event.pool(), "default");
    EXPECT_EQ(event.kind(), "echo");
    EXPECT_GT(event.event_time().seconds(), 0);
  }
}

TEST(WatchJobs, FiltersAndGoesOnFromAResumeToken) {
  Daemon d;
  v1::WatchJobsRequest request;
  request.set_filter("kind = echo AND state != RUNNING");
  std::string token, id;
  {
    Watching watch(d, request);
    d.Wait(d.Submit("fail"));
    id = d.Submit("echo");
    const v1::JobEvent event = watch.Next();
    EXPECT_EQ(event.job_id(), id);
    EXPECT_EQ(event.state(), v1::JOB_STATE_QUEUED);
    token = event.resume_token();
  }
  d.Wait(id);
  request.set_resume_token(token);
  Watching watch(d, request);
  const v1::JobEvent event = watch.Next();
  EXPECT_EQ(event.job_id(), id);
  EXPECT_EQ(event.state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(WatchJobs, ThatSawNoEventIsResumedWithTheTokenOfItsBeginning) {
  Daemon d;
  d.Wait(d.Submit("echo"));
  v1::WatchJobsRequest request;
  {
    Watching watch(d, request);
    const auto& metadata = watch.context.GetServerInitialMetadata();
    const auto token = metadata.find(kResumeTokenMetadata);
    ASSERT_NE(token, metadata.end());
    request.set_resume_token(std::string(token->second.data(), token->second.size()));
  }
  const std::string id = d.Submit("echo");
  d.Wait(id);
  Watching watch(d, request);
  const v1::JobEvent event = watch.Next();
  EXPECT_EQ(event.job_id(), id);
  EXPECT_EQ(event.state(), v1::JOB_STATE_QUEUED);
}

TEST(WatchJobs, OfOneJobBeginsWithItsPresentStateAndEndsWithIt) {
  Daemon d;
  const std::string id = d.Submit("talk", "a line\n");
  Eventually([&] { return d.Get(id).log_bytes() == 7; });
  v1::WatchJobsRequest request;
  request.set_job_id(id);
  request.set_include_log(true);
  Watching watch(d, request);
  EXPECT_EQ(watch.Next().state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(watch.Next().progress().message(), "half way");
  EXPECT_EQ(watch.Next().log_chunk(), "a line\n");
  d.Submit("echo");
  d.Release();
  EXPECT_EQ(watch.Rest(), "SUCCEEDED");
  EXPECT_TRUE(watch.Finish().ok());

  Watching late(d, request);
  EXPECT_EQ(late.Rest(), "SUCCEEDED");
  EXPECT_TRUE(late.Finish().ok());
}

TEST(WatchJobs, OfOneJobEndsEvenIfItsEndWasMissed) {
  DaemonOptions options;
  options.dispatcher.events_kept = 4;
  Daemon d(std::move(options));
  const std::string id = d.Submit("hold");
  v1::WatchJobsRequest request;
  request.set_job_id(id);
  {
    Watching watch(d, request);
    request.set_resume_token(watch.Next().resume_token());
  }
  d.Release();
  d.Wait(id);
  for (int i = 0; i < 5; ++i) d.Wait(d.Submit("echo"));
  Watching watch(d, request);
  EXPECT_EQ(watch.Next().event_case(), v1::JobEvent::kGapEvents);
  EXPECT_EQ(watch.Rest(), "SUCCEEDED");
  EXPECT_TRUE(watch.Finish().ok());
}

TEST(WatchJobs, AnOldTokenIsAGapAndThenTheOldestEventKept) {
  DaemonOptions options;
  options.dispatcher.events_kept = 6;
  Daemon d(std::move(options));
  v1::WatchJobsRequest request;
  {
    Watching watch(d, {});
    d.Wait(d.Submit("echo"));
    request.set_resume_token(watch.Next().resume_token());
  }
  for (int i = 0; i < 4; ++i) d.Wait(d.Submit("echo"));
  Watching watch(d, request);
  const v1::JobEvent gap = watch.Next();
  ASSERT_EQ(gap.event_case(), v1::JobEvent::kGapEvents);
  EXPECT_EQ(gap.gap_events(), 15 - 1 - 6);
  EXPECT_TRUE(gap.job_id().empty());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(watch.Next().state(), v1::JOB_STATE_QUEUED);
    EXPECT_EQ(watch.Next().state(), v1::JOB_STATE_RUNNING);
    EXPECT_EQ(watch.Next().state(), v1::JOB_STATE_SUCCEEDED);
  }
}

TEST(WatchJobs, ASlowReaderMissesEventsButIsToldHowMany) {
  DaemonOptions options;
  options.dispatcher.events_kept = 100;
  options.pools = {{.name = "default", .workers = 2, .capacity_jobs = 1000}};
  Daemon d(std::move(options));
  Watching watch(d, {});
  constexpr int kBatches = 10, kJobs = 1000;
  v1::BatchSubmitJobsRequest request;
  request.set_on_full(v1::ON_FULL_WAIT);
  for (int i = 0; i < kJobs; ++i) request.add_requests()->mutable_spec()->set_kind("echo");
  for (int batch = 0; batch < kBatches; ++batch) {
    grpc::ClientContext context;
    v1::BatchSubmitJobsResponse response;
    ASSERT_TRUE(d.jobs->BatchSubmitJobs(&context, request, &response).ok());
  }
  Eventually([&] { return d.Pool().queued_jobs == 0 && d.Pool().workers_busy == 0; });
  int64_t told = 0, missed = 0;
  while (told + missed < 3 * kBatches * kJobs) {
    const v1::JobEvent event = watch.Next();
    event.event_case() == v1::JobEvent::kGapEvents ? missed += event.gap_events() : ++told;
  }
  EXPECT_EQ(told + missed, 3 * kBatches * kJobs);
  EXPECT_GT(missed, 0);
}

TEST(WatchJobs, RefusesWhatItCannotDo) {
  Daemon d;
  v1::WatchJobsRequest request;
  request.set_filter("create_time > \"2026-01-01T00:00:00Z\"");
  EXPECT_EQ(Brief(Refusal(d, request)), "INVALID_ARGUMENT BAD_FILTER filter");
  request.set_filter("kind = ");
  EXPECT_EQ(Brief(Refusal(d, request)), "INVALID_ARGUMENT BAD_FILTER filter");
  request.clear_filter();
  request.set_resume_token("yesterday");
  EXPECT_EQ(Brief(Refusal(d, request)), "INVALID_ARGUMENT RESUME_TOKEN_MALFORMED resume_token");
  request.clear_resume_token();
  request.set_include_log(true);
  EXPECT_EQ(Brief(Refusal(d, request)), "INVALID_ARGUMENT LOG_WITHOUT_JOB include_log");
  request.set_job_id("x");
  EXPECT_EQ(Brief(Refusal(d, request)), "INVALID_ARGUMENT JOB_ID_MALFORMED job_id");
  request.set_job_id("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(test::Decode(Refusal(d, request)).reason, "JOB_NOT_FOUND");
  request.set_filter("kind = echo");
  EXPECT_EQ(Brief(Refusal(d, request)), "INVALID_ARGUMENT FILTER_WITH_JOB filter");
}

TEST(WatchJobs, WatchersThatVanishStopBeingListenedFor) {
  Daemon d;
  for (int i = 0; i < 20; ++i) {
    Watching watch(d, {});
    d.Wait(d.Submit("echo"));
  }
  Eventually([&] { return !d.dispatcher->events().watched(); });
  Eventually([&] { return d.stats.Requests(Method::kWatchJobs, StatusCode::kCancelled) == 20; });
}

}  // namespace
}  // namespace millrace::rpc
