// The library against a server that answers as each test wants.
#include "client/client.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "client/submit_stream.h"
#include "google/rpc/error_details.pb.h"
#include "tests/client/fake_server.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using test::FakeServer;
using test::SubmitServerStream;

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "not now");

TEST(Connect, RefusesWhatIsNoAddress) {
  for (const char* address : {"", "host:", ":7070", "host:port", "::1", "::1:7070", "host:123456", "host:84536",
                              "host:0", "[::1", "[host]:7070", "unix:", "two words"}) {
    const Status status = Client::Connect(address).status();
    EXPECT_EQ(status.reason(), "BAD_ADDRESS") << address;
    EXPECT_EQ(status.message().find("unix:/"), std::string::npos) << "the daemon does not listen there";
  }
  for (const char* address : {"host:7070", "[::1]:7070", "host:65535", "unix:/tmp/socket"})
    EXPECT_TRUE(Client::Connect(address).ok()) << address;
}

TEST(Connect, TakesThePortOfTheDaemonWhereNoneIsSaid) {
  EXPECT_EQ((*Client::Connect("localhost"))->address(), "localhost:7070");
  EXPECT_EQ((*Client::Connect("127.0.0.1"))->address(), "127.0.0.1:7070");
  EXPECT_EQ((*Client::Connect("[::1]"))->address(), "[::1]:7070");
}

TEST(Submit, IsRepeatedWithOneRequestIdWhenTheServerIsUnavailable) {
  FakeServer server;
  std::vector<std::string> ids;
  server.submit = [&](const v1::SubmitJobRequest& request, v1::SubmitJobResponse* response) {
    ids.push_back(request.request_id());
    if (ids.size() < 3) return kUnavailable;
    response->set_id("job");
    return grpc::Status::OK;
  };
  const auto client = server.Connect();
  const auto answer = client->Submit({});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids[0].size(), 32u);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u);
}

TEST(BatchSubmit, IsRepeatedWithTheSameRequestIdsAlsoWithoutBlocking) {
  FakeServer server;
  std::vector<std::vector<std::string>> calls;
  server.batch = [&](const v1::BatchSubmitJobsRequest& request, v1::BatchSubmitJobsResponse*) {
    std::vector<std::string>& ids = calls.emplace_back();
    for (const v1::SubmitJobRequest& each : request.requests()) ids.push_back(each.request_id());
    return calls.size() % 2 == 1 ? kUnavailable : grpc::Status::OK;
  };
  v1::BatchSubmitJobsRequest request;
  request.add_requests()->set_request_id("mine");
  request.add_requests();
  request.add_requests();
  {
    const auto client = server.Connect();
    ASSERT_TRUE(client->BatchSubmit(request).ok());
    client->BatchSubmitAsync(request, [](const auto& answer) { EXPECT_TRUE(answer.ok()); });
  }
  ASSERT_EQ(calls.size(), 4u);
  for (const size_t first : {size_t{0}, size_t{2}}) {
    EXPECT_EQ(calls[first], calls[first + 1]);
    EXPECT_EQ(calls[first][0], "mine");
    EXPECT_EQ(calls[first][1].size(), 32u);
    EXPECT_NE(calls[first][1], calls[first][2]);
  }
}

TEST(Submit, KeepsTheRequestIdItIsGiven) {
  FakeServer server;
  server.submit = [&](const v1::SubmitJobRequest& request, v1::SubmitJobResponse* response) {
    response->set_id(request.request_id());
    return grpc::Status::OK;
  };
  v1::SubmitJobRequest request;
  request.set_request_id("mine");
  EXPECT_EQ(server.Connect()->Submit(request)->id(), "mine");
}

