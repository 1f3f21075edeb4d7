// Calls that read a disk which takes its time.
#include "rpc/unary_call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "store/disk_journal.h"
#include "tests/rpc/daemon.h"
#include "tests/rpc/raw_call.h"
#include "tests/support/fake_disk.h"

namespace millrace::test {
namespace {

using rpc::Method;
using Async = v1::JobService::StubInterface::async_interface;

// When the reads of a disk come back. Outlives the disk.
class Reads {
 public:
  void Hang(bool on) {
    std::lock_guard guard(lock_);
    hang_ = on;
    changed_.notify_all();
  }
  // Until so many hang.
  void Await(int count) {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return waiting_ >= count; });
  }
  int waiting() {
    std::lock_guard guard(lock_);
    return waiting_;
  }
  int made() {
    std::lock_guard guard(lock_);
    return made_;
  }
  int made_on_threads() {
    std::lock_guard guard(lock_);
    return made_on_threads_;
  }

  // The disk's.
  void Pass() {
    std::unique_lock guard(lock_);
    ++made_;
    if (!rt::InFiber()) ++made_on_threads_;
    ++waiting_;
    changed_.notify_all();
    changed_.wait(guard, [&] { return !hang_; });
    --waiting_;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  bool hang_ = false;
  int made_ = 0, made_on_threads_ = 0, waiting_ = 0;
};

class SlowDisk final : public store::Disk {
 public:
  SlowDisk(Platter& platter, Reads& reads) : disk_(platter), reads_(reads) {}

  Status Write(std::span<const store::Change> changes) override { return disk_.Write(changes); }
  Status Sync() override { return disk_.Sync(); }
  Status Reopen() override { return disk_.Reopen(); }
  uint64_t Position() const override { return disk_.Position(); }
  const std::string& Name() const override { return disk_.Name(); }
  Result<std::vector<std::optional<std::string>>> Read(std::span<const Place> places) override {
    reads_.Pass();
    return disk_.Read(places);
  }
  Status Scan(std::span<const store::Shelf> shelves,
              const std::function<Status(std::span<Cursor* const>)>& read) override {
    reads_.Pass();
    return disk_.Scan(shelves, read);
  }
  uint64_t Bytes() override { return disk_.Bytes(); }
  Status Reclaim() override { return disk_.Reclaim(); }
  void NoMoreReclaim() override { disk_.NoMoreReclaim(); }
  Status Checkpoint(const std::string& folder) override { return disk_.Checkpoint(folder); }

 private:
  FakeDisk disk_;
  Reads& reads_;
};

// A call that is on its way.
template <typename Request, typename Response>
class Sent {
 public:
  using Start = void (Async::*)(grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>);
  Sent(Daemon& d, Start start, const Request& request) {
    (d.jobs->async()->*start)(&context, &request, &response,
                              [this](grpc::Status status) { answer_.set_value(std::move(status)); });
  }
  // Once.
  grpc::Status Answer() { return answer_.get_future().get(); }

  grpc::ClientContext context;
  Response response;

