#include "rpc/unary_call.h"

#include "rpc/wire.h"

namespace millrace::rpc {

Status UnaryCall::Receive(google::protobuf::MessageLite* request) {
  MR_RETURN_IF_ERROR(call_.Enter(kCallBytes + arrival_.request->Length()));
  // Nobody else looks at the bytes; only the generated signature says const.
  return Parse(const_cast<grpc::ByteBuffer*>(arrival_.request), request);
}

Status UnaryCall::ReserveAnswer(size_t bytes) {
  return call_.TryHoldAnswer(bytes) ? OkStatus() : BusyStatus(backend_.budget);
}

Status UnaryCall::Pack(const google::protobuf::MessageLite& answer) {
  const size_t bytes = answer.ByteSizeLong();
  if (!OnlyReads()) {
    call_.HoldAnswer(bytes);  // The client has to hear of what was changed.
  } else if (!call_.TryHoldAnswer(bytes)) {
    return BusyStatus(backend_.budget);
  }
  Serialize(answer, arrival_.response);
  return OkStatus();
}

void UnaryCall::Send(const Status& status) {
  const auto now = std::chrono::steady_clock::now();
  if (!status.ok()) call_.HoldAnswer(0);
  backend_.unsent.Add(this, now);
  Finish(call_.End(status, now));
}

Status UnaryCall::GoneStatus() const {
  const bool late = arrival_.context->deadline() <= std::chrono::system_clock::now();
  return late ? DeadlineExceeded("DEADLINE_EXCEEDED", "the call's deadline passed while it waited")
              : Cancelled("CALL_CANCELLED", "the client cancelled the call or went away");
}

void UnaryCall::Forget() {
  backend_.unsent.Remove(this);
  call_.LetGo();
}

void UnaryCall::OnDone() {
  Forget();
  delete this;
}

}  // namespace millrace::rpc
