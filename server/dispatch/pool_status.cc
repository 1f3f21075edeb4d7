#include "dispatch/pool_status.h"

namespace millrace::dispatch {

const char* ToString(PoolState state) {
  switch (state) {
    case PoolState::kActive:
      return "ACTIVE";
    case PoolState::kPaused:
      return "PAUSED";
    case PoolState::kDraining:
      return "DRAINING";
    case PoolState::kDrained:
      return "DRAINED";
    case PoolState::kMissing:
      return "MISSING";
  }
  return "UNKNOWN";
}

const char* Label(SubmitResult result) {
  switch (result) {
    case SubmitResult::kAccepted:
      return "accepted";
    case SubmitResult::kExisting:
      return "existing";
    case SubmitResult::kQueueFull:
      return "queue_full";
    case SubmitResult::kProcessFull:
      return "process_full";
    case SubmitResult::kRefused:
      return "refused";
    case SubmitResult::kAbandoned:
      return "abandoned";
  }
  return "unknown";
}

}  // namespace millrace::dispatch
