#include "rpc/submit_call.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Daemon;
using test::Decode;
using test::Eventually;

// A paused pool of four, filled.
class FullPoolTest : public ::testing::Test {
 protected:
  FullPoolTest() {
    d.Pause();
    for (int i = 0; i < 4; ++i) d.Submit("echo");
    request.mutable_spec()->set_kind("echo");
  }
  Daemon d;
  v1::SubmitJobRequest request;
  v1::SubmitJobResponse response;
};

TEST_F(FullPoolTest, RefusesWithDepthCapacityAndWhenToComeBack) {
  grpc::ClientContext context;
  const auto seen = Decode(d.jobs->SubmitJob(&context, request, &response));
  EXPECT_EQ(seen.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(seen.reason, "QUEUE_FULL");
  EXPECT_EQ(seen.metadata.at("depth_jobs"), "4");
  EXPECT_EQ(seen.metadata.at("capacity_jobs"), "4");
  EXPECT_TRUE(seen.retry);
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_GT(std::stoi(std::string(pushback->second.data(), pushback->second.size())), 0);
}

TEST_F(FullPoolTest, AWaitingSubmitIsAcceptedOnceThereIsRoom) {
  request.set_on_full(v1::ON_FULL_WAIT);
  std::thread client([&] {
    grpc::ClientContext context;
    EXPECT_TRUE(d.jobs->SubmitJob(&context, request, &response).ok());
  });
  Eventually([&] { return d.Pool().waiting_submits == 1; });
  d.Resume();
  client.join();
  EXPECT_EQ(d.Wait(response.id()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(FullPoolTest, AWaitingSubmitThatRunsOutOfTimeLeavesNothingBehind) {
  request.set_on_full(v1::ON_FULL_WAIT);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(d.jobs->SubmitJob(&context, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  Eventually([&] { return d.Pool().waiting_submits == 0; });
  EXPECT_EQ(d.dispatcher->Stats().pools.at(0).submitted[static_cast<size_t>(dispatch::SubmitResult::kAccepted)], 4u);
}

TEST_F(FullPoolTest, AWaitingSubmitWhoseClientGoesAwayLeavesNothingBehind) {
  request.set_on_full(v1::ON_FULL_WAIT);
  grpc::ClientContext context;
  std::thread client(
      [&] { EXPECT_EQ(d.jobs->SubmitJob(&context, request, &response).error_code(), grpc::StatusCode::CANCELLED); });
  Eventually([&] { return d.Pool().waiting_submits == 1; });
  context.TryCancel();
  client.join();
  Eventually([&] { return d.Pool().waiting_submits == 0; });
  EXPECT_EQ(d.dispatcher->Stats().pools.at(0).submitted[static_cast<size_t>(dispatch::SubmitResult::kAccepted)], 4u);
}

TEST_F(FullPoolTest, ManyWaitersThatGiveUpWhileRoomAppearsAreAnsweredOnceEach) {
  request.set_on_full(v1::ON_FULL_WAIT);
  constexpr int kClients = 32;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  for (int i = 0; i < kClients; ++i) contexts.push_back(std::make_unique<grpc::ClientContext>());
  std::atomic<int> accepted{0}, refused{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      v1::SubmitJobResponse own;
      (d.jobs->SubmitJob(contexts[static_cast<size_t>(i)].get(), request, &own).ok() ? accepted : refused)++;
    });
  }
  Eventually([&] { return d.Pool().waiting_submits == kClients; });
  std::thread canceller([&] {
    for (int i = 0; i < kClients; i += 2) contexts[static_cast<size_t>(i)]->TryCancel();
  });
  d.Resume();
  canceller.join();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(accepted + refused, kClients);
  EXPECT_GE(accepted, kClients / 2);
  Eventually([&] { return d.Pool().waiting_submits == 0 && d.Pool().queued_jobs == 0; });
}

}  // namespace
}  // namespace millrace::rpc