TEST(Submit, IsNotRepeatedForOtherErrorsOrWhenToldSo) {
  FakeServer server;
  std::atomic<int> calls{0};
  server.submit = [&](const v1::SubmitJobRequest&, v1::SubmitJobResponse*) {
    ++calls;
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  };
  EXPECT_EQ(server.Connect()->Submit({}).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(calls, 1);

  server.submit = [&](const v1::SubmitJobRequest& request, v1::SubmitJobResponse*) {
    EXPECT_EQ(request.request_id(), "");
    ++calls;
    return kUnavailable;
  };
  EXPECT_EQ(server.Connect({.max_attempts = 1})->Submit({}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(calls, 2);
}

TEST(Wait, PollsUntilTheJobHasEnded) {
  FakeServer server;
  int polls = 0;
  server.wait = [&](const v1::WaitJobRequest& request, v1::Job* job) {
    job->set_id(request.id());
    job->set_state(++polls < 3 ? v1::JOB_STATE_RUNNING : v1::JOB_STATE_FAILED);
    return grpc::Status::OK;
  };
  const auto job = server.Connect()->Wait("job");
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(polls, 3);
}

TEST(Wait, GivesUpWhenItsTimeIsOver) {
  FakeServer server;
  server.wait = [](const v1::WaitJobRequest&, v1::Job* job) {
    job->set_state(v1::JOB_STATE_QUEUED);
    return grpc::Status::OK;
  };
  const auto job = server.Connect()->Wait("job", 0ms);
  EXPECT_EQ(job.status().reason(), "DEADLINE");
  EXPECT_EQ(job.status().message(), "job job is still QUEUED after the time it was given");
}

TEST(Watch, ResumesWithTheLastTokenWhenTheConnectionBreaks) {
  FakeServer server;
  std::vector<std::string> tokens;
  server.watch = [&](grpc::ServerContext*, const v1::WatchJobsRequest& request,
                     grpc::ServerWriter<v1::JobEvent>* writer) {
    tokens.push_back(request.resume_token());
    v1::JobEvent event;
    event.set_resume_token("t" + std::to_string(tokens.size()));
    writer->Write(event);
    return tokens.size() < 2 ? kUnavailable : grpc::Status::OK;
  };
  int events = 0;
  const Status status = server.Connect()->Watch({}, [&](const v1::JobEvent&) { return ++events > 0; });
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(events, 2);
  EXPECT_EQ(tokens, (std::vector<std::string>{"", "t1"}));
}

TEST(Watch, ThatBreaksBeforeItsFirstEventIsResumedAtItsBeginning) {
  FakeServer server;
  std::vector<std::string> tokens;
  server.watch = [&](grpc::ServerContext* context, const v1::WatchJobsRequest& request,
                     grpc::ServerWriter<v1::JobEvent>* writer) {
    tokens.push_back(request.resume_token());
    context->AddInitialMetadata("millrace-resume-token", "beginning");
    writer->SendInitialMetadata();
    return tokens.size() < 2 ? kUnavailable : grpc::Status::OK;
  };
  int events = 0;
  EXPECT_TRUE(server.Connect()->Watch({}, [&](const v1::JobEvent&) { return ++events > 0; }).ok());
  EXPECT_EQ(tokens, (std::vector<std::string>{"", "beginning"}));
  EXPECT_EQ(events, 0) << "nothing was missed";
}

TEST(Watch, ThatBreaksBeforeItsFirstEventTellsOfAGapWhereTheServerNamesNoBeginning) {
  FakeServer server;
  int watches = 0;
  server.watch = [&](grpc::ServerContext*, const v1::WatchJobsRequest&, grpc::ServerWriter<v1::JobEvent>* writer) {
    writer->SendInitialMetadata();
    if (++watches < 2) return kUnavailable;
    v1::JobEvent event;
    event.set_state(v1::JOB_STATE_QUEUED);
    writer->Write(event);
    return grpc::Status::OK;
  };
  const auto client = server.Connect();
  std::vector<v1::JobEvent::EventCase> events;
  const auto note = [&](const v1::JobEvent& event) {
    events.push_back(event.event_case());
    return true;
  };
  EXPECT_TRUE(client->Watch({}, note).ok());
  EXPECT_EQ(events, (std::vector{v1::JobEvent::kGapEvents, v1::JobEvent::kState}));

  // A watch of one job begins again with its present state.
  events.clear();
  watches = 0;
  v1::WatchJobsRequest of_one;
  of_one.set_job_id("job");
  EXPECT_TRUE(client->Watch(of_one, note).ok());
  EXPECT_EQ(events, (std::vector{v1::JobEvent::kState}));
}

TEST(Watch, HasOneDeadlineForAllItsConnections) {
  FakeServer server;
  server.watch = [](grpc::ServerContext*, const v1::WatchJobsRequest&, grpc::ServerWriter<v1::JobEvent>* writer) {
    writer->Write({});
    return kUnavailable;
  };
  const auto client = server.Connect();
  EXPECT_EQ(client->Watch({}, [](const v1::JobEvent&) { return true; }, {.deadline = 100ms}).reason(), "DEADLINE");
}

TEST(Watch, GivesUpOnADaemonThatStaysAway) {
  FakeServer server;
  server.watch = [](grpc::ServerContext*, const v1::WatchJobsRequest&, grpc::ServerWriter<v1::JobEvent>*) {
    return kUnavailable;
  };
  const auto client = server.Connect({.patience = -1ms});
  EXPECT_EQ(client->Watch({}, [](const v1::JobEvent&) { return true; }).code(), StatusCode::kUnavailable);
}

TEST(Watch, EndsWhenItIsToldToStop) {
  FakeServer server;
  std::stop_source stop;
  server.watch = [&](grpc::ServerContext* context, const v1::WatchJobsRequest&,
                     grpc::ServerWriter<v1::JobEvent>* writer) {
    writer->Write({});
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::OK;
  };
  const auto on_event = [&](const v1::JobEvent&) {
    stop.request_stop();
    return true;
  };
  EXPECT_EQ(server.Connect()->Watch({}, on_event, {.stop = stop.get_token()}).reason(), "INTERRUPTED");
}

TEST(List, FollowsThePages) {
  FakeServer server;
  server.list = [](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    response->add_jobs()->set_id("after " + request.page_token());
    if (request.page_token() != "2") response->set_next_page_token(request.page_token() == "" ? "1" : "2");
    return grpc::Status::OK;
  };
  std::vector<std::string> ids;
  const auto client = server.Connect();
  EXPECT_TRUE(client->List({}, [&](const v1::Job& job) { return ids.push_back(job.id()), true; }).ok());
  EXPECT_EQ(ids, (std::vector<std::string>{"after ", "after 1", "after 2"}));
}

TEST(List, HasOneDeadlineForAllPages) {
  FakeServer server;
  server.list = [](const v1::ListJobsRequest&, v1::ListJobsResponse* response) {
    response->set_next_page_token("for ever");
    return grpc::Status::OK;
  };
  const auto client = server.Connect();
  EXPECT_EQ(client->List({}, [](const v1::Job&) { return true; }, {.deadline = 100ms}).reason(), "DEADLINE");
}

TEST(SubmitAsync, IsAnsweredBeforeTheClientEnds) {
  FakeServer server;
  std::atomic<int> answers{0};
  server.submit = [](const v1::SubmitJobRequest&, v1::SubmitJobResponse*) { return grpc::Status::OK; };
  {
    const auto client = server.Connect();
    for (int i = 0; i < 50; ++i) client->SubmitAsync({}, [&](const auto& answer) { answers += answer.ok() ? 1 : 0; });
  }
  EXPECT_EQ(answers, 50);
}

// Collects answers by sequence.
struct Answers {
  std::mutex mutex;
  std::map<int64_t, int> times;
  std::map<int64_t, Status> errors;
  SubmitStream::OnAnswer Handler() {
    return [this](int64_t sequence, const Result<v1::SubmitJobResponse>& answer) {
      std::lock_guard lock(mutex);
      ++times[sequence];
      if (!answer.ok()) errors[sequence] = answer.status();
    };
  }
};

TEST(SubmitStream, MatchesAnswersThatComeOutOfOrder) {
  FakeServer server;
  server.stream = [](SubmitServerStream* stream) {
    std::vector<v1::StreamSubmitRequest> requests(1);
    while (stream->Read(&requests.back())) requests.emplace_back();
    requests.pop_back();
    for (auto it = requests.rbegin(); it != requests.rend(); ++it) {
      v1::StreamSubmitResponse response;
      response.set_sequence(it->sequence());
      if (it->sequence() == 2) {
        response.mutable_error()->set_code(grpc::StatusCode::NOT_FOUND);
      } else {
        response.mutable_response();
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  };
  const auto client = server.Connect();
  Answers answers;
  SubmitStream stream(*client, answers.Handler(), {.window = 8});
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(*stream.Submit({}, Flush::kLater), i);
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(answers.times.size(), 5u);
  ASSERT_EQ(answers.errors.size(), 1u);
  EXPECT_EQ(answers.errors[2].code(), StatusCode::kNotFound);
}

TEST(SubmitStream, NeverHasMoreUnansweredThanItsWindow) {
  FakeServer server;
  constexpr int kWindow = 4, kItems = 200;
  std::atomic<int> unanswered{0}, most{0};
  server.stream = [](SubmitServerStream* stream) {
    v1::StreamSubmitRequest request;
    v1::StreamSubmitResponse response;
    response.mutable_response();
    while (stream->Read(&request)) {
      response.set_sequence(request.sequence());
      stream->Write(response);
    }
    return grpc::Status::OK;
  };
  const auto client = server.Connect();
  SubmitStream stream(*client, [&](int64_t, const auto&) { --unanswered; }, {.window = kWindow});
  for (int i = 0; i < kItems; ++i) {
    ASSERT_TRUE(stream.Submit({}, Flush::kLater).ok());
    most = std::max(most.load(), ++unanswered);
  }
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(unanswered, 0);
  EXPECT_LE(most, kWindow + 1) << "one more while its answer is being told";
}

TEST(SubmitStream, AnswersEverythingWhenItBreaks) {
  FakeServer server;
  server.stream = [](SubmitServerStream* stream) {
    v1::StreamSubmitRequest request;
    for (int i = 0; i < 3; ++i) stream->Read(&request);
    v1::StreamSubmitResponse response;
    response.set_sequence(1);
    response.mutable_response();
    stream->Write(response);
    return kUnavailable;
  };
  const auto client = server.Connect();
  Answers answers;
  SubmitStream stream(*client, answers.Handler(), {.window = 3});
  int64_t submitted = 0;
  Status refused;
  while (refused.ok()) {
    const auto sent = stream.Submit({});
    if (sent.ok()) {
      ++submitted;
    } else {
      refused = sent.status();
    }
  }
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_EQ(stream.Finish().code(), StatusCode::kUnavailable);
  EXPECT_EQ(static_cast<int64_t>(answers.times.size()), submitted);
  for (const auto& [sequence, times] : answers.times) EXPECT_EQ(times, 1) << sequence;
  EXPECT_FALSE(answers.errors.contains(1));
}

TEST(SubmitStream, IsBrokenByItsDestructorAndByAStop) {
  FakeServer server;
  server.stream = [](SubmitServerStream* stream) {
    v1::StreamSubmitRequest request;
    while (stream->Read(&request)) {
    }
    return grpc::Status::OK;
  };
  const auto client = server.Connect();
  Answers answers;
  {
    SubmitStream unfinished(*client, answers.Handler(), {.window = 2});
    EXPECT_TRUE(unfinished.Submit({}).ok());
  }
  EXPECT_EQ(answers.errors[0].reason(), "INTERRUPTED");

  std::stop_source stop;
  SubmitStream stream(*client, [](int64_t, const auto&) {}, {.window = 1, .stop = stop.get_token()});
  EXPECT_TRUE(stream.Submit({}).ok());
  std::thread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(stream.Submit({}).ok()) << "the window is full until the stop";
  stopper.join();
  EXPECT_EQ(stream.Finish().reason(), "INTERRUPTED");
}

}  // namespace
}  // namespace millrace::client
