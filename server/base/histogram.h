// Histogram: counts of values in fixed buckets, for metrics. Lock-free; buckets are chosen once.
//
//   Threads   Observe from any thread; Snapshot from any thread, each bucket consistent by itself.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

struct HistogramSnapshot {
  std::vector<double> bounds;    // Upper bounds in the unit of the values; an implicit last bucket is unbounded.
  std::vector<uint64_t> counts;  // bounds.size() + 1, not cumulative.
  double sum = 0;
  uint64_t count() const;
};

class Histogram {
 public:
  // `bounds` strictly increasing.
  explicit Histogram(std::vector<double> bounds);

  void Observe(double value);
  HistogramSnapshot Snapshot() const;

  // `count` bounds: start, start * factor, ...
  static std::vector<double> ExponentialBounds(double start, double factor, int count);
  // For times in seconds: 10 us to about 10 minutes.
  static std::vector<double> SecondsBounds();

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

}  // namespace millrace