 private:
  std::promise<grpc::Status> answer_;
};
using SentGet = Sent<v1::GetJobRequest, v1::Job>;
using SentWait = Sent<v1::WaitJobRequest, v1::Job>;
using SentCancel = Sent<v1::CancelJobRequest, v1::Job>;
using SentRetry = Sent<v1::RetryJobRequest, v1::Job>;

// A daemon whose jobs, once they have ended, are on the disk only; two of them have.
class SlowDiskTest : public testing::Test {
 protected:
  explicit SlowDiskTest(dispatch::DispatcherOptions options = {})
      : d({.dispatcher = options, .journal = &journal}), done(d.Submit("echo", "payload")), failed(d.Submit("fail")) {
    EXPECT_EQ(d.Wait(done).state(), v1::JOB_STATE_SUCCEEDED);
    EXPECT_EQ(d.Wait(failed).state(), v1::JOB_STATE_FAILED);
    get.set_id(done);
    wait.set_id(done);
    cancel.set_id(done);
    retry.set_id(failed);
  }
  ~SlowDiskTest() override {
    reads.Hang(false);
    platter.Hold(false);
    d.Drain();
    d.server->Stop(std::chrono::seconds(10));
    journal.Stop();
  }
  uint64_t Ended(Method method) {
    uint64_t calls = 0;
    for (int code = 0; code < rpc::kStatusCodes; ++code) {
      calls += d.stats.Requests(method, static_cast<StatusCode>(code));
    }
    return calls;
  }
  void ExpectOthersServed() {
    EXPECT_EQ(d.Get(d.Submit("hold")).state(), v1::JOB_STATE_QUEUED) << "in memory";
    EXPECT_EQ(Health(d, ""), "SERVING");
  }

