// Verbs whose commit takes its time.
#include "rpc/verb_call.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/rpc/daemon.h"
#include "tests/support/slow_journal.h"

namespace millrace::test {
namespace {

class VerbCallTest : public testing::Test {
 protected:
  VerbCallTest() {
    d.Pause();
    std::thread client([&] { id = d.Submit("hold"); });
    Commit();
    client.join();
    cancel.set_id(id);
    retry.set_id(id);
  }
  // What somebody waits for, or will in a moment.
  void Commit() {
    Eventually([&] { return journal.Commit() > 0; });
  }
  uint64_t Ended(rpc::Method method, StatusCode code) { return d.stats.Requests(method, code); }

  SlowJournal journal;
  Daemon d{{.journal = &journal}};
  std::string id;
  v1::CancelJobRequest cancel;
  v1::RetryJobRequest retry;
};

TEST_F(VerbCallTest, EndWithTheirDeadlineOrTheirClientAndAreNotUndone) {
  v1::Job job;
  // Again, if the deadline passed before the daemon had the call.
  while (Ended(rpc::Method::kCancelJob, StatusCode::kDeadlineExceeded) == 0 || journal.waiting() == 0) {
    grpc::ClientContext late;
    late.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    EXPECT_EQ(d.jobs->CancelJob(&late, cancel, &job).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_QUEUED);
  Commit();
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_CANCELLED);

  grpc::ClientContext gone;
  std::thread client(
      [&] { EXPECT_EQ(d.jobs->RetryJob(&gone, retry, &job).error_code(), grpc::StatusCode::CANCELLED); });
  Eventually([&] { return d.Get(id).state() == v1::JOB_STATE_QUEUED; });
  gone.TryCancel();
  client.join();
  Eventually([&] { return Ended(rpc::Method::kRetryJob, StatusCode::kCancelled) == 1; });
  Commit();
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(VerbCallTest, AreAnsweredWhenTheyAreCommitted) {
  v1::Job job;
  grpc::ClientContext first;
  std::thread client([&] { Daemon::Must(d.jobs->CancelJob(&first, cancel, &job)); });
  Eventually([&] { return journal.waiting() > 0; });
  EXPECT_EQ(Ended(rpc::Method::kCancelJob, StatusCode::kOk), 0u);
  // The end and the verb are noted one after the other.
  Eventually([&] { return journal.Commit(), Ended(rpc::Method::kCancelJob, StatusCode::kOk) == 1; });
  client.join();
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);

  v1::DeleteJobsRequest all;
  all.set_filter("kind = hold");
  v1::DeleteJobsResponse counts;
  grpc::ClientContext second;
  std::thread bulk([&] { Daemon::Must(d.jobs->DeleteJobs(&second, all, &counts)); });
  Commit();
  bulk.join();
  EXPECT_EQ(counts.matched(), 1);
  EXPECT_EQ(counts.changed(), 1);
}

TEST_F(VerbCallTest, DoNotHoldUpAStop) {
  v1::Job job;
  grpc::ClientContext context;
  std::thread client([&] { EXPECT_FALSE(d.jobs->CancelJob(&context, cancel, &job).ok()); });
  Eventually([&] { return journal.waiting() == 2; });
  d.server->Stop(std::chrono::milliseconds(0));
  client.join();
  d.Drain();
  journal.Commit();
}

}  // namespace
}  // namespace millrace::test
