// The core of a dispatcher, for tests of moves that no client can ask for yet.
//
//   Turn turn(core);
//   core.Block(*core.table.Find(id), BlockedOn::kJobs, turn);
#pragma once

#include "dispatch/core.h"
#include "dispatch/dispatcher.h"

namespace millrace::dispatch {

struct CoreOf {
  static Core& Get(Dispatcher& dispatcher) { return *dispatcher.core_; }
};

}  // namespace millrace::dispatch
