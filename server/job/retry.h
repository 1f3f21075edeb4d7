// Retry: attempt number in; next delay, or "enough", out. Arithmetic only: no timers, no random source of its own.
//
// Backoff is exponential with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog): uniform in [0,
// cap], so a thousand jobs that failed together do not come back together.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "job/job.h"

namespace millrace {

struct RetryPolicy {
  int max_attempts = 25;  // In total, the first one included.
  Nanos initial_backoff = std::chrono::seconds(1);
  Nanos max_backoff = std::chrono::hours(1);
  double multiplier = 2;

  bool operator==(const RetryPolicy&) const = default;
};

inline constexpr int kMaxAttemptsLimit = 1000;
inline constexpr double kMultiplierLimit = 100;

// The job's setting, else the kind's, else the default, field by field.
RetryPolicy ResolveRetry(const RetryOverrides& job, const RetryOverrides& kind);

// The longest pause after `attempts` failed ones (from 1): initial * multiplier^(attempts - 1), max_backoff at most.
Nanos BackoffCap(const RetryPolicy& policy, int attempts);

// The pause before the next attempt, uniform in [0, BackoffCap]; nullopt: that was the last one. `random` in [0, 1).
std::optional<Nanos> NextDelay(const RetryPolicy& policy, int attempts, double random);

}  // namespace millrace
