// LogLimit: lets the first few lines of each period through. For messages that strangers can cause again and again.
//
//   if (!limit.Admit(now, &left_out)) return;
//   if (left_out > 0) LogWarning("%llu like these were left out", ...);
//   LogWarning(...);
//
//   Threads   Any. Lock-free; two threads that meet at the end of a period may let a line too many through.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace {

class LogLimit {
 public:
  LogLimit(uint32_t lines, std::chrono::steady_clock::duration period) : lines_(lines), period_(period) {}

  // `left_out`: how many lines were refused since the last line that was let through. It is given once, when a period
  // begins; 0 otherwise.
  bool Admit(std::chrono::steady_clock::time_point now, uint64_t* left_out) {
    *left_out = 0;
    const int64_t time = now.time_since_epoch().count();
    int64_t end = end_.load(std::memory_order_relaxed);
    if (time >= end && end_.compare_exchange_strong(end, time + period_.count(), std::memory_order_relaxed)) {
      admitted_.store(0, std::memory_order_relaxed);
      *left_out = left_out_.exchange(0, std::memory_order_relaxed);
    }
    if (admitted_.fetch_add(1, std::memory_order_relaxed) < lines_) return true;
    left_out_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

 private:
  const uint32_t lines_;
  const std::chrono::steady_clock::duration period_;
  std::atomic<int64_t> end_{INT64_MIN};
  std::atomic<uint64_t> admitted_{0}, left_out_{0};
};

}  // namespace millrace