  Platter platter;
  Reads reads;
  store::DiskJournal journal{std::make_unique<SlowDisk>(platter, reads), {}};
  Daemon d;
  const std::string done, failed;
  v1::GetJobRequest get;
  v1::WaitJobRequest wait;
  v1::CancelJobRequest cancel;
  v1::RetryJobRequest retry;
};

TEST_F(SlowDiskTest, ManyReadsThatHangHoldUpNoOtherCall) {
  d.Pause();
  reads.Hang(true);
  constexpr int kCalls =
      24;  // Several times as many as gRPC has threads for calls, and fewer than are read for at a time.
  static_assert(kCalls < rpc::kReadsAtOnce);
  constexpr SentGet::Start kStart = &Async::GetJob;
  std::deque<SentGet> calls;
  for (int i = 0; i < kCalls; ++i) calls.emplace_back(d, kStart, get);
  reads.Await(kCalls);
  ExpectOthersServed();
  reads.Hang(false);
  for (SentGet& call : calls) {
    EXPECT_TRUE(call.Answer().ok());
    EXPECT_EQ(call.response.result(), "payload");
  }
}

TEST_F(SlowDiskTest, NoMoreThanANumberOfCallsReadAtATimeAndWhoseClientHasGoneIsNotReadFor) {
  reads.Hang(true);
  constexpr SentGet::Start kStart = &Async::GetJob;
  std::deque<SentGet> calls;
  for (int i = 0; i < rpc::kReadsAtOnce; ++i) calls.emplace_back(d, kStart, get);
  reads.Await(rpc::kReadsAtOnce);
  const int made = reads.made();
  for (int i = 0; i < 8; ++i) calls.emplace_back(d, kStart, get);
  // All of them have arrived when each holds what is counted for a call.
  const auto each = static_cast<int64_t>(rpc::kCallBytes);
  Eventually([&] { return d.server->Stats().call_bytes >= each * (rpc::kReadsAtOnce + 8); });
  EXPECT_EQ(reads.made(), made);
  for (int i = 0; i < 8; ++i) calls[static_cast<size_t>(rpc::kReadsAtOnce + i)].context.TryCancel();
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(calls[static_cast<size_t>(rpc::kReadsAtOnce + i)].Answer().ok());
  reads.Hang(false);
  for (int i = 0; i < rpc::kReadsAtOnce; ++i) EXPECT_TRUE(calls[static_cast<size_t>(i)].Answer().ok());
  // The client knows of its cancel before the server may.
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
  EXPECT_LE(reads.made(), made + 8);
}

TEST_F(SlowDiskTest, EveryMethodReadsTheDiskOnAFiber) {
  int before = reads.made();
  const auto reads_of = [&](const char* method, int least = 1) {
    EXPECT_GE(reads.made() - before, least) << method;
    before = reads.made();
  };
  v1::Job job;
  d.Get(done);
  reads_of("GetJob");
  d.Wait(done);
  reads_of("WaitJob");
  {
    grpc::ClientContext context;
    wait.mutable_timeout();
    EXPECT_TRUE(d.jobs->WaitJob(&context, wait, &job).ok());
    reads_of("WaitJob that does not wait");
  }
  {
    grpc::ClientContext context;
    v1::ListJobsRequest request;
    v1::ListJobsResponse response;
    EXPECT_TRUE(d.jobs->ListJobs(&context, request, &response).ok());
    EXPECT_EQ(response.jobs_size(), 2);
    reads_of("ListJobs");
  }
  {
    grpc::ClientContext context;
    EXPECT_EQ(Brief(d.jobs->CancelJob(&context, cancel, &job)), "FAILED_PRECONDITION WRONG_STATE");
    reads_of("CancelJob");
  }
  v1::WatchJobsRequest watch;
  watch.set_job_id(done);
  for (const int least : {1, 2}) {  // From the present on, and resumed behind the last event.
    grpc::ClientContext context;
    auto reader = d.jobs->WatchJobs(&context, watch);
    v1::JobEvent event;
    ASSERT_TRUE(reader->Read(&event));
    EXPECT_EQ(event.state(), v1::JOB_STATE_SUCCEEDED);
    watch.set_resume_token(event.resume_token());
    EXPECT_FALSE(reader->Read(&event));
    EXPECT_TRUE(reader->Finish().ok());
    reads_of("WatchJobs", least);
  }
  using Stub = v1::JobService::Stub;
  const auto all = [&](auto verb, auto request, auto counts) {
    request.set_filter("kind = echo");
    grpc::ClientContext context;
    EXPECT_TRUE((d.jobs.get()->*verb)(&context, request, &counts).ok());
    EXPECT_EQ(counts.matched(), 1);
    reads_of("a bulk verb", 2);
  };
  all(&Stub::CancelJobs, v1::CancelJobsRequest(), v1::CancelJobsResponse());
  all(&Stub::RetryJobs, v1::RetryJobsRequest(), v1::RetryJobsResponse());
  all(&Stub::DeleteJobs, v1::DeleteJobsRequest(), v1::DeleteJobsResponse());
  {
    grpc::ClientContext context;
    EXPECT_TRUE(d.jobs->RetryJob(&context, retry, &job).ok());
    reads_of("RetryJob");
  }
  d.Wait(failed);
  before = reads.made();
  {
    grpc::ClientContext context;
    v1::DeleteJobRequest request;
    request.set_id(failed);
    v1::DeleteJobResponse response;
    EXPECT_TRUE(d.jobs->DeleteJob(&context, request, &response).ok());
    reads_of("DeleteJob");
  }
  EXPECT_EQ(reads.made_on_threads(), 0);
}

TEST_F(SlowDiskTest, ACallWhoseClientGoesAwayEndsWhenItsReadReturns) {
  const uint64_t waits = Ended(Method::kWaitJob);
  reads.Hang(true);
  SentGet got(d, &Async::GetJob, get);
  SentWait waited(d, &Async::WaitJob, wait);
  reads.Await(2);
  got.context.TryCancel();
  waited.context.TryCancel();
  EXPECT_EQ(got.Answer().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(waited.Answer().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(Ended(Method::kGetJob), 0u);
  EXPECT_EQ(Ended(Method::kWaitJob), waits);
  reads.Hang(false);
  Eventually([&] { return Ended(Method::kGetJob) == 1 && Ended(Method::kWaitJob) == waits + 1; });
}

TEST_F(SlowDiskTest, ADeadlineThatPassesWhileAReadHangsIsKept) {
  reads.Hang(true);
  v1::Job job;
  // Again, if it passed before the daemon had the call.
  do {
    grpc::ClientContext late;
    late.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    EXPECT_EQ(d.jobs->GetJob(&late, get, &job).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  } while (reads.waiting() == 0);
  EXPECT_EQ(Ended(Method::kGetJob), 0u);
  reads.Hang(false);
  Eventually([&] { return Ended(Method::kGetJob) > 0; });
}

TEST_F(SlowDiskTest, AVerbWhoseClientGoesAwayWhileItReadsIsDoneAndDoesNotWaitForItsCommit) {
  d.Pause();
  reads.Hang(true);
  SentRetry retried(d, &Async::RetryJob, retry);
  reads.Await(1);
  retried.context.TryCancel();
  EXPECT_EQ(retried.Answer().error_code(), grpc::StatusCode::CANCELLED);
  platter.Hold(true);
  reads.Hang(false);
  Eventually([&] { return d.stats.Requests(Method::kRetryJob, StatusCode::kCancelled) == 1; });
  EXPECT_EQ(d.Get(failed).state(), v1::JOB_STATE_QUEUED);
  platter.Hold(false);
  Eventually([&] { return Ended(Method::kRetryJob) == 1; });
}

TEST_F(SlowDiskTest, AServerThatClosesAnswersTheCallsThatAreBeingReadFor) {
  grpc::ClientContext every_context, one_context;
  auto every = d.jobs->WatchJobs(&every_context, {});
  every->WaitForInitialMetadata();
  reads.Hang(true);
  SentGet got(d, &Async::GetJob, get);
  SentWait waited(d, &Async::WaitJob, wait);
  SentCancel cancelled(d, &Async::CancelJob, cancel);
  v1::WatchJobsRequest watch;
  watch.set_job_id(done);
  auto one = d.jobs->WatchJobs(&one_context, watch);
  reads.Await(4);

  d.Drain();
  std::thread closing([&] { d.server->Stop(std::chrono::hours(1)); });
  v1::JobEvent event;
  while (every->Read(&event)) {
  }
  // By then the others have been told as well.
  EXPECT_EQ(Brief(every->Finish()), "UNAVAILABLE DRAINING");
  reads.Hang(false);
  EXPECT_TRUE(got.Answer().ok());
  EXPECT_EQ(got.response.result(), "payload");
  EXPECT_TRUE(waited.Answer().ok());
  EXPECT_EQ(waited.response.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Brief(cancelled.Answer()), "FAILED_PRECONDITION WRONG_STATE");
  EXPECT_FALSE(one->Read(&event));
  EXPECT_EQ(Brief(one->Finish()), "UNAVAILABLE DRAINING");
  closing.join();
}

TEST_F(SlowDiskTest, AServerThatIsCutOffWaitsForReadsAndNotForCommits) {
  reads.Hang(true);
  SentGet got(d, &Async::GetJob, get);
  SentRetry retried(d, &Async::RetryJob, retry);
  reads.Await(2);
  d.Drain();
  platter.Hold(true);
  std::atomic<bool> stopped{false};
  std::thread stopping([&] {
    d.server->Stop(std::chrono::milliseconds(0));
    stopped = true;
  });
  EXPECT_FALSE(got.Answer().ok());
  EXPECT_FALSE(retried.Answer().ok());
  EXPECT_FALSE(stopped);
  reads.Hang(false);
  stopping.join();
}

class ColdJobTest : public SlowDiskTest {
 protected:
  ColdJobTest() : SlowDiskTest({.hot_bytes_max = 0}) {}
};

TEST_F(ColdJobTest, AWaitWhoseTimeIsUpReadsTheJobOnAFiber) {
  d.Pause();
  wait.set_id(d.Submit("hold"));
  wait.mutable_timeout()->set_nanos(1);
  reads.Hang(true);
  SentWait waited(d, &Async::WaitJob, wait);
  reads.Await(1);
  EXPECT_EQ(Health(d, ""), "SERVING");
  reads.Hang(false);
  EXPECT_TRUE(waited.Answer().ok());
  EXPECT_EQ(waited.response.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(reads.made_on_threads(), 0);
}

}  // namespace
}  // namespace millrace::test
