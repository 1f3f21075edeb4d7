// A thousand workers whose connections break at one time, and who all come back at once.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/rpc/speaker.h"
#include "tests/support/cutting_proxy.h"

namespace millrace::rpc {
namespace {

using test::CuttingProxy;
using test::Daemon;
using test::Eventually;
using test::Speaker;

constexpr size_t kComers = 1000;
constexpr size_t kChannels = 4;

// A worker that takes one lease and keeps it, and says what it holds when it comes again. Its stream needs no thread.
class Comer {
 public:
  explicit Comer(size_t number) : name_(std::to_string(number)) {}

  void Come(const std::shared_ptr<grpc::Channel>& channel) {
    v1::WorkRequest hello = Speaker::Hello(name_, lease_.has_ref() ? 0 : 1);
    if (lease_.has_ref()) *hello.mutable_hello()->add_held()->mutable_ref() = lease_.ref();
    stream_ = std::make_unique<Stream>(*this, v1::WorkerService::NewStub(channel), hello);
  }
  // Its stream has ended.
  bool away() const { return stream_ == nullptr || stream_->over; }
  void Finish() { stream_->Say(test::Ended(lease_.ref(), "by " + name_)); }

  // Its stream counts here what it hears, one word at a time.
  std::atomic<bool> leased{false}, acked{false};
  std::atomic<int> welcomes{0}, kept{0}, lost{0}, more_leases{0}, revoked{0};
  // Once it is leased.
  const v1::Lease& lease() const { return lease_; }
  const std::string& name() const { return name_; }

 private:
  class Stream final : public grpc::ClientBidiReactor<v1::WorkRequest, v1::WorkResponse> {
   public:
    Stream(Comer& owner, std::unique_ptr<v1::WorkerService::Stub> stub, const v1::WorkRequest& hello)
        : owner_(owner), stub_(std::move(stub)) {
      context_.set_wait_for_ready(true);
      stub_->async()->Work(&context_, this);
      AddHold();  // Say is called from outside.
      StartRead(&told_);
      Say(hello);
      StartCall();
    }
    ~Stream() override {
      context_.TryCancel();
      Drop();
      Eventually([this] { return over.load(); });
    }
    void Say(const v1::WorkRequest& request) {
      std::lock_guard guard(mutex_);
      if (dropped_) return;
      waits_.push_back(request);
      if (waits_.size() == 1) StartWrite(&waits_.front());
    }

    std::atomic<bool> over{false};

   private:
    void OnReadDone(bool ok) override {
      if (!ok) return Drop();
      owner_.Hear(told_, *this);
      told_.Clear();
      StartRead(&told_);
    }
    void OnWriteDone(bool ok) override {
      std::lock_guard guard(mutex_);
      if (!ok) return;  // And nothing is written any more.
      waits_.pop_front();
      if (!waits_.empty()) StartWrite(&waits_.front());
    }
    void OnDone(const grpc::Status&) override { over = true; }
    void Drop() {
      {
        std::lock_guard guard(mutex_);
        if (std::exchange(dropped_, true)) return;
      }
      RemoveHold();
    }

    Comer& owner_;
    std::unique_ptr<v1::WorkerService::Stub> stub_;
    grpc::ClientContext context_;
    v1::WorkResponse told_;
    std::mutex mutex_;
    bool dropped_ = false;
    std::deque<v1::WorkRequest> waits_;  // The first one is being written.
  };

  void Hear(const v1::WorkResponse& told, Stream& on) {
    for (const v1::Lease& each : told.leases()) {
      if (lease_.has_ref()) {
        ++more_leases;
        continue;
      }
      lease_ = each;
      on.Say(test::Accepted(each.ref()));
      leased = true;
    }
    if (told.has_welcome()) {
      kept += told.welcome().kept_size();
      lost += told.welcome().lost_size();
      ++welcomes;
    }
    revoked += told.revoked_size();
    if (told.acked_size() > 0) acked = true;
  }

  const std::string name_;
  v1::Lease lease_;
  std::unique_ptr<Stream> stream_;
};

TEST(Reconnect, AThousandWorkersThatComeBackAtOnceKeepWhatTheyHeldAndNoneIsGivenTwice) {
  test::DaemonOptions options = test::WithRemotePool();
  options.pools[1].capacity_jobs = kComers;
  options.dispatcher.leases = {.lease = std::chrono::minutes(10),
                               .accept_within = std::chrono::minutes(10),
                               .resume_grace = std::chrono::minutes(10)};
  Daemon d(options);
  CuttingProxy proxy(d.server->address());
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < kChannels; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // Else gRPC says of a stream that it begins anew by itself that its hello was not sent, and goes on with it.
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    channels.push_back(grpc::CreateCustomChannel(proxy.address(), grpc::InsecureChannelCredentials(), arguments));
  }
  std::vector<std::unique_ptr<Comer>> comers;
  std::set<std::string> jobs;
  for (size_t i = 0; i < kComers; ++i) {
    comers.push_back(std::make_unique<Comer>(i));
    comers.back()->Come(channels[i % kChannels]);
    jobs.insert(d.Submit("resize"));
  }
  for (auto& each : comers) Eventually([&] { return each->leased.load(); });

  proxy.CutAll();
  for (auto& each : comers) Eventually([&] { return each->away(); });
  for (size_t i = 0; i < kComers; ++i) comers[i]->Come(channels[i % kChannels]);
  for (size_t i = 0; i < kComers; ++i) {
    Eventually([&] {
      // A channel may take for open what was cut.
      if (comers[i]->welcomes < 2 && comers[i]->away()) comers[i]->Come(channels[i % kChannels]);
      return comers[i]->welcomes == 2;
    });
  }
  EXPECT_GE(proxy.accepted(), static_cast<int>(2 * kChannels));
  for (auto& each : comers) {
    EXPECT_EQ(each->kept, 1) << each->name();
    EXPECT_EQ(each->lost, 0) << each->name();
  }
  for (auto& each : comers) each->Finish();
  for (auto& each : comers) {
    Eventually([&] { return each->acked.load(); });
    EXPECT_EQ(jobs.erase(each->lease().ref().job_id()), 1u) << each->name() << " has a job that another one has";
    const v1::Job job = d.Get(each->lease().ref().job_id());
    EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
    EXPECT_EQ(job.result(), "by " + each->name());
    EXPECT_EQ(job.attempt_history_size(), 1) << each->name();
    EXPECT_EQ(job.losses(), 0) << each->name();
    EXPECT_EQ(each->more_leases, 0) << each->name();
    EXPECT_EQ(each->revoked, 0) << each->name();
  }
  EXPECT_TRUE(jobs.empty());
}

}  // namespace
}  // namespace millrace::rpc
