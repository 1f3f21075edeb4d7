// The scheduler's counters, summed.
#include "runtime/stats.h"

#include <algorithm>
#include <cmath>

#include "runtime/cycles.h"
#include "runtime/scheduler.h"

namespace millrace::rt {

RuntimeStats Scheduler::Stats() const {
  RuntimeStats stats;
  stats.procs = procs();
  stats.procs_idle = idle_.idle_processors();
  stats.machines_spinning = std::max(0, idle_.spinning());
  {
    LockGuard guard(shared_.lock);
    stats.machines = machines_.count();
    stats.machines_idle = SpareMachines() + (poller_role_.asleep() ? 1 : 0);
  }
  // First, so that a fiber counts as finished only where it counts as started. The order of two processors' counters is
  // not kept in every case.
  uint64_t finished = outside_finished_.load(std::memory_order_relaxed);
  processors_.ForEach([&](Processor& processor) { finished += processor.counters.fibers_finished.Get(); });
  uint64_t started = outside_started_.load(std::memory_order_relaxed), wait_ticks = 0, switch_ticks = 0;
  stats.fibers_runnable = shared_.count();
  processors_.ForEach([&](Processor& processor) {
    const ProcessorCounters& counters = processor.counters;
    started += counters.fibers_started.Get();
    stats.switches_preempted += counters.switches_preempted.Get();
    stats.switches_voluntary += counters.switches_voluntary.Get();
    stats.steals += counters.steals.Get();
    stats.fibers_stolen += counters.fibers_stolen.Get();
    stats.timers_fired += counters.timers_fired.Get();
    switch_ticks += counters.switch_ticks.Get();
    wait_ticks += counters.wait_ticks.Get();
    stats.fibers_runnable += processor.run_queue.Size();
    for (size_t bits = 0; bits < counters.wait_log2.size(); ++bits) {
      uint64_t count = counters.wait_log2[bits].Get();
      if (count == 0) continue;
      // Waits with this highest bit are below 2^bits ticks.
      double upper_ns = std::ldexp(1.0, static_cast<int>(bits)) / GetTickScale().ticks_per_ns;
      size_t bucket = 0;
      while (bucket < kWaitBucketNanos.size() && static_cast<double>(kWaitBucketNanos[bucket]) < upper_ns) ++bucket;
      stats.wait_buckets[bucket] += count;
    }
  });
  stats.timers_fired += timers_fired_late_.Get();
  stats.switches_handoff = handoffs_.load(std::memory_order_relaxed);
  stats.fibers_started = started;
  stats.fibers = std::max<int64_t>(0, static_cast<int64_t>(started - finished));
  stats.fibers_running = std::clamp<int64_t>(stats.procs - stats.procs_idle - stats.machines_spinning, 0, stats.fibers);
  stats.fibers_runnable = std::clamp<int64_t>(stats.fibers_runnable, 0, stats.fibers - stats.fibers_running);
  stats.fibers_parked = stats.fibers - stats.fibers_running - stats.fibers_runnable;
  stats.switch_seconds = static_cast<double>(TicksToNs(switch_ticks)) / 1e9;
  stats.wait_seconds_sum = static_cast<double>(TicksToNs(wait_ticks)) / 1e9;
  stats.machine_wakeups = machine_wakeups_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace millrace::rt
