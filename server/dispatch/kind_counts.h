// KindCounts: what became of a pool's jobs, by kind, for metrics.
//
//   Kinds     Those whose home the pool is (KindOptions.pool) are there from the start, at zero. Others that the runner
//             knows are there from their first job on. A kind that is replaced goes on with its counts. What is beyond
//             kOwnKindsMax, and what the runner does not know (a recovered job of an earlier configuration), is counted
//             as kOtherKinds: so neither clients nor remote workers decide how many there are.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/histogram.h"
#include "dispatch/pool_status.h"
#include "dispatch/runner.h"
#include "job/job.h"

namespace millrace::dispatch {

inline constexpr size_t kOwnKindsMax = 100;  // In one pool. A kind is some 30 series.
inline constexpr const char* kOtherKinds = "other";

class KindCounts {
 public:
  // `runner` outlives it and knows its kinds already.
  KindCounts(std::string pool, const Runner& runner);
  // Its kinds were replaced, or it is another runner.
  void Renew(const Runner& runner);

  void CountEnd(const KindOptions& kind, JobState state);
  void CountAttempt(const KindOptions& kind, AttemptResult result);
  void ObserveRun(const KindOptions& kind, double seconds);

  // In the order of their names.
  std::vector<KindStats> Stats() const;

 private:
  struct Counts {
    std::array<uint64_t, kJobStates> finished{};
    std::array<uint64_t, kAttemptResults> attempts{};
    Histogram run_seconds{Histogram::SecondsBounds()};
  };
  Counts& Of(const KindOptions& kind);
  Counts& Add(const KindOptions& kind);

  const std::string pool_;
  const Runner* runner_;
  std::map<std::string, Counts> by_name_;                       // Owns them.
  std::unordered_map<const KindOptions*, Counts*> by_options_;  // To find one without comparing names.
  // The one that was asked for last: an attempt asks three times, and most pools run one kind.
  const KindOptions* newest_ = nullptr;
  Counts* newest_counts_ = nullptr;
};

}  // namespace millrace::dispatch
