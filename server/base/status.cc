#include "base/status.h"

namespace millrace {

const char* ToString(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "OK";
    case StatusCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case StatusCode::kNotFound:
      return "NOT_FOUND";
    case StatusCode::kAlreadyExists:
      return "ALREADY_EXISTS";
    case StatusCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case StatusCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case StatusCode::kUnavailable:
      return "UNAVAILABLE";
    case StatusCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case StatusCode::kCancelled:
      return "CANCELLED";
    case StatusCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case StatusCode::kUnauthenticated:
      return "UNAUTHENTICATED";
    case StatusCode::kInternal:
      return "INTERNAL";
  }
  return "UNKNOWN";
}

Status::Status(StatusCode code, std::string reason, std::string message) {
  if (code == StatusCode::kOk) return;
  detail_ = std::make_unique<Detail>(Detail{code, std::move(reason), std::move(message), {}, {}, {}});
}

Status::Status(const Status& other) : detail_(other.detail_ ? std::make_unique<Detail>(*other.detail_) : nullptr) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) detail_ = other.detail_ ? std::make_unique<Detail>(*other.detail_) : nullptr;
  return *this;
}

namespace {
const std::string kNoText;
const std::map<std::string, std::string> kNoMetadata;
}  // namespace

const std::string& Status::reason() const { return ok() ? kNoText : detail_->reason; }
const std::string& Status::message() const { return ok() ? kNoText : detail_->message; }
const std::string& Status::field() const { return ok() ? kNoText : detail_->field; }
const std::map<std::string, std::string>& Status::metadata() const { return ok() ? kNoMetadata : detail_->metadata; }
std::optional<std::chrono::milliseconds> Status::retry_delay() const {
  return ok() ? std::nullopt : detail_->retry_delay;
}

Status&& Status::Field(std::string name) && {
  if (!ok()) detail_->field = std::move(name);
  return std::move(*this);
}

Status&& Status::With(std::string key, std::string value) && {
  if (!ok()) detail_->metadata.insert_or_assign(std::move(key), std::move(value));
  return std::move(*this);
}

Status&& Status::RetryAfter(std::chrono::milliseconds delay) && {
  if (!ok()) detail_->retry_delay = delay;
  return std::move(*this);
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  return std::string(millrace::ToString(code())) + " " + reason() + ": " + message();
}

Status InvalidArgument(std::string reason, std::string message) {
  return {StatusCode::kInvalidArgument, std::move(reason), std::move(message)};
}
Status NotFound(std::string reason, std::string message) {
  return {StatusCode::kNotFound, std::move(reason), std::move(message)};
}
Status AlreadyExists(std::string reason, std::string message) {
  return {StatusCode::kAlreadyExists, std::move(reason), std::move(message)};
}
Status FailedPrecondition(std::string reason, std::string message) {
  return {StatusCode::kFailedPrecondition, std::move(reason), std::move(message)};
}
Status ResourceExhausted(std::string reason, std::string message) {
  return {StatusCode::kResourceExhausted, std::move(reason), std::move(message)};
}
Status Unavailable(std::string reason, std::string message) {
  return {StatusCode::kUnavailable, std::move(reason), std::move(message)};
}
Status DeadlineExceeded(std::string reason, std::string message) {
  return {StatusCode::kDeadlineExceeded, std::move(reason), std::move(message)};
}
Status Cancelled(std::string reason, std::string message) {
  return {StatusCode::kCancelled, std::move(reason), std::move(message)};
}
Status Internal(std::string reason, std::string message) {
  return {StatusCode::kInternal, std::move(reason), std::move(message)};
}

}  // namespace millrace
