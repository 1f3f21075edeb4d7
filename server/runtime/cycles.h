// Ticks: the cheapest clock there is, for accounting at every switch. The time-stamp counter where it is invariant,
// else CLOCK_MONOTONIC in nanoseconds. Deadlines are kept in nanoseconds; ticks only say when it is worth looking.
#pragma once

#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace millrace::rt {

struct TickScale {
  bool use_tsc;
  double ticks_per_ns;
};
// Measured against CLOCK_MONOTONIC for some milliseconds the first time it is asked for.
const TickScale& GetTickScale();

inline int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

namespace internal {
extern bool use_tsc;  // As GetTickScale().use_tsc; set before the first scheduler runs.
}

inline uint64_t NowTicks() {
#if defined(__x86_64__)
  if (__builtin_expect(internal::use_tsc, 1)) return __rdtsc();
#endif
  return static_cast<uint64_t>(NowNs());
}

inline int64_t TicksToNs(uint64_t ticks) {
  return static_cast<int64_t>(static_cast<double>(ticks) / GetTickScale().ticks_per_ns);
}

// Some hundred years have more ticks than the counter: then half of its range, so that it can be added to NowTicks.
inline uint64_t NsToTicks(int64_t ns) {
  constexpr auto kMost = uint64_t{1} << 63;
  double ticks = static_cast<double>(ns) * GetTickScale().ticks_per_ns;
  return ticks < static_cast<double>(kMost) ? static_cast<uint64_t>(ticks) : kMost;
}

// Counters of two processors may differ by a few ticks: an interval is never negative.
inline uint64_t TicksBetween(uint64_t from, uint64_t to) { return to > from ? to - from : 0; }

}  // namespace millrace::rt
