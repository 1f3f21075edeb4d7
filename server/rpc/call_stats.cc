#include "rpc/call_stats.h"

namespace millrace::rpc {

CallStats::CallStats() {
  for (size_t i = 0; i < kMethods; ++i) seconds_.emplace_back(Histogram::SecondsBounds());
}

void CallStats::Answered(Method method, StatusCode code, double seconds) {
  // relaxed: counters order nothing.
  requests_[static_cast<size_t>(method)][static_cast<size_t>(code)].fetch_add(1, std::memory_order_relaxed);
  seconds_[static_cast<size_t>(method)].Observe(seconds);
}

uint64_t CallStats::Requests(Method method, StatusCode code) const {
  return requests_[static_cast<size_t>(method)][static_cast<size_t>(code)].load(std::memory_order_relaxed);
}

HistogramSnapshot CallStats::Seconds(Method method) const { return seconds_[static_cast<size_t>(method)].Snapshot(); }

}  // namespace millrace::rpc
