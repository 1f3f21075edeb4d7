#include "rpc/error_details.h"

#include <string>

#include "google/rpc/error_details.pb.h"
#include "rpc/convert.h"

namespace millrace::rpc {
namespace {

constexpr size_t kMessageBytesMax = 1024;
constexpr size_t kValueBytesMax = 256;

// At most `bytes_max` bytes of `text`, cut between characters, and valid UTF-8 as proto strings must be.
std::string Clip(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return Utf8(text);
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return Utf8(text.substr(0, end)) + "...";
}

}  // namespace

grpc::StatusCode ToGrpc(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return grpc::StatusCode::OK;
    case StatusCode::kInvalidArgument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case StatusCode::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case StatusCode::kAlreadyExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case StatusCode::kFailedPrecondition:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case StatusCode::kResourceExhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case StatusCode::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case StatusCode::kDeadlineExceeded:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case StatusCode::kCancelled:
      return grpc::StatusCode::CANCELLED;
    case StatusCode::kPermissionDenied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case StatusCode::kUnauthenticated:
      return grpc::StatusCode::UNAUTHENTICATED;
    case StatusCode::kInternal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

void Fill(const Status& status, google::rpc::Status* out) {
  out->set_code(ToGrpc(status.code()));
  if (status.ok()) return;
  out->set_message(Clip(status.message(), kMessageBytesMax));

  google::rpc::ErrorInfo info;
  info.set_reason(status.reason());
  info.set_domain(kErrorDomain);
  for (const auto& [key, value] : status.metadata()) (*info.mutable_metadata())[key] = Clip(value, kValueBytesMax);
  out->add_details()->PackFrom(info);

  if (!status.field().empty()) {
    google::rpc::BadRequest request;
    auto* violation = request.add_field_violations();
    violation->set_field(Clip(status.field(), kValueBytesMax));
    violation->set_description(out->message());
    out->add_details()->PackFrom(request);
  }
  if (const auto delay = status.retry_delay()) {
    google::rpc::RetryInfo retry;
    Fill(Nanos(*delay), retry.mutable_retry_delay());
    out->add_details()->PackFrom(retry);
  }
}

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  Fill(status, &details);
  return grpc::Status(ToGrpc(status.code()), details.message(), details.SerializeAsString());
}

grpc::Status ToGrpc(const Status& status, grpc::CallbackServerContext* context) {
  if (const auto delay = status.retry_delay()) {
    context->AddTrailingMetadata("grpc-retry-pushback-ms", std::to_string(delay->count()));
  }
  return ToGrpc(status);
}

}  // namespace millrace::rpc
