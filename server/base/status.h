// Status and Result<T>: expected failures as values.
//
// Three kinds of failure, three forms. A job that fails is data (job/job.h). An operation that cannot proceed is a
// Status: an ordinary value that the caller must look at. A broken invariant of ours is a CHECK (base/check.h) and
// stops the process.
//
//   Message   For people: names the thing and the fix.
//   Reason    For programs: UPPER_SNAKE, never changes. The metadata hold every number that the message mentions.
//             rpc/convert turns both into a google.rpc.ErrorInfo and the code into a gRPC status code.
//   Cost      An OK Status is one null pointer; nothing is allocated unless something failed.
//   Threads   A value; share it as any other.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace millrace {

enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,  // The request is wrong whatever the state of the system.
  kNotFound,
  kAlreadyExists,
  kFailedPrecondition,  // The system is not in the state this needs; repeating does not help.
  kResourceExhausted,   // Full; repeating after retry_delay may help.
  kUnavailable,         // Nothing was done; safe to repeat.
  kDeadlineExceeded,
  kCancelled,
  kPermissionDenied,
  kUnauthenticated,
  kInternal,  // A bug or a broken part of ours.
};

const char* ToString(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string reason, std::string message);

  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;

  bool ok() const { return detail_ == nullptr; }
  StatusCode code() const { return ok() ? StatusCode::kOk : detail_->code; }
  const std::string& reason() const;
  const std::string& message() const;
  const std::map<std::string, std::string>& metadata() const;
  // The request field at fault, e.g. "spec.payload"; empty when the failure is not about one field.
  const std::string& field() const;
  std::optional<std::chrono::milliseconds> retry_delay() const;

  // Builders: `return InvalidArgument("BAD_BAND", "...").Field("spec.band");`
  Status&& Field(std::string name) &&;
  Status&& With(std::string key, std::string value) &&;
  Status&& With(std::string key, int64_t value) && {
    return std::move(*this).With(std::move(key), std::to_string(value));
  }
  Status&& RetryAfter(std::chrono::milliseconds delay) &&;

  // "RESOURCE_EXHAUSTED QUEUE_FULL: pool 'thumbs' holds 1000 of 1000 jobs; ..." for logs.
  std::string ToString() const;

 private:
  struct Detail {
    StatusCode code;
    std::string reason, message, field;
    std::map<std::string, std::string> metadata;
    std::optional<std::chrono::milliseconds> retry_delay;
  };
  std::unique_ptr<Detail> detail_;
};

inline Status OkStatus() { return {}; }
Status InvalidArgument(std::string reason, std::string message);
Status NotFound(std::string reason, std::string message);
Status AlreadyExists(std::string reason, std::string message);
Status FailedPrecondition(std::string reason, std::string message);
Status ResourceExhausted(std::string reason, std::string message);
Status Unavailable(std::string reason, std::string message);
Status DeadlineExceeded(std::string reason, std::string message);
Status Cancelled(std::string reason, std::string message);
Status Internal(std::string reason, std::string message);

// A T, or the Status that tells why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: `return value;` and `return status;` should both read well
  Result(Status status) : status_(std::move(status)) {  // NOLINT
    MR_CHECK(!status_.ok(), "a Result was made from an OK Status without a value");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & { return Checked(), *value_; }
  const T& value() const& { return Checked(), *value_; }
  T&& value() && { return Checked(), *std::move(value_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void Checked() const { MR_CHECK(ok(), "the value of a failed Result was used: %s", status_.ToString().c_str()); }

  std::optional<T> value_;
  Status status_;
};

// `MR_RETURN_IF_ERROR(Validate(spec));`
#define MR_RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                     \
    if (::millrace::Status mr_status_ = (expression); !mr_status_.ok()) return mr_status_; \
  } while (false)

}  // namespace millrace
