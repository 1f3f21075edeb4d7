// PoolMemory: what operators said of pools, for the next life of the daemon. store/ answers.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"

namespace millrace::dispatch {

struct PoolWish {
  bool paused = false;
  bool draining = false;
  bool operator==(const PoolWish&) const = default;
};
// By name; those that are neither are left out. A pool that is not configured any more keeps its wish until it is back.
using PoolWishes = std::map<std::string, PoolWish>;

class PoolMemory {
 public:
  virtual ~PoolMemory() = default;

  // Before any Keep. An error: they are forgotten.
  virtual Result<PoolWishes> Load() = 0;
  // When it returns OK, these or later ones survive a loss of power. `version`: greater for later wishes, so that of
  // two calls at the same time the later one stands. Any thread; waits for the disk.
  virtual Status Keep(uint64_t version, const PoolWishes& wishes) = 0;
};

}  // namespace millrace::dispatch
