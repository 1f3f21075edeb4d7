#include "rpc/wire.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <string>

#include "base/check.h"

namespace millrace::rpc {

using Traits = grpc::SerializationTraits<google::protobuf::MessageLite>;

Status Parse(grpc::ByteBuffer* bytes, google::protobuf::MessageLite* message) {
  if (Traits::Deserialize(bytes, message).ok()) return OkStatus();
  bytes->Clear();
  return InvalidArgument("MALFORMED_REQUEST",
                         "the request is not a " + message->GetTypeName() +
                             ": its bytes cannot be parsed; build it from this server's .proto files, "
                             "and with strings that are UTF-8");
}

void Serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer* bytes) {
  bytes->Clear();
  bool owned = false;
  const grpc::Status status = Traits::Serialize(message, bytes, &owned);
  MR_CHECK(status.ok(), "a %s cannot be serialised: %s", message.GetTypeName().c_str(), status.error_message().c_str());
}

Status BusyStatus(const Budget& budget) {
  const char* const what = budget.is_part() ? " bytes that waits, watches and streams may hold"
                                            : " bytes that requests in hand and answers on their way may hold";
  return ResourceExhausted("SERVER_BUSY", "there is no room for this call in the " + std::to_string(budget.limit()) +
                                              what + "; repeat it later, or raise server.call_bytes_max")
      .With("limit", budget.limit())
      .RetryAfter(std::chrono::seconds(1));
}

}  // namespace millrace::rpc
