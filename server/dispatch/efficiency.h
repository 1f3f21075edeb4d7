// Efficiency: where the time of a pool's workers goes, and what it buys.
//
// The time of an attempt is useful (on a processor, or waiting for what is inherently outside: I/O, timers, a child) or
// lost (waiting for a processor, or for another fiber's lock or channel). Over a window T with W workers:
//   speedup = useful / T        efficiency = speedup / W        utilization = worker time / (W * T)
// Ten CPU-bound workers on two processors: speedup 2, efficiency 0.2, utilization 1.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "job/job.h"

namespace millrace::dispatch {

struct WorkTimes {
  Nanos useful{0};
  Nanos lost_runnable{0};
  Nanos lost_blocked{0};

  Nanos total() const { return useful + lost_runnable + lost_blocked; }
  WorkTimes& operator+=(const WorkTimes& other);
};

WorkTimes WorkOf(const AttemptTimings& timings);

struct Efficiency {
  Nanos window{0};
  double speedup = 0;
  double efficiency = 0;
  double utilization = 0;
  WorkTimes work;
};

// `offered`: workers times window, `busy`: the part of it spent on attempts.
Efficiency ComputeEfficiency(const WorkTimes& work, Nanos busy, Nanos offered, Nanos window);

// The last minute, in slices. An attempt's useful and lost time is known when it ends and is then spread over the time
// it took, so a long attempt is not a spike; utilization follows the number of busy workers and needs no attempt to
// end.
//   Threads   Guarded by the owner's lock.
class EfficiencyWindow {
 public:
  static constexpr Nanos kSlice = std::chrono::seconds(5);
  static constexpr int kSlices = 12;

  EfficiencyWindow(MonoTime now, int workers);

  void SetWorkers(MonoTime now, int workers);
  void SetBusy(MonoTime now, int busy);
  void Add(MonoTime start, MonoTime end, const WorkTimes& work);

  // In the present slice and the kSlices before it, or since construction when that is shorter.
  Efficiency Read(MonoTime now);

 private:
  struct Slice {
    int64_t index = -1;  // Which multiple of kSlice since the epoch of the clock this is; -1: none.
    WorkTimes work;
    Nanos offered{0}, busy{0};
  };
  // Nullptr: too old for the window.
  Slice* At(int64_t index);
  void Accrue(MonoTime now);

  std::array<Slice, kSlices + 1> slices_;
  MonoTime born_, accrued_;
  int workers_, busy_ = 0;
};

}  // namespace millrace::dispatch
