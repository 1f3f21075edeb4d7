#include "rpc/admin_service.h"

#include <atomic>
#include <memory>

#include "rpc/convert.h"

namespace millrace::rpc {
namespace {

// A backup is not taken back: it goes on without a call that ended early, and whoever sets `answered` first answers.
class BackupCall final : public WaitingCall {
 public:
  BackupCall(const Backend& backend, grpc::CallbackServerContext* context, v1::BackupResponse* response)
      : WaitingCall(backend, Method::kBackup, context), response_(response) {}

  void Start(dispatch::Backups* backups, const std::string& folder) {
    if (backups == nullptr) {
      return Answer(FailedPrecondition("STORE_IS_MEMORY",
                                       "the daemon keeps its jobs in memory, so there is nothing to back up; start it "
                                       "with --store rocksdb --data-dir DIR"));
    }
    backups->Start(folder, [this, answered = answered_](Result<dispatch::BackupReport> report) {
      if (answered->exchange(true)) return;
      if (report.ok()) {
        response_->set_folder(Utf8(report->folder));
        response_->set_files(report->files);
        response_->set_bytes(report->bytes);
        Fill(report->took, response_->mutable_duration());
      }
      Answer(report.status());
    });
    backend_.open_calls.Add(this);
  }

 private:
  bool Withdraw() override { return !answered_->exchange(true); }

  v1::BackupResponse* const response_;
  // Outlives the call for the backup's sake.
  const std::shared_ptr<std::atomic<bool>> answered_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

grpc::ServerUnaryReactor* AdminService::Backup(grpc::CallbackServerContext* context, const v1::BackupRequest* request,
                                               v1::BackupResponse* response) {
  auto* call = new BackupCall(backend_, context, response);
  call->Start(backups_, request->folder());
  return call;
}

}  // namespace millrace::rpc
