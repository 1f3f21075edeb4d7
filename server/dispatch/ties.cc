#include "dispatch/ties.h"

namespace millrace::dispatch {

std::shared_ptr<const Ties> TiesOf(const Placement& placement) {
  return std::make_shared<const Ties>(Ties{.permits = {}, .require = placement.require});
}

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
