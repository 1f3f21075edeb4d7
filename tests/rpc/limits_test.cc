// What a client can make the server hold, and for how long.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/id.h"
#include "job/job.h"
#include "rpc/unary_call.h"
#include "tests/rpc/daemon.h"
#include "tests/rpc/raw_call.h"

namespace millrace::test {
namespace {

using rpc::Method;

v1::SubmitJobRequest EchoOf(const std::string& payload) {
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("echo");
  request.mutable_spec()->set_payload(payload);
  return request;
}

v1::StreamSubmitRequest Item(int64_t sequence, const std::string& payload = "") {
  v1::StreamSubmitRequest item;
  item.set_sequence(sequence);
  *item.mutable_request() = EchoOf(payload);
  return item;
}

TEST(Limits, ACompressedRequestIsRefusedInsteadOfInflated) {
  Daemon d;
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    v1::SubmitJobResponse response;
    EXPECT_EQ(d.jobs->SubmitJob(&context, EchoOf(std::string(1 << 20, '\0')), &response).error_code(),
              grpc::StatusCode::UNIMPLEMENTED);
  }
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(Limits, ACallWithTooMuchMetadataIsRefusedAndTheOthersOfItsConnectionGoOn) {
  Daemon d;
  grpc::ClientContext watching;
  auto watch = d.jobs->WatchJobs(&watching, {});
  watch->WaitForInitialMetadata();
  const auto add = [](grpc::ClientContext& context, size_t bytes) {
    for (size_t i = 0; i < bytes / 1024; ++i) context.AddMetadata("x-" + std::to_string(i), std::string(1024, 'x'));
  };
  const auto submit = [&](size_t bytes) {
    grpc::ClientContext context;
    add(context, bytes);
    v1::SubmitJobResponse response;
    return Brief(d.jobs->SubmitJob(&context, EchoOf(""), &response));
  };
  EXPECT_EQ(submit(12 << 10), "OK") << "more than gRPC's own limit of 8 KiB";
  EXPECT_EQ(submit(24 << 10), "RESOURCE_EXHAUSTED METADATA_TOO_LARGE");
  EXPECT_EQ(submit(100 << 10), "RESOURCE_EXHAUSTED METADATA_TOO_LARGE");
  {
    grpc::ClientContext context;
    add(context, 24 << 10);
    auto stream = d.jobs->StreamSubmit(&context);
    v1::StreamSubmitResponse answer;
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_EQ(Brief(stream->Finish()), "RESOURCE_EXHAUSTED METADATA_TOO_LARGE");
  }
  {
    grpc::ClientContext context;
    add(context, 24 << 10);
    auto stream = d.jobs->WatchJobs(&context, {});
    v1::JobEvent event;
    EXPECT_FALSE(stream->Read(&event));
    EXPECT_EQ(Brief(stream->Finish()), "RESOURCE_EXHAUSTED METADATA_TOO_LARGE");
  }
  const std::string id = d.Submit("echo");
  v1::JobEvent event;
  do {
    ASSERT_TRUE(watch->Read(&event));
  } while (event.job_id() != id);
}

TEST(Limits, AMalformedItemEndsItsStreamWithAnErrorOnceThoseBeforeItAreAnswered) {
  Daemon d;
  RawStream stream(d.channel, "/millrace.v1.JobService/StreamSubmit");
  for (int64_t i = 0; i < 3; ++i) ASSERT_TRUE(stream.Write(Item(i).SerializeAsString()));
  ASSERT_TRUE(stream.Write("\x12\xff\xff"));
  stream.Write(Item(4).SerializeAsString());
  int answers = 0;
  for (std::string answer; stream.Read(&answer); ++answers) {
  }
  EXPECT_EQ(answers, 3);
  const ErrorSeen seen = Decode(stream.Finish());
  EXPECT_EQ(Brief(seen), "INVALID_ARGUMENT MALFORMED_REQUEST");
  EXPECT_EQ(seen.metadata.at("item"), "3");
  EXPECT_EQ(d.stats.Requests(Method::kSubmitJob, StatusCode::kOk), 0u);
}

// A daemon with a finished job whose result takes half a megabyte.
class UnreadTest : public testing::Test {
 protected:
  static constexpr size_t kBudget = size_t{8} << 20;

