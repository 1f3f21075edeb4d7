// Shares: how one processor divides its time between the kinds of ready fibers (ready_lists.h), so that whoever comes
// first by its kind does not take everything.
//
//   urgent    before all others, until they have run for a slice on end; then the others have a slice
//   timely    before hogs, with what is in the processor's ring; of those the lists get a look once a millisecond at
//             least
//   hogs      when nothing else is there, and for a slice whenever the others have had one since the last hog ran. So
//             both halves of a processor that is wanted by both get half of its time, and a fiber that wakes waits for
//             the slice of a hog at most, however many hogs there are
//
// A burst is what a fiber runs between two waits, or until it is stopped. A multi-level feedback queue with two levels:
// the end of a slice moves a fiber down, a wait moves it up (Corbato's of 1962; what is left out is a memory of earlier
// bursts).
//
//   Threads   Whoever holds the processor, which TSan cannot know: sysmon may have taken it from the one before. Times
//             are ticks (cycles.h); `tick` is the number of the processor's present slice.
#pragma once

#include <cstdint>

#include "runtime/sanitizers.h"

namespace millrace::rt {

class Shares {
 public:
  // ---- When to look at the lists, whatever is in the ring
  // Not twice in a row: the ring has a turn in between, if there is somebody in it.
  MR_NO_TSAN bool LookIsDue(uint64_t now, uint64_t tick) const { return now >= look_at_ && tick != looked_tick_; }
  MR_NO_TSAN void Looks(uint64_t now, uint64_t slice) { look_at_ = now + slice / 10; }
  // Every kTurns-th slice. A prime, so as not to march in step with a program's own rhythm (Go's number).
  static constexpr uint64_t kTurns = 61;
  MR_NO_TSAN bool TurnIsDue(uint64_t tick) {
    if (tick < turn_) [[likely]]
      return false;
    if (tick > turn_) turn_ += (tick - turn_ + kTurns - 1) / kTurns * kTurns;
    return tick == turn_;
  }
  // A fiber was found by that, and runs in the next slice.
  MR_NO_TSAN void Found(uint64_t tick) { looked_tick_ = tick + 1; }

  // ---- Urgent ones
  MR_NO_TSAN bool UrgentMayGo(uint64_t now, uint64_t tick, uint64_t slice) {
    if (now < others_until_) return false;
    if (!OnEnd(now, tick, slice) || now - urgent_since_ < slice) return true;
    others_until_ = now + slice;
    hogs_due_ += now - urgent_since_;  // That time was not the timely ones' either.
    return false;
  }
  // One is taken, and runs in the next slice.
  MR_NO_TSAN void UrgentGoes(uint64_t now, uint64_t tick, uint64_t slice) {
    if (!OnEnd(now, tick, slice)) urgent_since_ = now;
    urgent_at_ = now;
    urgent_tick_ = tick + 1;
  }

  // ---- Hogs
  MR_NO_TSAN bool HogsGoFirst(uint64_t now) const { return now < hogs_until_ || now >= hogs_due_; }
  // One is taken: before the others, or because there are none.
  MR_NO_TSAN void HogGoesFirst(uint64_t now, uint64_t tick, uint64_t slice) {
    hog_tick_ = tick + 1;
    if (now < hogs_until_) return;
    hogs_until_ = now + slice;
    hogs_due_ = now + 2 * slice;
  }
  MR_NO_TSAN void HogGoes(uint64_t now, uint64_t tick, uint64_t slice) {
    hog_tick_ = tick + 1;
    hogs_due_ = now + slice;
  }
  // A fiber was stopped, or gave way after computing. If that was the turn of a hog, the others have a slice from here
  // on. One that becomes a hog only now was one of the others.
  MR_NO_TSAN void BurstEnds(uint64_t now, uint64_t tick, uint64_t slice) {
    if (tick == hog_tick_) hogs_due_ = now + slice;
  }

  // ---- Yields. Fibers that do nothing but yield to each other wait for something in their way: hogs come before them.
  MR_NO_TSAN void Yields() { ++yields_; }
  // At every `interval`-th slice: has nothing but yields happened in the last ones?
  MR_NO_TSAN bool OnlyYields(uint64_t interval) {
    uint64_t before = yields_before_;
    yields_before_ = yields_;
    return yields_ - before >= interval - 1;
  }

 private:
  // Was the last one to run an urgent one as well, and not long ago, before the processor was idle?
  MR_NO_TSAN bool OnEnd(uint64_t now, uint64_t tick, uint64_t slice) const {
    return tick == urgent_tick_ && now - urgent_at_ < 2 * slice;
  }

  uint64_t turn_ = 0;  // The next one; a multiple of kTurns.
  uint64_t look_at_ = 0;
  uint64_t looked_tick_ = ~uint64_t{0};
  uint64_t urgent_at_ = 0;
  uint64_t urgent_since_ = 0;
  uint64_t urgent_tick_ = ~uint64_t{0};
  uint64_t others_until_ = 0;
  uint64_t hogs_due_ = 0;
  uint64_t hogs_until_ = 0;
  uint64_t hog_tick_ = ~uint64_t{0};
  uint64_t yields_ = 0;
  uint64_t yields_before_ = 0;
};

}  // namespace millrace::rt
