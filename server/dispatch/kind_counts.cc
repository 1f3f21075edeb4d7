#include "dispatch/kind_counts.h"

#include <utility>

namespace millrace::dispatch {

KindCounts::KindCounts(std::string pool, const Runner& runner) : pool_(std::move(pool)), runner_(&runner) {
  Renew(runner);
}

void KindCounts::Renew(const Runner& runner) {
  runner_ = &runner;
  for (const std::string& name : runner.Kinds()) {
    const KindOptions* kind = runner.FindKind(name);
    if (kind != nullptr && (kind->pool.empty() ? kDefaultPool : std::string_view(kind->pool)) == pool_) Add(*kind);
  }
}

KindCounts::Counts& KindCounts::Of(const KindOptions& kind) {
  if (&kind == newest_) return *newest_counts_;
  auto known = by_options_.find(&kind);
  newest_counts_ = known != by_options_.end() ? known->second : &Add(kind);
  newest_ = &kind;
  return *newest_counts_;
}

KindCounts::Counts& KindCounts::Add(const KindOptions& kind) {
  const bool may_have_own = by_name_.size() < kOwnKindsMax || by_name_.contains(kind.name);
  const bool has_own = may_have_own && runner_->FindKind(kind.name) == &kind;
  Counts& counts = by_name_[has_own ? kind.name : kOtherKinds];
  by_options_.emplace(&kind, &counts);
  return counts;
}

void KindCounts::CountEnd(const KindOptions& kind, JobState state) { ++Of(kind).finished[static_cast<size_t>(state)]; }

void KindCounts::CountAttempt(const KindOptions& kind, AttemptResult result) {
  ++Of(kind).attempts[static_cast<size_t>(result)];
}

void KindCounts::ObserveRun(const KindOptions& kind, double seconds) { Of(kind).run_seconds.Observe(seconds); }

std::vector<KindStats> KindCounts::Stats() const {
  std::vector<KindStats> stats;
  stats.reserve(by_name_.size());
  for (const auto& [name, counts] : by_name_) {
    stats.push_back({.kind = name,
                     .finished = counts.finished,
                     .attempts = counts.attempts,
                     .run_seconds = counts.run_seconds.Snapshot()});
  }
  return stats;
}

}  // namespace millrace::dispatch
