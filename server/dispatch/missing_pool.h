// A pool that jobs of the store belong to and the configuration does not have any more. Such a pool is made at start, without workers, so
// that its jobs are kept: clients see, cancel and let them expire as any other, nobody submits to it, and they run when a later start
// finds it configured again. Only a start makes one.
#pragma once

#include <string>

#include "base/status.h"
#include "dispatch/pool_status.h"
#include "dispatch/runner.h"

namespace millrace::dispatch {

// Knows no kind, and is never asked to run one.
class MissingRunner final : public Runner {
 public:
  std::string_view name() const override { return "none"; }
  const KindOptions* FindKind(std::string_view) const override { return nullptr; }
  std::vector<std::string> Kinds() const override { return {}; }
  AttemptOutcome Run(AttemptContext&) override { return AttemptOutcome::Failed("its pool is not configured"); }
};

PoolOptions MissingPoolOptions(std::string name);

// FAILED_PRECONDITION POOL_NOT_CONFIGURED. `what`: cannot be done, because.
Status PoolNotConfigured(const std::string& pool, const std::string& what);

}  // namespace millrace::dispatch
