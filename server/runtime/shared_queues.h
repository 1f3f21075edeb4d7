// SharedQueues: the ready fibers that no processor has to itself (ready_lists.h), and when a processor takes which of
// them (shares.h).
//
//   Lock        `lock` is "the scheduler's lock". It also guards which processors and which machines are idle, since
//               what is to be done with a fiber and who is there to do it are one decision: whoever pushes a fiber for
//               a thread that sleeps may hand it an idle processor instead, and whoever gives a processor up sees first
//               that there is nothing to run.
//   Order       Push counts before the lock is released, so whoever looks at count() after the barrier of rule 1 sees
//               it.
//   Crowd       Each fiber that a signal has stopped keeps a thread. Beyond parked_machines_max of them a fiber that
//               has not begun begins only now and then (MayBegin), since it might become the next one.
//   Threads     As each function says. Ticks everywhere (cycles.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "runtime/fiber.h"
#include "runtime/fiber_list.h"
#include "runtime/lock.h"
#include "runtime/machine.h"
#include "runtime/processor.h"
#include "runtime/ready_lists.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

class SharedQueues {
 public:
  using Kind = ReadyLists::Kind;

  SharedQueues(uint64_t slice_ticks, int parked_machines_max)
      : slice_ticks_(slice_ticks), parked_machines_max_(parked_machines_max) {}

  alignas(64) mutable Lock lock;

  // ---- Any thread
  int64_t count() const { return lists_.count(); }
  bool Any() const { return count() > 0; }
  bool AnyUrgent() const { return lists_.AnyUrgent(); }
  bool TooManyParked() const { return lists_.parked() >= parked_machines_max_; }
  // An urgent fiber waits, or too many threads are parked: nobody goes on with the next fiber of a ring without a look
  // at this.
  bool Presses() const { return presses_.load(std::memory_order_relaxed); }
  // `spare`: a machine is idle.
  bool MayBegin(uint64_t now, bool spare) const;

  // ---- The holder of `processor`
  // What is here comes before what is in the processor's ring: now and then by number of slices, so that two fibers
  // that keep readying each other do not starve it, and by time, since the fibers in the ring may take a whole slice
  // each.
  MR_NO_TSAN bool IsDue(Processor& processor, uint64_t now) const {
    const uint64_t tick = processor.tick.Get();
    if (!processor.shares.TurnIsDue(tick) && !processor.shares.LookIsDue(now, tick)) return false;
    if (Any()) return true;
    // Where there is none, no switch has to ask again for a while.
    processor.shares.Looks(now, slice_ticks_);
    return false;
  }

  // ---- Under the lock
  void Push(Kind kind, Fiber* fiber) MR_REQUIRES(lock);
  // Takes all of `woken`, none of them bound.
  void Append(FiberList& woken) MR_REQUIRES(lock) { lists_.Append(woken); }
  // A signal has stopped the fiber, which is pushed.
  void HasStopped(Fiber& fiber, uint64_t now) MR_REQUIRES(lock);

  // Who asks: the processor that the fiber will run on, of `procs`.
  struct Taker {
    Processor& processor;
    uint64_t now;
    bool spare;  // As in MayBegin.
    int procs;
  };
  // nullptr: nothing of that kind, or it is not its turn. What comes before the processor's ring:
  Fiber* PopBeforeOthers(const Taker& taker, bool urgent, bool hogs_too) MR_REQUIRES(lock);
  // What comes after its ring. The processor also gets its fair share of the woken ones into it.
  Fiber* PopTimely(const Taker& taker) MR_REQUIRES(lock);
  // What comes after the rings of others.
  Fiber* PopLast(const Taker& taker) MR_REQUIRES(lock);
  // The thread of a fiber that goes on on `processor`, there where it was stopped.
  Machine* PopBound(Processor& processor) MR_REQUIRES(lock);
  // Whatever the shares say.
  Fiber* PopUrgent() MR_REQUIRES(lock);
  Fiber* PopAnyBound() MR_REQUIRES(lock);

 private:
  Fiber* TakeHog(const Taker& taker, bool first) MR_REQUIRES(lock);
  void Changed() MR_REQUIRES(lock);
  Fiber* Taken(Fiber* fiber) MR_REQUIRES(lock) {
    Changed();
    return fiber;
  }

  const uint64_t slice_ticks_;
  const int parked_machines_max_;
  std::atomic<bool> presses_{false};
  // While too many threads are parked: until when no fiber that has not begun may begin.
  std::atomic<uint64_t> crowd_grows_at_{0};
  ReadyLists lists_;
};

}  // namespace millrace::rt