  explicit UnreadTest(std::chrono::milliseconds patience = std::chrono::hours(1))
      : d({.server = {.call_bytes_max = kBudget, .answer_time_max = patience}}) {
    const std::string id = d.Submit("echo", std::string(512 << 10, 'x'));
    d.Wait(id);
    v1::GetJobRequest get;
    get.set_id(id);
    request = get.SerializeAsString();
    Eventually([&] { return d.server->Stats().call_bytes == 0; });
  }

  // Asks for the job and takes no byte of it beyond what its gRPC reads ahead.
  void AskAndDoNotRead() {
    calls.emplace_back(narrow, "/millrace.v1.JobService/GetJob");
    calls.back().Write(request);
    calls.back().WritesDone();
  }
  uint64_t Ended() {
    return d.stats.Requests(Method::kGetJob, StatusCode::kOk) +
           d.stats.Requests(Method::kGetJob, StatusCode::kResourceExhausted);
  }

  Daemon d;
  std::shared_ptr<grpc::Channel> narrow = NarrowChannel(d);
  std::string request;
  std::deque<RawStream> calls;
};

TEST_F(UnreadTest, AnswersThatNobodyReadsStayWithinTheBudgetAndAreGivenBack) {
  constexpr int kCalls = 40;  // Half a megabyte each for result and payload: five times the budget.
  for (int i = 0; i < kCalls; ++i) AskAndDoNotRead();
  Eventually([&] { return Ended() == kCalls; });
  EXPECT_LE(d.server->Stats().call_bytes, static_cast<int64_t>(kBudget));
  EXPECT_GT(d.stats.Requests(Method::kGetJob, StatusCode::kOk), 3u);
  EXPECT_GT(d.stats.Requests(Method::kGetJob, StatusCode::kResourceExhausted), 20u);

  // One that was refused says so, and when to come again.
  bool told = false;
  for (RawStream& call : calls) {
    std::string answer;
    if (call.Read(&answer)) continue;
    const ErrorSeen seen = Decode(call.Finish());
    EXPECT_EQ(Brief(seen), "RESOURCE_EXHAUSTED SERVER_BUSY");
    EXPECT_TRUE(seen.retry);
    told = true;
    break;
  }
  EXPECT_TRUE(told);
  calls.clear();
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(UnreadTest, AnItemOfAStreamForWhichThereIsNoRoomIsRefusedAloneAndTheStreamGoesOn) {
  while (d.stats.Requests(Method::kGetJob, StatusCode::kResourceExhausted) == 0) {
    const uint64_t before = Ended();
    AskAndDoNotRead();
    Eventually([&] { return Ended() > before; });
  }
  grpc::ClientContext context;
  auto stream = d.jobs->StreamSubmit(&context);
  ASSERT_TRUE(stream->Write(Item(1, std::string(900 << 10, 'x'))));
  v1::StreamSubmitResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(Brief(Decode(answer.error())), "RESOURCE_EXHAUSTED SERVER_BUSY");
  calls.clear();
  do {
    ASSERT_TRUE(stream->Write(Item(2, std::string(900 << 10, 'x'))));
    ASSERT_TRUE(stream->Read(&answer));
  } while (answer.has_error());
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(Brief(stream->Finish()), "OK");
}

TEST_F(UnreadTest, WhoeverWaitsForOneJobAndReadsNoAnswerStaysWithinTheBudget) {
  constexpr int kCalls = 40;  // Of half a megabyte each for the result: more than twice the budget.
  const std::string id = d.Submit("hold", std::string(512 << 10, 'x'));
  v1::WaitJobRequest wait;
  wait.set_id(id);
  for (int i = 0; i < kCalls; ++i) {
    calls.emplace_back(narrow, "/millrace.v1.JobService/WaitJob");
    calls.back().Write(wait.SerializeAsString());
    calls.back().WritesDone();
  }
  const auto waits_cost = static_cast<int64_t>(kCalls * rpc::kCallBytes);
  Eventually([&] { return d.server->Stats().call_bytes >= waits_cost; });
  d.Release();
  const auto ended = [&] {
    return d.stats.Requests(Method::kWaitJob, StatusCode::kOk) +
           d.stats.Requests(Method::kWaitJob, StatusCode::kResourceExhausted);
  };
  const uint64_t before = 1;  // The fixture's own.
  Eventually([&] { return ended() == before + kCalls; });
  EXPECT_LE(d.server->Stats().call_bytes, static_cast<int64_t>(kBudget));
  calls.clear();
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
}

TEST(Limits, AVerbForWhoseAnswerThereIsNoRoomIsRefusedBeforeItIsDone) {
  constexpr size_t kBudget = size_t{1} << 20;
  Daemon d({.server = {.call_bytes_max = kBudget, .answer_time_max = std::chrono::hours(1)}});
  v1::SubmitJobRequest submit;
  submit.mutable_spec()->set_kind("stubborn");
  submit.mutable_spec()->set_payload(std::string(kLogTailBytes, 'x'));
  // So that no answer fits into what a client reads ahead.
  for (int i = 0; i < 30; ++i) {
    (*submit.mutable_spec()->mutable_labels())["label" + std::to_string(i)] = std::string(200, 'l');
  }
  v1::SubmitJobResponse ack;
  {
    grpc::ClientContext context;
    Daemon::Must(d.jobs->SubmitJob(&context, submit, &ack));
  }
  const std::string other = d.Submit("hold");
  const auto look = [&](const std::string& id) { return *d.dispatcher->Get(*Id::Parse(id), true); };
  Eventually([&] { return look(ack.id()).log_tail.size() == kLogTailBytes && d.Pool().workers_busy == 2; });

  v1::CancelJobRequest cancel;
  cancel.set_id(ack.id());
  const auto narrow = NarrowChannel(d);
  std::deque<RawStream> calls;
  const auto ended = [&](StatusCode code) { return d.stats.Requests(Method::kCancelJob, code); };
  while (ended(StatusCode::kResourceExhausted) == 0) {
    ASSERT_LT(calls.size(), 100u) << "answers that nobody reads went past the budget";
    calls.emplace_back(narrow, "/millrace.v1.JobService/CancelJob");
    calls.back().Write(cancel.SerializeAsString());
    calls.back().WritesDone();
    Eventually([&] { return ended(StatusCode::kOk) + ended(StatusCode::kResourceExhausted) == calls.size(); });
  }
  EXPECT_GT(ended(StatusCode::kOk), 5u);
  EXPECT_LE(d.server->Stats().call_bytes, static_cast<int64_t>(kBudget));

  v1::Job job;
  cancel.set_id(other);
  {
    grpc::ClientContext context;
    EXPECT_EQ(Brief(d.jobs->CancelJob(&context, cancel, &job)), "RESOURCE_EXHAUSTED SERVER_BUSY");
    EXPECT_FALSE(look(other).cancel_requested) << "nothing was done";
  }
  calls.clear();
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
  {
    grpc::ClientContext context;
    EXPECT_EQ(Brief(d.jobs->CancelJob(&context, cancel, &job)), "OK");
  }
  d.Wait(other);
  d.Release();
  d.Wait(ack.id());
}

TEST(Limits, ABatchForWhoseAnswerThereIsNoRoomIsRefusedBeforeItIsAccepted) {
  Daemon d({.pools = {{.name = "default", .workers = 2, .capacity_jobs = 2000}},
            .server = {.call_bytes_max = size_t{64} << 10}});
  const auto submit = [&](int jobs) {
    v1::BatchSubmitJobsRequest request;
    for (int i = 0; i < jobs; ++i) request.add_requests()->mutable_spec()->set_kind("echo");
    v1::BatchSubmitJobsResponse response;
    grpc::ClientContext context;
    return Brief(d.jobs->BatchSubmitJobs(&context, request, &response));
  };
  EXPECT_EQ(submit(1000), "RESOURCE_EXHAUSTED SERVER_BUSY") << "its acknowledgements take more than the jobs";
  EXPECT_TRUE(d.dispatcher->List({})->jobs.empty());
  EXPECT_EQ(submit(100), "OK");
}

// A watch that is not read unless the test does so.
struct OpenWatch {
  OpenWatch(Daemon& d, const v1::WatchJobsRequest& request) : reader(d.jobs->WatchJobs(&context, request)) {
    reader->WaitForInitialMetadata();
  }
  ~OpenWatch() {
    context.TryCancel();
    v1::JobEvent event;
    while (!finished && reader->Read(&event)) {
    }
    if (!finished) (void)reader->Finish();
  }
  std::string Refusal() {
    finished = true;
    return Brief(reader->Finish());
  }
  // Where it begins; empty when it was refused.
  std::string Token() const {
    const auto& metadata = context.GetServerInitialMetadata();
    const auto token = metadata.find("millrace-resume-token");
    return token == metadata.end() ? "" : std::string(token->second.data(), token->second.size());
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::JobEvent>> reader;
  bool finished = false;
};

TEST(Limits, CallsThatLastLeaveRoomForOthers) {
  constexpr size_t kBudget = size_t{1} << 20;
  Daemon d({.server = {.call_bytes_max = kBudget}});
  std::deque<OpenWatch> watches;
  do {
    watches.emplace_back(d, v1::WatchJobsRequest());
  } while (!watches.back().Token().empty() && watches.size() < 200);
  EXPECT_EQ(watches.back().Refusal(), "RESOURCE_EXHAUSTED SERVER_BUSY");
  watches.pop_back();
  EXPECT_GT(watches.size(), 40u) << "an idle one holds little";
  EXPECT_LE(d.server->Stats().call_bytes, static_cast<int64_t>(rpc::LastingBytes(kBudget)));
  {
    grpc::ClientContext context;
    auto stream = d.jobs->StreamSubmit(&context);
    v1::StreamSubmitResponse answer;
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_EQ(Brief(stream->Finish()), "RESOURCE_EXHAUSTED SERVER_BUSY");
  }
  const std::string id = d.Submit("hold");
  EXPECT_EQ(d.Get(id).id(), id);
  v1::CancelJobRequest cancel;
  cancel.set_id(id);
  v1::Job job;
  grpc::ClientContext context;
  EXPECT_EQ(Brief(d.jobs->CancelJob(&context, cancel, &job)), "OK");
}

// A daemon with many events that have long errors, and the token of the place before them.
class UnreadWatchTest : public testing::Test {
 protected:
  static constexpr size_t kBudget = size_t{2} << 20;
  static constexpr int kJobs = 60, kEvents = 3 * kJobs;

  UnreadWatchTest() {
    request.set_resume_token(OpenWatch(d, {}).Token());
    for (int i = 0; i < kJobs; ++i) d.Wait(d.Submit("complain", std::string(4 << 10, 'e')));
    Eventually([&] { return Held() == 0; });
  }
  int64_t Held() { return d.server->Stats().call_bytes; }
  // Takes no event beyond what its gRPC reads ahead.
  void WatchAndDoNotRead() {
    watches.emplace_back(narrow, "/millrace.v1.JobService/WatchJobs");
    watches.back().Write(request.SerializeAsString());
    watches.back().WritesDone();
  }
  static void ReadAll(RawStream& watch) {
    int events = 0;
    v1::JobEvent event;
    for (std::string bytes; events < kEvents; ++events) {
      ASSERT_TRUE(watch.Read(&bytes));
      ASSERT_TRUE(event.ParseFromString(bytes));
      ASSERT_EQ(event.event_case(), v1::JobEvent::kState) << "nothing was missed";
    }
  }

  Daemon d{{.server = {.call_bytes_max = kBudget}}};
  std::shared_ptr<grpc::Channel> narrow = NarrowChannel(d);
  v1::WatchJobsRequest request;
  std::deque<RawStream> watches;
};

TEST_F(UnreadWatchTest, AWatchCountsForTheEventsThatItHoldsAndForLittleWithoutThem) {
  constexpr int64_t kIdle = 16 << 10;
  WatchAndDoNotRead();
  Eventually([&] { return Held() > 4 * kIdle; });
  ReadAll(watches.back());
  Eventually([&] { return Held() < kIdle; });
}

TEST(Limits, AWatchForWhoseEventThereIsNoRoomWaitsAndLosesNothing) {
  constexpr size_t kBudget = size_t{1} << 20;
  constexpr auto kMost = static_cast<int64_t>(rpc::LastingBytes(kBudget));
  Daemon d({.server = {.call_bytes_max = kBudget}});
  const std::string held = d.Submit("hold");
  OpenWatch watch(d, {});
  Eventually([&] { return d.Pool().workers_busy == 1; });

  // Watches of another job take all the room there is.
  std::deque<OpenWatch> others;
  v1::WatchJobsRequest request;
  request.set_job_id(held);
  v1::JobEvent event;
  do {
    others.emplace_back(d, request);
  } while (others.back().reader->Read(&event));
  EXPECT_EQ(others.back().Refusal(), "RESOURCE_EXHAUSTED SERVER_BUSY");
  others.pop_back();

  const std::string id = d.Submit("complain", std::string(4 << 10, 'e'));
  Eventually([&] { return d.dispatcher->Get(*Id::Parse(id), false)->state == JobState::kFailed; });
  // But for the calls of this test that may not have ended yet.
  Eventually([&] { return d.server->Stats().call_bytes <= kMost; });
  others.clear();
  std::vector<v1::JobState> states;
  while (states.empty() || states.back() != v1::JOB_STATE_FAILED) {
    ASSERT_TRUE(watch.reader->Read(&event));
    ASSERT_EQ(event.event_case(), v1::JobEvent::kState);
    if (event.job_id() == id) states.push_back(event.state());
  }
  EXPECT_EQ(states, (std::vector{v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING, v1::JOB_STATE_FAILED}));
  d.Release();
}

class ImpatientTest : public UnreadTest {
 protected:
  ImpatientTest() : UnreadTest(std::chrono::milliseconds(300)) {}
};

TEST_F(ImpatientTest, AClientThatTakesNoAnswerIsCut) {
  AskAndDoNotRead();
  Eventually([&] { return Ended() == 1; });
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
  std::string answer;
  EXPECT_FALSE(calls.back().Read(&answer));
  EXPECT_FALSE(calls.back().Finish().ok());
}

TEST_F(ImpatientTest, AClientOfAStreamThatTakesNoAnswerIsCut) {
  grpc::ClientContext context;
  auto jobs = v1::JobService::NewStub(narrow);
  auto stream = jobs->StreamSubmit(&context);
  // Answers of refused items quote what was wrong: enough of them fill whatever the client's gRPC reads ahead.
  v1::StreamSubmitRequest item = Item(1);
  item.mutable_request()->mutable_spec()->set_kind(std::string(200, 'k'));
  int written = 0;
  while (written < 100'000 && stream->Write(item)) ++written;
  EXPECT_LT(written, 100'000) << "it went on and on";
  // The end of a call comes after the answers that were taken before it.
  v1::StreamSubmitResponse answer;
  while (stream->Read(&answer)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
}

}  // namespace
}  // namespace millrace::test
