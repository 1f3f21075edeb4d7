#include "dispatch/efficiency.h"

#include <algorithm>

namespace millrace::dispatch {

namespace {

int64_t SliceOf(MonoTime time) { return time.time_since_epoch() / EfficiencyWindow::kSlice; }
MonoTime StartOf(int64_t index) { return MonoTime(EfficiencyWindow::kSlice * index); }

double Ratio(Nanos part, Nanos whole) {
  return whole > Nanos(0) ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
}

Nanos Scale(Nanos time, double factor) {
  return Nanos(static_cast<int64_t>(static_cast<double>(time.count()) * factor));
}

}  // namespace

WorkTimes& WorkTimes::operator+=(const WorkTimes& other) {
  useful += other.useful;
  lost_runnable += other.lost_runnable;
  lost_blocked += other.lost_blocked;
  return *this;
}

WorkTimes WorkOf(const AttemptTimings& timings) {
  return {.useful = timings.cpu + timings.blocked_outside,
          .lost_runnable = timings.runnable,
          .lost_blocked = timings.blocked_inside};
}

Efficiency ComputeEfficiency(const WorkTimes& work, Nanos busy, Nanos offered, Nanos window) {
  return {.window = window,
          .speedup = Ratio(work.useful, window),
          .efficiency = Ratio(work.useful, offered),
          .utilization = Ratio(busy, offered),
          .work = work};
}

EfficiencyWindow::EfficiencyWindow(MonoTime now, int workers) : born_(now), accrued_(now), workers_(workers) {}

EfficiencyWindow::Slice* EfficiencyWindow::At(int64_t index) {
  Slice& slice = slices_[static_cast<size_t>(index) % slices_.size()];
  if (slice.index > index) return nullptr;
  if (slice.index < index) slice = Slice{.index = index};
  return &slice;
}

void EfficiencyWindow::Accrue(MonoTime now) {
  if (now <= accrued_) return;
  MonoTime from = std::max(accrued_, StartOf(SliceOf(now) - kSlices));
  accrued_ = now;
  while (from < now) {
    int64_t index = SliceOf(from);
    MonoTime to = std::min(now, StartOf(index + 1));
    if (Slice* slice = At(index)) {
      slice->offered += (to - from) * workers_;
      slice->busy += (to - from) * busy_;
    }
    from = to;
  }
}

void EfficiencyWindow::SetWorkers(MonoTime now, int workers) {
  Accrue(now);
  workers_ = workers;
}

void EfficiencyWindow::SetBusy(MonoTime now, int busy) {
  Accrue(now);
  busy_ = busy;
}

void EfficiencyWindow::Add(MonoTime start, MonoTime end, const WorkTimes& work) {
  int64_t first = SliceOf(start), last = SliceOf(end);
  if (first == last) {  // Nearly always.
    if (Slice* slice = At(last)) slice->work += work;
    return;
  }
  for (int64_t index = std::max(first, last - kSlices); index <= last; ++index) {
    double share = Ratio(std::min(end, StartOf(index + 1)) - std::max(start, StartOf(index)), end - start);
    if (Slice* slice = At(index)) {
      slice->work += {Scale(work.useful, share), Scale(work.lost_runnable, share), Scale(work.lost_blocked, share)};
    }
  }
}

Efficiency EfficiencyWindow::Read(MonoTime now) {
  Accrue(now);
  const int64_t newest = SliceOf(now);
  WorkTimes work;
  Nanos busy{0}, offered{0};
  for (const Slice& slice : slices_) {
    if (slice.index < newest - kSlices || slice.index > newest) continue;
    work += slice.work;
    busy += slice.busy;
    offered += slice.offered;
  }
  return ComputeEfficiency(work, busy, offered, now - std::max(born_, StartOf(newest - kSlices)));
}

}  // namespace millrace::dispatch
