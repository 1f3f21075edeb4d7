#include "dispatch/missing_pool.h"

#include <utility>

namespace millrace::dispatch {

PoolOptions MissingPoolOptions(std::string name) {
  return {.name = std::move(name), .runner = "none", .workers = 0, .capacity_jobs = 1, .capacity_bytes = 0};
}

Status PoolNotConfigured(const std::string& pool, const std::string& what) {
  return FailedPrecondition("POOL_NOT_CONFIGURED", what + ", since pool '" + pool +
                                                       "' is not configured any more; add [pool." + pool +
                                                       "] to the configuration and restart")
      .With("pool", pool);
}

}  // namespace millrace::dispatch
