// A pool that jobs belong to and the configuration does not have any more. It has no workers, and keeps its jobs:
// clients see, cancel and let them expire as any other, nobody submits to it, and they run when it is configured again.
// A start makes one for jobs of the store; Dispatcher::Apply makes one of a pool that is not configured any more.
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
