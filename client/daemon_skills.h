// What the daemon at the other end of a worker can do: an older one can do less, and its welcome does not name it. For
// the library's own files.
#pragma once

#include <string>

#include "base/status.h"
#include "millrace/v1/worker_service.pb.h"

namespace millrace::client {

struct DaemonSkills {
  std::string version = "unknown";
  bool keeps_checkpoints = false;
  int64_t result_bytes_max = 0;  // The largest that it takes in pieces. 0: it takes none.
  bool knows_costs = false;      // It knows slots, at_once_max and beat_within of kinds.

  static DaemonSkills Of(const v1::WorkerWelcome& welcome);
  Status CheckpointError() const;  // FAILED_PRECONDITION CHECKPOINT_UNSUPPORTED.
  // For people.
  std::string NoCosts() const;
  std::string NoBeatWithin() const;
};

}  // namespace millrace::client
