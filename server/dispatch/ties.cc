#include "dispatch/ties.h"

namespace millrace::dispatch {

const char* ToString(BlockedOn reason) {
  switch (reason) {
    case BlockedOn::kNothing:
      return "nothing";
    case BlockedOn::kJobs:
      return "the end of other jobs";
    case BlockedOn::kConcurrency:
      return "the concurrency limit of its key";
    case BlockedOn::kRate:
      return "the rate limit of its key";
    case BlockedOn::kUnknown:
      return "something that a newer daemon knows";
  }
  return "unknown";
}

}  // namespace millrace::dispatch
