#include "job/retry.h"

#include <algorithm>
#include <cmath>

namespace millrace {

RetryPolicy ResolveRetry(const RetryOverrides& job, const RetryOverrides& kind) {
  const RetryPolicy defaults;
  return {
      .max_attempts = job.max_attempts.value_or(kind.max_attempts.value_or(defaults.max_attempts)),
      .initial_backoff = job.initial_backoff.value_or(kind.initial_backoff.value_or(defaults.initial_backoff)),
      .max_backoff = job.max_backoff.value_or(kind.max_backoff.value_or(defaults.max_backoff)),
      .multiplier = job.multiplier.value_or(kind.multiplier.value_or(defaults.multiplier)),
  };
}

Nanos BackoffCap(const RetryPolicy& policy, int attempts) {
  // In doubles, which go to infinity where integers would overflow.
  double cap =
      static_cast<double>(policy.initial_backoff.count()) * std::pow(policy.multiplier, std::max(attempts, 1) - 1);
  if (cap >= static_cast<double>(policy.max_backoff.count())) return policy.max_backoff;
  return Nanos(static_cast<int64_t>(cap));
}

std::optional<Nanos> NextDelay(const RetryPolicy& policy, int attempts, double random) {
  if (attempts >= policy.max_attempts) return std::nullopt;
  return Nanos(static_cast<int64_t>(static_cast<double>(BackoffCap(policy, attempts).count()) * random));
}

}  // namespace millrace
