// Plain counters of the runtime, summed over its processors, for others to read (metrics/ gives them names).
#pragma once

#include <array>
#include <cstdint>

namespace millrace::rt {

// Time from ready to running, counted per switch in powers of four: bucket i counts waits below kWaitBucketNanos[i],
// the last one all others.
inline constexpr std::array<int64_t, 10> kWaitBucketNanos = {1'000,     4'000,     16'000,     64'000,     256'000,
                                                             1'000'000, 4'000'000, 16'000'000, 64'000'000, 256'000'000};

struct RuntimeStats {
  int procs = 0;
  int procs_idle = 0;
  int machines = 0;           // OS threads of the runtime
  int machines_spinning = 0;  // looking for work
  int machines_idle = 0;      // asleep
  int64_t fibers = 0;         // started and not finished
  int64_t fibers_running = 0;
  int64_t fibers_runnable = 0;  // in a run queue
  int64_t fibers_parked = 0;

  uint64_t fibers_started = 0;
  uint64_t switches_voluntary = 0;  // a fiber parked, yielded or ended
  uint64_t switches_preempted = 0;  // was stopped by a signal
  uint64_t switches_handoff = 0;    // lost its processor to a blocking call
  uint64_t steals = 0;              // successful raids
  uint64_t fibers_stolen = 0;
  uint64_t timers_fired = 0;
  uint64_t machine_wakeups = 0;
  double switch_seconds =
      0;  // spent in the scheduler between two fibers, searching excluded; estimated from every 64th switch

  std::array<uint64_t, kWaitBucketNanos.size() + 1> wait_buckets{};
  double wait_seconds_sum = 0;
};

}  // namespace millrace::rt
