// AdminService: see admin_service.proto.
#pragma once

#include "dispatch/backup.h"
#include "millrace/v1/admin_service.grpc.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

class AdminService final : public v1::AdminService::WithRawCallbackMethod_Backup<v1::AdminService::Service> {
 public:
  // No `backups`: the store is memory.
  AdminService(const Backend& backend, dispatch::Backups* backups) : backend_(backend), backups_(backups) {}

 private:
  grpc::ServerUnaryReactor* Backup(grpc::CallbackServerContext*, const grpc::ByteBuffer*, grpc::ByteBuffer*) override;

  const Backend& backend_;
  dispatch::Backups* const backups_;
};

}  // namespace millrace::rpc
