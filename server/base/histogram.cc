#include "base/histogram.h"

#include <algorithm>

#include "base/check.h"

namespace millrace {

uint64_t HistogramSnapshot::count() const {
  uint64_t total = 0;
  for (uint64_t bucket : counts) total += bucket;
  return total;
}

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds_.size() + 1)) {
  for (size_t i = 1; i < bounds_.size(); ++i) {
    MR_CHECK(bounds_[i - 1] < bounds_[i], "histogram bounds do not increase: %g, %g", bounds_[i - 1], bounds_[i]);
  }
}

void Histogram::Observe(double value) {
  // A value that equals a bound belongs to the bucket below the bound, as for `le` of Prometheus.
  size_t bucket = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

HistogramSnapshot Histogram::Snapshot() const {
  HistogramSnapshot snapshot{.bounds = bounds_, .counts = {}, .sum = sum_.load(std::memory_order_relaxed)};
  snapshot.counts.reserve(bounds_.size() + 1);
  for (size_t i = 0; i <= bounds_.size(); ++i) snapshot.counts.push_back(counts_[i].load(std::memory_order_relaxed));
  return snapshot;
}

std::vector<double> Histogram::ExponentialBounds(double start, double factor, int count) {
  std::vector<double> bounds;
  for (double bound = start; count > 0; --count, bound *= factor) bounds.push_back(bound);
  return bounds;
}

std::vector<double> Histogram::SecondsBounds() { return ExponentialBounds(10e-6, 2.5, 20); }

}  // namespace millrace
