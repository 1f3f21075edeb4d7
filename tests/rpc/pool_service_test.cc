#include "rpc/pool_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::Decode;
using test::Eventually;

class PoolServiceTest : public ::testing::Test {
 protected:
  // Calls `method` for the pool `name`.
  template <typename Request, typename Method>
  grpc::Status Call(Method method, const std::string& name = "default") {
    Request request;
    request.set_name(name);
    grpc::ClientContext context;
    return (d.pools.get()->*method)(&context, request, &pool);
  }
  grpc::Status Get() { return Call<v1::GetPoolRequest>(&v1::PoolService::Stub::GetPool); }
  grpc::Status Resize(v1::ResizePoolRequest request) {
    request.set_name("default");
    grpc::ClientContext context;
    return d.pools->ResizePool(&context, request, &pool);
  }

  Daemon d{{.pools = {{.name = "default", .workers = 2, .capacity_jobs = 4},
                      {.name = "other", .workers = 1, .capacity_jobs = 0}}}};
  v1::Pool pool;
};

TEST_F(PoolServiceTest, ShowsWhatAPoolIsDoing) {
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(pool.name(), "default");
  EXPECT_EQ(pool.runner(), "native");
  EXPECT_EQ(pool.state(), v1::Pool::STATE_ACTIVE);
  EXPECT_EQ(pool.workers(), 2);
  EXPECT_EQ(pool.capacity_jobs(), 4);
  EXPECT_THAT(pool.kinds(), testing::Contains("echo"));
  ASSERT_EQ(pool.bands_size(), 4);
  EXPECT_EQ(pool.bands(0).band(), v1::BAND_CRITICAL);

  const std::string first = d.Submit("hold"), second = d.Submit("hold"), third = d.Submit("hold");
  Eventually([&] { return Get().ok() && pool.workers_busy() == 2; });
  EXPECT_EQ(pool.queued_jobs(), 1);
  EXPECT_EQ(pool.bands(2).queued_jobs(), 1);
  EXPECT_TRUE(pool.has_oldest_queued_time());
  d.Release(3);
  for (const std::string& id : {first, second, third}) d.Wait(id);

  grpc::ClientContext context;
  v1::ListPoolsResponse pools;
  ASSERT_TRUE(d.pools->ListPools(&context, {}, &pools).ok());
  EXPECT_EQ(pools.pools_size(), 2);
}

TEST_F(PoolServiceTest, AnUnknownPoolIsNotFoundByEveryMethod) {
  using Stub = v1::PoolService::Stub;
  EXPECT_EQ(Decode(Call<v1::GetPoolRequest>(&Stub::GetPool, "nope")).reason, "POOL_NOT_FOUND");
  EXPECT_EQ(Decode(Call<v1::PausePoolRequest>(&Stub::PausePool, "nope")).reason, "POOL_NOT_FOUND");
  EXPECT_EQ(Decode(Call<v1::ResumePoolRequest>(&Stub::ResumePool, "")).reason, "POOL_NOT_FOUND");
  EXPECT_EQ(Decode(Call<v1::DrainPoolRequest>(&Stub::DrainPool, "nope")).reason, "POOL_NOT_FOUND");
  v1::ResizePoolRequest resize;
  resize.set_name("nope");
  resize.set_workers(3);
  grpc::ClientContext context;
  EXPECT_EQ(Decode(d.pools->ResizePool(&context, resize, &pool)).reason, "POOL_NOT_FOUND");
}

