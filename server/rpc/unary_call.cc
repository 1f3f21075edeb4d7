#include "rpc/unary_call.h"

#include <string>

#include "rpc/wire.h"

namespace millrace::rpc {
namespace {

// They change nothing, so that a client may be told to come again although all was done for it.
bool OnlyReads(Method method) {
  switch (method) {
    case Method::kGetJob:
    case Method::kListJobs:
    case Method::kWaitJob:
    case Method::kListPools:
    case Method::kGetPool:
      return true;
    default:
      return false;
  }
}

}  // namespace

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

Status UnaryCall::Receive(google::protobuf::MessageLite* request) {
  if (!share_.TryTake(kCallBytes + arrival_.request->Length())) return BusyStatus(backend_.budget);
  MR_RETURN_IF_ERROR(CheckMetadata(*arrival_.context, backend_.metadata_bytes_max));
  // Nobody else looks at the bytes; only the generated signature says const.
  return Parse(const_cast<grpc::ByteBuffer*>(arrival_.request), request);
}

Status UnaryCall::Pack(const google::protobuf::MessageLite& answer) {
  const size_t bytes = answer.ByteSizeLong();
  // What was changed has to be told. Such answers are small beside what the call itself was counted for.
  if (!OnlyReads(ending_.method())) {
    share_.Take(bytes);
  } else if (!share_.TryTake(bytes)) {
    return BusyStatus(backend_.budget);
  }
  Serialize(answer, arrival_.response);
  return OkStatus();
}

void UnaryCall::Send(const Status& status) {
  const auto now = std::chrono::steady_clock::now();
  backend_.unsent.Add(this, now);
  Finish(ending_.With(status, now));
}

Status UnaryCall::GoneStatus() const {
  const bool late = arrival_.context->deadline() <= std::chrono::system_clock::now();
  return late ? DeadlineExceeded("DEADLINE_EXCEEDED", "the call's deadline passed while it waited")
              : Cancelled("CALL_CANCELLED", "the client cancelled the call or went away");
}

void UnaryCall::Forget() {
  backend_.unsent.Remove(this);
  share_.Release();
}

void UnaryCall::OnDone() {
  Forget();
  delete this;
}

}  // namespace millrace::rpc
