// WorkerStatus: a worker in another process, for those who look at it. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "dispatch/lease.h"
#include "job/job.h"
#include "job/labels.h"

namespace millrace::dispatch {

enum class WorkerState : uint8_t {
  kConnected,
  kDraining,  // It gets no more leases, by its own word or an operator's.
  kAway,      // Its stream broke; it may come back for what it holds.
  kSilent,    // Its stream is open, and nothing was heard of it for a whole lease.
};

struct WorkerStatus {
  struct Held {
    JobId job;
    std::string kind;
    int attempt = 0;
    WallTime start{};
    bool accepted = false;
  };

  Id id;  // The same for this process of the worker as long as the daemon lives.
  std::string name, sdk, build_id;
  LabelSet labels;  // With `worker` and `build`.
  WorkerState state = WorkerState::kConnected;
  std::vector<KindOffer> kinds;
  int64_t slots = 0, slots_used = 0;
  WallTime connected{}, heard{};
  int64_t attempts_given = 0;
  std::vector<Held> held;  // Leases::GetWorker only.
};

struct WorkersQuery {
  size_t limit = 100;
  std::optional<Id> after;  // Exclusive.
  std::string kind;         // Only those that offer it. Empty: all.
};

struct WorkersPage {
  std::vector<WorkerStatus> workers;
  bool more = false;
};

}  // namespace millrace::dispatch
