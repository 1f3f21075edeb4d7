// PoolService: looks at the worker pools and changes them. The contract with clients is in proto/millrace/v1/pool_service.proto.
//   Threads   gRPC's. Nothing here blocks: DrainPool is a WaitingCall (unary_call.h).
#pragma once

#include "millrace/v1/pool_service.grpc.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

class PoolService final : public v1::PoolService::CallbackService {
 public:
  explicit PoolService(const Backend& backend) : backend_(backend) {}

 private:
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* ListPools(Context*, const v1::ListPoolsRequest*, v1::ListPoolsResponse*) override;
  Unary* GetPool(Context*, const v1::GetPoolRequest*, v1::Pool*) override;
  Unary* ResizePool(Context*, const v1::ResizePoolRequest*, v1::Pool*) override;
  Unary* PausePool(Context*, const v1::PausePoolRequest*, v1::Pool*) override;
  Unary* ResumePool(Context*, const v1::ResumePoolRequest*, v1::Pool*) override;
  Unary* DrainPool(Context*, const v1::DrainPoolRequest*, v1::Pool*) override;

  const Backend& backend_;
};

}  // namespace millrace::rpc
