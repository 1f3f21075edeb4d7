// Results that no message holds: how the library writes and reads them.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "tests/client/scripted_daemon.h"
#include "tests/client/team.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using millrace::test::Daemon;
using millrace::test::Eventually;
using test::ResultReader;
using test::Team;

constexpr size_t kThreeMiB = size_t{3} << 20;

std::string ManyBytes(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 37 + i / 999);
  return text;
}

// ---- With a whole daemon

TEST(WorkerResult, ALargeOneGoesFromTheHandlerToWhoeverWaitsForTheJob) {
  millrace::test::DaemonOptions options = test::WithRemotePool();
  options.dispatcher.result_bytes_max = size_t{8} << 20;
  Daemon d(options);
  Team team(d);
  const std::string large = ManyBytes(kThreeMiB);
  team.worker->Handle("render", [&](Attempt& attempt) {
    attempt.Log("rendered\n");
    EXPECT_TRUE(attempt.SaveCheckpoint("almost").ok());
    return Outcome::Success(large);
  });
  team.Start();
  const std::string id = d.Submit("render");
  const Result<v1::Job> job = team.client->Wait(id);
  ASSERT_TRUE(job.ok()) << job.status().ToString();
  EXPECT_EQ(job->state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_TRUE(job->result() == large);
  EXPECT_EQ(job->log_tail(), "rendered\n") << "what the handler said came before";
  EXPECT_TRUE(team.client->Get(id)->result() == large);
  EXPECT_TRUE(*team.client->ReadResult(id) == large);
  EXPECT_TRUE(LeavesOutResult(*team.client->Get(id, v1::JOB_VIEW_BASIC)));
  EXPECT_EQ(d.stats.Requests(rpc::Method::kReadResult, StatusCode::kOk), 3u);
  EXPECT_TRUE(team.End().ok());
}

TEST(WorkerResult, OneThatTheDaemonDoesNotTakeIsAFailureThatNamesTheSetting) {
  Daemon d(test::WithRemotePool());  // 1 MiB.
  Team team(d);
  team.worker->Handle("render", [](Attempt&) { return Outcome::Success(std::string(kThreeMiB, 'x')); });
  team.Start();
  const v1::Job job = d.Wait(d.Submit("render"));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.attempts(), 1);
  EXPECT_NE(job.error().find("1048576 are the limit (result_bytes_max of the daemon's configuration)"),
            std::string::npos)
      << job.error();
  EXPECT_EQ(team.client->ReadResult(job.id()).status().reason(), "NO_RESULT");
}

TEST(WorkerResult, ASmallOneIsReadWithoutACallOfItsOwn) {
  Daemon d;
  auto client = *Client::Connect(d.server->address());
  const std::string id = d.Submit("echo", "small");
  EXPECT_EQ(client->Wait(id)->result(), "small");
  EXPECT_EQ(*client->ReadResult(id), "small");
  EXPECT_EQ(*client->ReadResult(d.Wait(d.Submit("echo")).id()), "");
  EXPECT_EQ(d.stats.Requests(rpc::Method::kReadResult, StatusCode::kOk), 2u);
}

// ---- With one that answers as the test wants

class WorkerLargeResult : public test::WorkerAttempt {
 protected:
  // All of it, and how many messages it took.
  struct Written {
    v1::WriteResultRequest first;
    std::string data;
  };
  static Written ReadAll(ResultReader* reader) {
    Written written;
    reader->Read(&written.first);
    written.data = written.first.data();
    for (v1::WriteResultRequest piece; reader->Read(&piece);) written.data += piece.data();
    return written;
  }
  void StartRendering(WorkerOptions options = {.name = "w"}) {
    Start(std::move(options), [this](Worker& w) {
      w.Handle("render", [this](Attempt&) { return Outcome::Success(large_); });
      w.Handle("small", [](Attempt&) { return Outcome::Success("small"); });
    });
  }
  const std::string large_ = ManyBytes(kThreeMiB);
  std::atomic<int> calls_{0};
};

TEST_F(WorkerLargeResult, IsWrittenAgainUntilTheDaemonHasIt) {
  daemon.AddLease("render");
  std::mutex mutex;
  Written last;
  daemon.write_result = [&](ResultReader* reader) {
    v1::WriteResultRequest piece;
    switch (++calls_) {
      case 1:
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
      case 2:
        return test::WithReason(grpc::StatusCode::RESOURCE_EXHAUSTED, "SERVER_BUSY", "too many");
      case 3:
        reader->Read(&piece);
        reader->Read(&piece);
        return grpc::Status(grpc::StatusCode::CANCELLED, "cut in the middle");
      default: {
        Written written = ReadAll(reader);
        std::lock_guard guard(mutex);
        last = std::move(written);
        return grpc::Status::OK;
      }
    }
  };
  StartRendering();
  Eventually([&] {
    std::lock_guard guard(mutex);
    return !last.data.empty();
  });
  EXPECT_TRUE(last.data == large_);
  EXPECT_EQ(last.first.bytes(), static_cast<int64_t>(large_.size()));
  EXPECT_EQ(last.first.ref().job_id(), "job 1");
  End();  // The worker holds nothing any more, or this would wait for it.
  EXPECT_TRUE(daemon.Seen([&] { return daemon.ended.empty(); })) << "its end was told by the call alone";
}

TEST_F(WorkerLargeResult, OfAnAttemptThatBelongsToSomebodyElseIsDropped) {
  daemon.AddLease("render");
  daemon.AddLease("small");
  daemon.write_result = [](ResultReader*) {
    return test::WithReason(grpc::StatusCode::FAILED_PRECONDITION, "LEASE_LOST", "others run it");
  };
  StartRendering({.name = "w", .slots = 1});
  AwaitEnds(1);
  End();
  EXPECT_TRUE(daemon.Seen([&] { return daemon.ended.contains("job 2"); })) << "its slot is free for the next one";
}

TEST_F(WorkerLargeResult, ThatIsRefusedForGoodFailsItsAttempt) {
  daemon.AddLease("render");
  daemon.write_result = [](ResultReader*) {
    return test::WithReason(grpc::StatusCode::INVALID_ARGUMENT, "RESULT_TOO_LARGE", "the limit was lowered");
  };
  StartRendering();
  AwaitEnds(1);
  EXPECT_EQ(ErrorOfEnd("job 1"), "cannot write the result: the limit was lowered");
  EXPECT_TRUE(daemon.Seen([&] { return daemon.ended.at("job 1").failure().do_not_retry(); }));
}

TEST_F(WorkerLargeResult, ThatCannotBeWrittenBeforeTheEndOfTheWorkerIsGivenBack) {
  daemon.AddLease("render");
  daemon.write_result = [&](ResultReader*) {
    ++calls_;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
  };
  bool goodbye = false;
  daemon.hear = [&](const v1::WorkRequest& request, auto*) {
    goodbye |= request.goodbye();
    return true;
  };
  StartRendering({.name = "w", .drain_timeout = 1ms});
  Eventually([&] { return calls_ > 0; });
  End();
  EXPECT_TRUE(daemon.Seen([&] { return daemon.ended.empty(); }));
  EXPECT_TRUE(daemon.Seen([&] { return goodbye; }));
}

TEST_F(WorkerLargeResult, ThatAnOlderDaemonDoesNotKnowIsAFailure) {
  daemon.AddLease("render");
  daemon.result_bytes_max = 0;
  StartRendering();
  AwaitEnds(1);
  EXPECT_NE(ErrorOfEnd("job 1").find("1048576 are the limit"), std::string::npos) << ErrorOfEnd("job 1");
}

}  // namespace
}  // namespace millrace::client
