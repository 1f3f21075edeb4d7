#include "client/errors.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "google/rpc/error_details.pb.h"

namespace millrace::client {
namespace {

StatusCode CodeOf(int grpc_code) {
  switch (static_cast<grpc::StatusCode>(grpc_code)) {
    case grpc::StatusCode::OK:
      return StatusCode::kOk;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
      return StatusCode::kInvalidArgument;
    case grpc::StatusCode::NOT_FOUND:
      return StatusCode::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS:
      return StatusCode::kAlreadyExists;
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ABORTED:
      return StatusCode::kFailedPrecondition;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return StatusCode::kResourceExhausted;
    case grpc::StatusCode::UNAVAILABLE:
      return StatusCode::kUnavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return StatusCode::kDeadlineExceeded;
    case grpc::StatusCode::CANCELLED:
      return StatusCode::kCancelled;
    case grpc::StatusCode::PERMISSION_DENIED:
      return StatusCode::kPermissionDenied;
    case grpc::StatusCode::UNAUTHENTICATED:
      return StatusCode::kUnauthenticated;
    default:
      return StatusCode::kInternal;
  }
}

// "Received message larger than max (73400378 vs. 67108864)": the words of gRPC, on the server or here.
bool TooLarge(const std::string& message) { return message.find("message larger than max") != std::string::npos; }

// An error that comes from gRPC itself, such as a failed connection or a passed deadline, has no details.
std::string ReasonWithoutDetails(StatusCode code, int grpc_code, const std::string& message) {
  switch (code) {
    case StatusCode::kUnavailable:
      return "UNREACHABLE";
    case StatusCode::kDeadlineExceeded:
      return "DEADLINE";
    case StatusCode::kCancelled:
      return "INTERRUPTED";
    case StatusCode::kResourceExhausted:
      return TooLarge(message) ? "MESSAGE_TOO_LARGE" : "";
    default:
      return grpc_code == static_cast<int>(grpc::StatusCode::UNIMPLEMENTED) ? "UNIMPLEMENTED" : "";
  }
}

// The words of two versions of gRPC for a server that answers its greeting in HTTP/1.
bool IsNoGrpc(const std::string& message) {
  return message.find("Failed parsing HTTP/2") != std::string::npos || message.find("http1.x") != std::string::npos;
}

// gRPC says "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:7070: Failed to connect to remote
// host: Connection refused". People need the end of it.
std::string Brief(const std::string& message) {
  if (message.find("DNS resolution failed") != std::string::npos) return "no such host";
  constexpr std::string_view kStory = "Failed to connect to remote host: ";
  const size_t at = message.rfind(kStory);
  return at == std::string::npos ? message : message.substr(at + kStory.size());
}

}  // namespace

Status FromRpcStatus(const google::rpc::Status& rpc) {
  const StatusCode code = CodeOf(rpc.code());
  if (code == StatusCode::kOk) return OkStatus();

  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad;
  google::rpc::RetryInfo retry;
  bool has_info = false, has_retry = false;
  for (const auto& detail : rpc.details()) {
    has_info |= detail.UnpackTo(&info);
    has_retry |= detail.UnpackTo(&retry);
    detail.UnpackTo(&bad);
  }

  Status status(code, has_info ? info.reason() : ReasonWithoutDetails(code, rpc.code(), rpc.message()), rpc.message());
  for (const auto& [key, value] : info.metadata()) status = std::move(status).With(key, value);
  if (bad.field_violations_size() > 0) status = std::move(status).Field(bad.field_violations(0).field());
  if (has_retry) {
    // The number is from another program. A delay of more than a day is of no use to anybody.
    constexpr int64_t kDayMs = 24 * 3600 * 1000;
    const auto& delay = retry.retry_delay();
    const int64_t seconds = std::clamp<int64_t>(delay.seconds(), 0, kDayMs / 1000);
    const int64_t ms = std::clamp<int64_t>(seconds * 1000 + delay.nanos() / 1'000'000, 0, kDayMs);
    status = std::move(status).RetryAfter(std::chrono::milliseconds(ms));
  }
  return status;
}

Status FromGrpc(const grpc::Status& status, const std::string& address, bool stopped) {
  if (status.ok()) return OkStatus();
  google::rpc::Status rpc;
  // The trailer is from another program. Where it cannot be parsed, code and message still tell what happened.
  if (!rpc.ParseFromString(status.error_details())) rpc.Clear();
  rpc.set_code(status.error_code());
  if (rpc.message().empty()) rpc.set_message(status.error_message());

  if (rpc.message().empty() && status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    rpc.set_message("the server at " + address + " does not know this call; is it a millraced of this version?");
  }

  Status result = FromRpcStatus(rpc);
  if (result.reason() == "UNREACHABLE" && IsNoGrpc(result.message())) {
    return Unavailable("NO_GRPC", "what listens at " + address +
                                      " does not speak gRPC; the daemon does so on its gRPC "
                                      "port, 7070 unless it is configured otherwise, and not on its HTTP port")
        .With("address", address);
  }
  if (result.reason() == "UNREACHABLE") {
    return Unavailable("UNREACHABLE", "cannot reach millraced at " + address + ": " + Brief(result.message()))
        .With("address", address);
  }
  if (result.reason() == "MESSAGE_TOO_LARGE") {
    return InvalidArgument("MESSAGE_TOO_LARGE",
                           "gRPC refused a message for its size: " + result.message() +
                               "; the last number is the most that is taken, so store the payload elsewhere and "
                               "send a reference");
  }
  if (result.reason() == "DEADLINE") {
    return DeadlineExceeded("DEADLINE", "no answer from millraced at " + address + " in time").With("address", address);
  }
  if (result.reason() == "INTERRUPTED") {
    if (stopped) return Cancelled("INTERRUPTED", "interrupted");
    return Unavailable("ENDED_BY_SERVER", "millraced at " + address + " ended the call; it is probably stopping")
        .With("address", address);
  }
  return result;
}

}  // namespace millrace::client
