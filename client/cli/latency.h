// LatencyHistogram: percentiles of times from nanoseconds to hours in fixed memory, as HdrHistogram does it: buckets of
// powers of two, each cut into 128 equal parts, so a percentile is at most 0.8 % too high.
//
//   Threads   Record from any thread; read when the recorders are done.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace::cli {

class LatencyHistogram {
 public:
  using Nanos = std::chrono::nanoseconds;

  void Record(Nanos time, int64_t times = 1);  // Negative counts as 0, more than an hour as an hour.

  int64_t count() const;
  // The upper edge of the bucket that holds the value of this rank, never above the largest value. `share` in [0, 1]; 0
  // when empty.
  Nanos Percentile(double share) const;
  Nanos Mean() const;
  Nanos Max() const { return Nanos(max_.load(std::memory_order_relaxed)); }

 private:
  static constexpr int kSubBits = 7;
  static constexpr int kOctaves = 42 - kSubBits;  // 2^42 ns is 73 minutes.
  static constexpr int64_t kMax = 3'600'000'000'000;

  static size_t Index(int64_t value);
  static int64_t UpperEdge(size_t index);

  std::array<std::atomic<int64_t>, (kOctaves + 1) << kSubBits> buckets_{};
  std::atomic<int64_t> sum_{0};
  std::atomic<int64_t> max_{0};
};

}  // namespace millrace::cli
