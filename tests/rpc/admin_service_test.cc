#include "rpc/admin_service.h"

#include <gtest/gtest.h>

#include "tests/rpc/daemon.h"

namespace millrace::rpc {
namespace {

using test::Brief;
using test::Daemon;
using test::Decode;
using test::Eventually;

// Answers when the test says so. Outlives the daemon.
class HeldBackups final : public dispatch::Backups {
 public:
  void Start(const std::string& folder, Done done) override {
    std::lock_guard guard(lock_);
    folder_ = folder;
    done_ = std::move(done);
  }
  bool Asked() {
    std::lock_guard guard(lock_);
    return done_ != nullptr;
  }
  void Answer(Result<dispatch::BackupReport> report) {
    Eventually([this] { return Asked(); });
    Done done;
    {
      std::lock_guard guard(lock_);
      done = std::move(done_);
    }
    done(std::move(report));
  }
  std::string folder() {
    std::lock_guard guard(lock_);
    return folder_;
  }

 private:
  std::mutex lock_;
  std::string folder_;
  Done done_;
};

class AdminServiceTest : public ::testing::Test {
 protected:
  // A call on a thread of its own.
  std::future<grpc::Status> Backup() {
    return std::async(std::launch::async, [this] {
      v1::BackupRequest request;
      request.set_folder("/backups/monday");
      return d.admin->Backup(&context, request, &response);
    });
  }

  HeldBackups backups;
  Daemon d{{.server = {.backups = &backups}}};
  v1::BackupResponse response;
  grpc::ClientContext context;
};

TEST_F(AdminServiceTest, ABackupIsAnsweredWhenItIsMade) {
  auto answer = Backup();
  backups.Answer(dispatch::BackupReport{"/backups/monday", 12, 3456, std::chrono::milliseconds(2500)});
  const grpc::Status status = answer.get();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(backups.folder(), "/backups/monday");
  EXPECT_EQ(response.folder(), "/backups/monday");
  EXPECT_EQ(response.files(), 12);
  EXPECT_EQ(response.bytes(), 3456);
  EXPECT_EQ(response.duration().seconds(), 2);
  EXPECT_EQ(response.duration().nanos(), 500'000'000);
  EXPECT_EQ(test::DurabilityNamed(context), "none");
  EXPECT_EQ(d.stats.Requests(Method::kBackup, StatusCode::kOk), 1u);
}

TEST_F(AdminServiceTest, WhyThereIsNoneIsTold) {
  auto answer = Backup();
  backups.Answer(FailedPrecondition("FOLDER_NOT_EMPTY", "no").Field("folder"));
  EXPECT_EQ(Decode(answer.get()).reason, "FOLDER_NOT_EMPTY");
}

TEST_F(AdminServiceTest, JobsAreAcceptedAndRunMeanwhile) {
  auto answer = Backup();
  Eventually([&] { return backups.Asked(); });
  EXPECT_EQ(d.Wait(d.Submit("echo", "payload")).result(), "payload");
  backups.Answer(dispatch::BackupReport{});
  EXPECT_TRUE(answer.get().ok());
}

TEST_F(AdminServiceTest, AClientThatGoesAwayEndsTheCallAndNotTheBackup) {
  auto answer = Backup();
  Eventually([&] { return backups.Asked(); });
  context.TryCancel();
  EXPECT_EQ(answer.get().error_code(), grpc::StatusCode::CANCELLED);
  Eventually([&] { return d.stats.Requests(Method::kBackup, StatusCode::kCancelled) == 1; });
  backups.Answer(dispatch::BackupReport{});
  EXPECT_EQ(d.stats.Requests(Method::kBackup, StatusCode::kOk), 0u) << "answered once";
}

TEST_F(AdminServiceTest, AServerThatStopsDoesNotWaitForIt) {
  auto answer = Backup();
  Eventually([&] { return backups.Asked(); });
  d.Drain();
  d.server->Stop(std::chrono::seconds(10));
  EXPECT_EQ(Decode(answer.get()).reason, "DRAINING");
  backups.Answer(dispatch::BackupReport{});
}

TEST(AdminService, TheMemoryStoreHasNoBackups) {
  Daemon d;
  grpc::ClientContext context;
  v1::BackupRequest request;
  v1::BackupResponse response;
  const grpc::Status status = d.admin->Backup(&context, request, &response);
  EXPECT_EQ(Brief(status), "FAILED_PRECONDITION STORE_IS_MEMORY");
  EXPECT_NE(status.error_message().find("--store rocksdb"), std::string::npos);
}

}  // namespace
}  // namespace millrace::rpc
