#include "rpc/admin_service.h"

#include <atomic>
#include <memory>

#include "rpc/convert.h"
#include "rpc/waiting_call.h"

namespace millrace::rpc {
namespace {

// A backup cannot be withdrawn: it goes on when its call ended early. Whoever sets `answered` first answers.
class BackupCall final : public WaitingCall {
 public:
  BackupCall(const Backend& backend, const Arrival& arrival) : WaitingCall(backend, Method::kBackup, arrival) {}

  void Start(dispatch::Backups* backups) {
    v1::BackupRequest request;
    if (Status why = Receive(&request); !why.ok()) return Answer(why);
    if (backups == nullptr) {
      return Answer(FailedPrecondition("STORE_IS_MEMORY",
                                       "the daemon keeps its jobs in memory, so there is nothing to back up; start it "
                                       "with --store rocksdb --data-dir DIR"));
    }
    backups->Start(request.folder(), [this, answered = answered_](Result<dispatch::BackupReport> report) {
      if (answered->exchange(true)) return;
      if (!report.ok()) return Answer(report.status());
      v1::BackupResponse response;
      response.set_folder(Utf8(report->folder));
      response.set_files(report->files);
      response.set_bytes(report->bytes);
      Fill(report->took, response.mutable_duration());
      Answer(Pack(response));
    });
    backend_.open_calls.Add(this);
  }

 private:
  bool Withdraw() override { return !answered_->exchange(true); }

  // Shared with the backup, which may outlive the call.
  const std::shared_ptr<std::atomic<bool>> answered_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

grpc::ServerUnaryReactor* AdminService::Backup(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* response) {
  auto* call = new BackupCall(backend_, {context, request, response});
  call->Start(backups_);
  return call;
}

}  // namespace millrace::rpc
