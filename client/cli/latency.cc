#include "client/cli/latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace millrace::cli {

// Values below 2^kSubBits have a bucket each. Above, the octave is the position of the highest bit and the next
// kSubBits bits choose the part of it.
size_t LatencyHistogram::Index(int64_t value) {
  const int octave = std::max(static_cast<int>(std::bit_width(static_cast<uint64_t>(value))) - kSubBits, 0);
  if (octave == 0) return static_cast<size_t>(value);
  const int64_t part = (value >> (octave - 1)) - (int64_t{1} << kSubBits);
  return static_cast<size_t>((int64_t{octave} << kSubBits) + part);
}

int64_t LatencyHistogram::UpperEdge(size_t index) {
  const int octave = static_cast<int>(index >> kSubBits);
  const int64_t part = static_cast<int64_t>(index & ((size_t{1} << kSubBits) - 1));
  if (octave == 0) return part;
  return ((part + (int64_t{1} << kSubBits) + 1) << (octave - 1)) - 1;
}

void LatencyHistogram::Record(Nanos time, int64_t times) {
  const int64_t value = std::clamp<int64_t>(time.count(), 0, kMax);
  buckets_[Index(value)].fetch_add(times, std::memory_order_relaxed);
  sum_.fetch_add(value * times, std::memory_order_relaxed);
  int64_t max = max_.load(std::memory_order_relaxed);
  while (value > max && !max_.compare_exchange_weak(max, value, std::memory_order_relaxed)) {
  }
}

int64_t LatencyHistogram::count() const {
  int64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

LatencyHistogram::Nanos LatencyHistogram::Percentile(double share) const {
  const int64_t total = count();
  if (total == 0) return Nanos(0);
  const auto rank = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(share * static_cast<double>(total))), 1, total);
  int64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (seen >= rank) return std::min(Nanos(UpperEdge(i)), Max());
  }
  return Max();
}

LatencyHistogram::Nanos LatencyHistogram::Mean() const {
  const int64_t total = count();
  return Nanos(total == 0 ? 0 : sum_.load(std::memory_order_relaxed) / total);
}

}  // namespace millrace::cli
