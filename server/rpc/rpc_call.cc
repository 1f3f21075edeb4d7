#include "rpc/rpc_call.h"

#include "base/check.h"
#include "rpc/error_details.h"
#include "rpc/wire.h"

namespace millrace::rpc {
namespace {

// Far beyond this limit gRPC ends the whole connection before we see the call.
Status CheckMetadata(const grpc::CallbackServerContext& context, size_t bytes_max) {
  size_t bytes = 0;
  for (const auto& [key, value] : context.client_metadata()) bytes += key.size() + value.size() + 32;  // RFC 7541, 4.1
  if (bytes <= bytes_max) return OkStatus();
  return ResourceExhausted("METADATA_TOO_LARGE", "the metadata of this call has " + std::to_string(bytes) +
                                                     " bytes and may have " + std::to_string(bytes_max) +
                                                     ": send less of it")
      .With("bytes", static_cast<int64_t>(bytes))
      .With("limit", static_cast<int64_t>(bytes_max));
}

}  // namespace

Status RpcCall::Enter(size_t bytes) {
  MR_CHECK(!entered_, "a call of %s came in twice", info_.name);
  // A call that holds nothing comes in also when the budget is used up: health is asked for just then.
  if (bytes > 0 && !TryHold(bytes)) return BusyStatus(share_.budget());
  MR_RETURN_IF_ERROR(CheckMetadata(*context_, backend_.metadata_bytes_max));
  if (backend_.door) MR_RETURN_IF_ERROR(backend_.door(info_, *context_));
  entered_ = true;
  return OkStatus();
}

grpc::Status RpcCall::End(const Status& status, Time now) {
  MR_CHECK(entered_ || !status.ok(), "a call of %s was answered and had not come in", info_.name);
  if (info_.counted) {
    const std::chrono::duration<double> took = now - start_;
    backend_.stats.Answered(info_.method, status.code(), took.count());
  }
  if (info_.names_durability) context_->AddTrailingMetadata(kDurabilityTrailer, backend_.durability_word);
  return ToGrpc(status, context_);
}

}  // namespace millrace::rpc
