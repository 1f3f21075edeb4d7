// JobFollower and Client::Wait against a server that comes and goes.
#include "client/cli/follow.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "millrace/v1/job_service.grpc.pb.h"

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

class Server final : public v1::JobService::Service {
 public:
  Server() { Start("127.0.0.1:0"); }
  ~Server() override { Stop(); }

  void Start(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void Stop() {
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  // Away for a moment, from another thread, as soon as it was asked once.
  void GoAwayAndReturn() {
    while (asked == 0) std::this_thread::sleep_for(1ms);
    Stop();
    ended = true;
    Start(address());
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  std::atomic<int> asked{0};
  std::atomic<bool> ended{false};

 private:
  grpc::Status WaitJob(grpc::ServerContext* context, const v1::WaitJobRequest* request, v1::Job* job) override {
    ++asked;
    job->set_id(request->id());
    job->set_state(ended ? v1::JOB_STATE_SUCCEEDED : v1::JOB_STATE_RUNNING);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(request->timeout().seconds());
    while (!ended && std::chrono::steady_clock::now() < end && !context->IsCancelled()) {
      std::this_thread::sleep_for(1ms);
    }
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(JobFollower, OutlivesAnAbsenceOfTheDaemon) {
  Server server;
  const auto client = std::move(*client::Client::Connect(server.address()));
  std::mutex mutex;
  std::map<size_t, std::string> ends;
  JobFollower follower(
      *client,
      [&](size_t index, const Result<v1::Job>& job) {
        std::lock_guard lock(mutex);
        EXPECT_TRUE(ends.emplace(index, job.ok() ? job->id() : job.status().ToString()).second) << "once for each";
      },
      v1::JOB_VIEW_BASIC, {}, 2);
  for (size_t i = 0; i < 5; ++i) follower.Add(i, std::to_string(i));
  std::thread restart([&] { server.GoAwayAndReturn(); });
  EXPECT_TRUE(follower.WaitAll(60s));
  restart.join();
  EXPECT_EQ(ends, (std::map<size_t, std::string>{{0, "0"}, {1, "1"}, {2, "2"}, {3, "3"}, {4, "4"}}));
}

TEST(JobFollower, DoesNotWaitForADaemonThatNeverWasThere) {
  const auto client = std::move(*client::Client::Connect("127.0.0.1:1", {.max_attempts = 1}));
  std::atomic<int> refused{0};
  JobFollower follower(
      *client, [&](size_t, const Result<v1::Job>& job) { refused += job.status().code() == StatusCode::kUnavailable; },
      v1::JOB_VIEW_BASIC, {});
  follower.Add(0, "x");
  EXPECT_TRUE(follower.WaitAll(60s));
  EXPECT_EQ(refused, 1);
}

TEST(JobFollower, CanBeStoppedWhileTheDaemonIsAway) {
  Server server;
  const auto client = std::move(*client::Client::Connect(server.address()));
  std::stop_source stop;
  std::atomic<int> reports{0};
  JobFollower follower(
      *client, [&](size_t, const Result<v1::Job>&) { ++reports; }, v1::JOB_VIEW_BASIC, stop.get_token());
  for (size_t i = 0; i < 3; ++i) follower.Add(i, "x");
  while (server.asked == 0) std::this_thread::sleep_for(1ms);
  server.Stop();
  stop.request_stop();
  EXPECT_TRUE(follower.WaitAll(60s));
  EXPECT_EQ(reports, 3);
}

TEST(Wait, OutlivesAnAbsenceOfTheDaemonThatBeginsInItsFirstPoll) {
  Server server;
  const auto client = std::move(*client::Client::Connect(server.address()));
  std::thread restart([&] { server.GoAwayAndReturn(); });
  const Result<v1::Job> job = client->Wait("x", 60s);
  restart.join();
  EXPECT_TRUE(job.ok()) << job.status().ToString();
}

}  // namespace
}  // namespace millrace::cli
