// Wall and monotonic time behind one interface, so that a test can own time.
//
// Monotonic time drives leases, delays, timeouts and backoff; wall time is only for what people wrote down (run_at,
// cron) and for time stamps shown to them. Both are nanoseconds.
//   Threads   Every call is safe from any thread or fiber and never blocks.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <ratio>
#include <utility>

namespace millrace {

using Nanos = std::chrono::nanoseconds;

// A point on the monotonic clock; its origin means nothing.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Nanos>;
// A point in the world, since the Unix epoch.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Nanos>;

// A parameter that takes a duration of any unit, and is in nanoseconds. A duration that nanoseconds cannot hold becomes
// the greatest or least one that they can. So hours::max() means "no limit" as nanoseconds::max() does, and not what is
// left over from an overflow.
class AnyDuration {
 public:
  template <std::integral Rep, typename Period>
  constexpr AnyDuration(std::chrono::duration<Rep, Period> duration)  // NOLINT: every duration is one
      : nanos_(Saturated(duration)) {}
  constexpr operator Nanos() const { return nanos_; }  // NOLINT
  constexpr Nanos nanos() const { return nanos_; }

 private:
  template <typename Rep, typename Period>
  static constexpr Nanos Saturated(std::chrono::duration<Rep, Period> duration) {
    if constexpr (std::ratio_greater_v<Period, std::nano>) {
      using Wide = std::chrono::duration<int64_t, Period>;
      if (std::cmp_greater(duration.count(), std::chrono::duration_cast<Wide>(Nanos::max()).count()))
        return Nanos::max();
      if (std::cmp_less(duration.count(), std::chrono::duration_cast<Wide>(Nanos::min()).count())) return Nanos::min();
    }
    return std::chrono::duration_cast<Nanos>(duration);
  }

  Nanos nanos_;
};

// `from` plus `by`, or the end of the clock's range where the sum lies beyond it. To be used for every sum with a
// duration that comes from outside: nanoseconds::max() is what people write for "no limit".
template <typename C>
constexpr std::chrono::time_point<C, Nanos> Later(std::chrono::time_point<C, Nanos> from, Nanos by) {
  using Time = std::chrono::time_point<C, Nanos>;
  int64_t sum = 0;
  if (!__builtin_add_overflow(from.time_since_epoch().count(), by.count(), &sum)) return Time(Nanos(sum));
  return by > Nanos(0) ? Time::max() : Time::min();
}

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
  // 2023-11-14: any date would do, a fixed one reads well in logs.
  std::atomic<int64_t> wall_{1'700'000'000'000'000'000};
};

}  // namespace millrace
