#include "client/cli/exit_code.h"

namespace millrace::cli {

const char kExitCodeHelp[] =
    "Exit codes: 0 done, every job waited for succeeded; 1 a job failed, or a store is damaged; 2 wrong arguments;\n"
    "3 no daemon there, or it is stopping, or a disk says no; 4 no such job, pool, kind, worker or store; 5 full;\n"
    "6 --timeout passed; 7 a job was cancelled, expired or quarantined; 8 wrong state; 9 not allowed;\n"
    "10 internal error; 130 interrupted.";

ExitCode FromStatus(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return ExitCode::kOk;
    case StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case StatusCode::kAlreadyExists:
    case StatusCode::kFailedPrecondition:
      return ExitCode::kWrongState;
    case StatusCode::kResourceExhausted:
      return ExitCode::kFull;
    case StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    case StatusCode::kDeadlineExceeded:
      return ExitCode::kTimedOut;
    case StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnauthenticated:
      return ExitCode::kDenied;
    case StatusCode::kInternal:
      return ExitCode::kInternal;
  }
  return ExitCode::kInternal;
}

ExitCode FromState(v1::JobState state) {
  if (state == v1::JOB_STATE_SUCCEEDED) return ExitCode::kOk;
  return state == v1::JOB_STATE_FAILED ? ExitCode::kJobFailed : ExitCode::kJobEnded;
}

ExitCode Worst(ExitCode a, ExitCode b) {
  const auto rank = [](ExitCode code) {
    switch (code) {
      case ExitCode::kOk:
        return 0;
      case ExitCode::kJobEnded:
        return 1;
      case ExitCode::kJobFailed:
        return 2;
      default:
        return 3;
    }
  };
  return rank(b) > rank(a) ? b : a;
}

}  // namespace millrace::cli
