// A spec in which every field says something, for tests of what must not lose one.
#pragma once

#include <chrono>

#include "job/job.h"

namespace millrace::test {

// Not one that Validate takes: some fields exclude each other.
inline JobSpec FullSpec() {
  using std::chrono::seconds;
  JobSpec spec;
  spec.pool = "thumbs";
  spec.kind = "resize";
  spec.payload = MakeBytes("payload");
  spec.band = Band::kHigh;
  spec.delay = seconds(1);
  spec.run_at = WallTime(seconds(2));
  spec.run_timeout = seconds(3);
  spec.deadline = WallTime(seconds(4));
  spec.deadline_after = seconds(8);
  spec.retry = {.max_attempts = 5, .initial_backoff = seconds(6), .max_backoff = seconds(7), .multiplier = 1.5};
  spec.no_retry_after_start = true;
  spec.labels = {{"a", "b"}, {"c", ""}};
  spec.unique_key = UniqueKey{.key = "u", .scope = UniqueScope::kWhileQueued, .on_taken = OnTaken::kReject};
  spec.trace = Trace({.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                      .tracestate = "vendor=1",
                      .baggage = "user=7"});
  spec.placement = {.require = {{"gpu", "a100"}}, .prefer = {{"worker", "w1"}, {"zone", "b"}}};
  return spec;
}

}  // namespace millrace::test
