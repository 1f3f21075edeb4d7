// Wall and monotonic time behind one interface, so that a test can own time.
//
// Monotonic time drives leases, delays, timeouts and backoff; wall time is only for what people wrote down (run_at, cron) and
// for time stamps shown to them. Both are nanoseconds.
//   Threads   Every call is safe from any thread or fiber and never blocks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace {

using Nanos = std::chrono::nanoseconds;

// A point on the monotonic clock; its origin means nothing.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Nanos>;
// A point in the world, since the Unix epoch.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Nanos>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime Mono() const = 0;
  virtual WallTime Wall() const = 0;
};

// The machine's clocks.
class SystemClock final : public Clock {
 public:
  MonoTime Mono() const override;
  WallTime Wall() const override;
};

// Time that stands still until told otherwise. For tests.
class ManualClock final : public Clock {
 public:
  MonoTime Mono() const override { return MonoTime(Nanos(mono_.load(std::memory_order_relaxed))); }
  WallTime Wall() const override { return WallTime(Nanos(wall_.load(std::memory_order_relaxed))); }

  void Advance(Nanos by) {
    mono_.fetch_add(by.count(), std::memory_order_relaxed);
    wall_.fetch_add(by.count(), std::memory_order_relaxed);
  }
  // Somebody sets the machine's date: monotonic time does not notice.
  void StepWall(Nanos by) { wall_.fetch_add(by.count(), std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> mono_{1'000'000'000};
  std::atomic<int64_t> wall_{
      1'700'000'000'000'000'000};  // 2023-11-14: any date would do, a fixed one reads well in logs.
};

}  // namespace millrace
