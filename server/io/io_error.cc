#include "io/io_error.h"

#include <string.h>

#include <cerrno>

namespace millrace::io {
namespace {

StatusCode CodeOf(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
      return StatusCode::kPermissionDenied;
    case ENOENT:
    case ESRCH:
    case ECHILD:
      return StatusCode::kNotFound;
    case EADDRINUSE:
    case EEXIST:
      return StatusCode::kAlreadyExists;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
      return StatusCode::kResourceExhausted;
    case EADDRNOTAVAIL:
    case EISCONN:
    case ENOTCONN:
      return StatusCode::kFailedPrecondition;
    case EAFNOSUPPORT:
    case EBADF:
    case EFAULT:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
      return StatusCode::kInternal;
    default:
      return StatusCode::kUnavailable;
  }
}

}  // namespace

Status IoError(int error, const std::string& what) {
  const char* name = strerrorname_np(error);
  const char* text = strerrordesc_np(error);
  std::string number = std::to_string(error);
  return Status(CodeOf(error), name != nullptr ? name : "ERRNO_" + number,
                what + ": " + (text != nullptr ? text : "error " + number))
      .With("errno", number);
}

Status ClosedError(const std::string& what) { return FailedPrecondition("IO_CLOSED", what + ": it has been closed"); }

Status StoppedError(const Until& until, bool cancelled, const std::string& what) {
  if (!cancelled) return DeadlineExceeded("IO_DEADLINE", what + ": the deadline has passed");
  const Status& why = until.cancel.reason();
  return Status(why.code(), why.reason(), what + ": " + why.message());
}

}  // namespace millrace::io
