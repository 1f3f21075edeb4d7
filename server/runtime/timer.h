// Timers: call a function at a time. Sleeps, deadlines and select timeouts stand on them.
//
// Each processor owns a 4-ary heap; the machine that runs the processor fires what is due between two fibers, thieves
// fire what is late, and an idle machine sleeps no longer than the earliest timer of all. Firing needs no free worker.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace millrace::rt {

class TimerHeap;

// Lives in its owner's frame or object; not copied. The owner must cancel an armed timer before it dies.
class Timer {
 public:
  // Runs on a machine's own stack with the heap's lock held: it must be short, must not block, park or touch timers; it
  // may call Ready.
  using Fire = void (*)(Timer* timer);

  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Arms the timer on the calling fiber's processor. Fatal on a plain thread, and when armed already. With a period it
  // is armed again each time it fires, for the next multiple of the period that lies ahead: what was missed is not made
  // up for.
  void Start(MonoTime deadline, Fire fire, Nanos period = Nanos(0));

  // True: it was armed and will not fire. False: it has fired (the function has returned) or was never armed. One with
  // a period is armed from Start to Cancel.
  bool Cancel();

 private:
  friend class TimerHeap;
  int64_t deadline_ns_ = 0;
  int64_t period_ns_ = 0;
  Fire fire_ = nullptr;
  TimerHeap* heap_ = nullptr;  // Set on Start, kept after firing so that Cancel can take the lock.
  int32_t index_ = -1;         // Place in the heap; -1: not armed. Guarded by the heap's lock.
};

}  // namespace millrace::rt
