// PoolService: looks at the worker pools and changes them. The contract with clients is in
// proto/millrace/v1/pool_service.proto.
//   Threads   gRPC's. Nothing blocks them: what operators say of a pool is kept on the disk, so PausePool, ResumePool
//             and DrainPool are done on fibers.
#pragma once

#include "millrace/v1/pool_service.grpc.pb.h"
#include "rpc/unary_call.h"

namespace millrace::rpc {

// Every method gets and gives bytes; wire.h says why.
using RawPoolService = v1::PoolService::WithRawCallbackMethod_ListPools<
    v1::PoolService::WithRawCallbackMethod_GetPool<v1::PoolService::WithRawCallbackMethod_ResizePool<
        v1::PoolService::WithRawCallbackMethod_PausePool<v1::PoolService::WithRawCallbackMethod_ResumePool<
            v1::PoolService::WithRawCallbackMethod_DrainPool<v1::PoolService::Service>>>>>>;

class PoolService final : public RawPoolService {
 public:
  explicit PoolService(const Backend& backend) : backend_(backend) {}

 private:
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  using Bytes = grpc::ByteBuffer;

  Unary* ListPools(Context*, const Bytes*, Bytes*) override;
  Unary* GetPool(Context*, const Bytes*, Bytes*) override;
  Unary* ResizePool(Context*, const Bytes*, Bytes*) override;
  Unary* PausePool(Context*, const Bytes*, Bytes*) override;
  Unary* ResumePool(Context*, const Bytes*, Bytes*) override;
  Unary* DrainPool(Context*, const Bytes*, Bytes*) override;

  const Backend& backend_;
};

}  // namespace millrace::rpc