TEST_F(PoolServiceTest, ResizesWithinBounds) {
  v1::ResizePoolRequest request;
  EXPECT_EQ(Brief(Resize(request)), "INVALID_ARGUMENT NOTHING_TO_CHANGE workers");
  request.set_workers(5);
  request.set_capacity_jobs(9);
  ASSERT_TRUE(Resize(request).ok());
  EXPECT_EQ(pool.workers(), 5);
  EXPECT_EQ(pool.capacity_jobs(), 9);
  for (const int workers : {0, -1, 10'001}) {
    v1::ResizePoolRequest absurd;
    absurd.set_workers(workers);
    EXPECT_EQ(Decode(Resize(absurd)).code, grpc::StatusCode::INVALID_ARGUMENT) << workers;
  }
  for (const int64_t capacity : {int64_t{-1}, INT64_MAX, int64_t{0}}) {
    v1::ResizePoolRequest absurd;
    absurd.set_capacity_jobs(capacity);
    EXPECT_FALSE(Resize(absurd).ok()) << capacity;
  }
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(pool.workers(), 5);
}

TEST_F(PoolServiceTest, PauseKeepsJobsQueuedUntilResume) {
  using Stub = v1::PoolService::Stub;
  ASSERT_TRUE(Call<v1::PausePoolRequest>(&Stub::PausePool).ok());
  EXPECT_EQ(pool.state(), v1::Pool::STATE_PAUSED);
  const std::string id = d.Submit("echo");
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_QUEUED);
  ASSERT_TRUE(Call<v1::ResumePoolRequest>(&Stub::ResumePool).ok());
  EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(PoolServiceTest, DrainAnswersWhenThePoolIsEmptyAndRefusesSubmitsUntilResume) {
  using Stub = v1::PoolService::Stub;
  const std::string id = d.Submit("hold");
  std::thread drainer([&] {
    v1::Pool drained;
    v1::DrainPoolRequest request;
    request.set_name("default");
    grpc::ClientContext context;
    EXPECT_TRUE(d.pools->DrainPool(&context, request, &drained).ok());
    EXPECT_EQ(drained.state(), v1::Pool::STATE_DRAINED);
    EXPECT_EQ(drained.workers_busy(), 0);
  });
  Eventually([&] { return d.Pool().state == dispatch::PoolState::kDraining; });
  v1::SubmitJobRequest submit;
  submit.mutable_spec()->set_kind("echo");
  v1::SubmitJobResponse ack;
  grpc::ClientContext refused;
  EXPECT_EQ(Brief(d.jobs->SubmitJob(&refused, submit, &ack)), "FAILED_PRECONDITION POOL_DRAINING_BY_OPERATOR");
  d.Release();
  drainer.join();
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_SUCCEEDED);
  ASSERT_TRUE(Call<v1::ResumePoolRequest>(&Stub::ResumePool).ok());
  EXPECT_EQ(d.Wait(d.Submit("echo")).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(PoolServiceTest, ADrainThatRunsOutOfTimeLeavesThePoolDraining) {
  const std::string id = d.Submit("hold");
  v1::DrainPoolRequest request;
  request.set_name("default");
  // Again, if the deadline passed before the daemon had the call.
  do {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    EXPECT_EQ(d.pools->DrainPool(&context, request, &pool).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  } while (d.Pool().state != dispatch::PoolState::kDraining);
  // The client's own clock runs out first, and its cancel may arrive before the server's does.
  Eventually([&] {
    return d.stats.Requests(Method::kDrainPool, StatusCode::kDeadlineExceeded) +
               d.stats.Requests(Method::kDrainPool, StatusCode::kCancelled) >
           0;
  });
  EXPECT_EQ(d.Pool().state, dispatch::PoolState::kDraining);
  d.Release();
  d.Wait(id);
}

TEST_F(PoolServiceTest, ARendezvousPoolAnswersWhenAWorkerHasTheJob) {
  v1::SubmitJobRequest submit;
  submit.mutable_spec()->set_kind("hold");
  submit.mutable_spec()->set_pool("other");
  submit.set_on_full(v1::ON_FULL_WAIT);
  v1::SubmitJobResponse ack;
  grpc::ClientContext context;
  ASSERT_TRUE(d.jobs->SubmitJob(&context, submit, &ack).ok());
  EXPECT_EQ(ack.state(), v1::JOB_STATE_RUNNING);
  d.Release();
  EXPECT_EQ(d.Wait(ack.id()).state(), v1::JOB_STATE_SUCCEEDED);
}

// Keeps nothing, and takes until it is told to go on.
class SlowPoolMemory final : public dispatch::PoolMemory {
 public:
  Result<dispatch::PoolWishes> Load() override { return dispatch::PoolWishes(); }
  Status Keep(uint64_t, const dispatch::PoolWishes&) override {
    std::unique_lock guard(lock_);
    ++writing_;
    if (!rt::InFiber()) ++on_threads_;
    changed_.notify_all();
    changed_.wait(guard, [&] { return !hang_; });
    return OkStatus();
  }
  // Until so many writes have begun.
  void Await(int count) {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return writing_ >= count; });
  }
  void GoOn() {
    std::lock_guard guard(lock_);
    hang_ = false;
    changed_.notify_all();
  }
  int on_threads() {
    std::lock_guard guard(lock_);
    return on_threads_;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  bool hang_ = true;
  int writing_ = 0, on_threads_ = 0;
};

TEST(PoolServiceOnASlowDisk, WhatOperatorsSayHoldsUpNoOtherCall) {
  SlowPoolMemory memory;
  Daemon d{{.pool_memory = &memory}};
  using Async = v1::PoolService::StubInterface::async_interface;
  struct Sent {
    grpc::ClientContext context;
    v1::Pool pool;
    std::promise<grpc::Status> answer;
  };
  std::deque<Sent> calls;
  const auto send = [&]<typename Request>(void (Async::*method)(grpc::ClientContext*, const Request*, v1::Pool*,
                                                                std::function<void(grpc::Status)>),
                                          const Request& request) {
    Sent& sent = calls.emplace_back();
    (d.pools->async()->*method)(&sent.context, &request, &sent.pool,
                                [&sent](grpc::Status status) { sent.answer.set_value(std::move(status)); });
  };
  v1::PausePoolRequest pause;
  v1::ResumePoolRequest resume;
  v1::DrainPoolRequest drain;
  pause.set_name("default");
  resume.set_name("default");
  drain.set_name("default");
  // More than gRPC has threads for calls, and fewer than change the disk at a time.
  constexpr int kEach = 8;
  static_assert(3 * kEach < kChangesAtOnce);
  for (int i = 0; i < kEach; ++i) send(&Async::PausePool, pause);
  memory.Await(kEach);
  for (int i = 0; i < kEach; ++i) send(&Async::ResumePool, resume);
  memory.Await(2 * kEach);
  for (int i = 0; i < kEach; ++i) send(&Async::DrainPool, drain);
  memory.Await(3 * kEach);
  EXPECT_EQ(memory.on_threads(), 0);
  EXPECT_EQ(d.Pool().state, dispatch::PoolState::kDrained) << "they act at once";
  memory.GoOn();
  for (Sent& sent : calls) EXPECT_EQ(Brief(sent.answer.get_future().get()), "OK");
  EXPECT_EQ(calls.back().pool.state(), v1::Pool::STATE_DRAINED);
}

}  // namespace
}  // namespace millrace::rpc
