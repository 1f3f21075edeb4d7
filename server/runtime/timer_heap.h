// TimerHeap: a processor's timers, earliest first.
//
//   Threads   Any; one lock. Firing happens with it held (timer.h says what a timer function may do), so that Cancel,
//             once it has the lock, knows that the function has returned.
//   Memory    Grown by the fiber that inserts, outside the lock: the scheduler never allocates.
//   Shape     4-ary heap of (deadline, timer), half as deep as a binary one (as Go's).
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

#include "base/thread_annotations.h"
#include "runtime/lock.h"
#include "runtime/timer.h"

namespace millrace::rt {

class TimerHeap {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // True: it is the earliest now. A deadline of kNever never comes: for everybody outside there is no such timer.
  bool Insert(Timer* timer, int64_t deadline_ns, Timer::Fire fire, int64_t period_ns = 0);
  bool Remove(Timer* timer);

  // Fires what is due at `now_ns`; returns how many.
  int FireDue(int64_t now_ns);

  // Deadline of the earliest timer, kNever when there is none. Any thread, no lock.
  // seq_cst: one side of the agreement with a machine that goes to sleep until the earliest timer (poller_role.h).
  int64_t earliest_ns() const { return earliest_ns_.load(std::memory_order_seq_cst); }
  // The same in ticks, for the cheap look between two fibers; only says when FireDue is worth calling.
  uint64_t earliest_ticks() const { return earliest_ticks_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    int64_t deadline_ns;
    Timer* timer;
  };
  static constexpr int64_t kUnknown = kNever - 1;  // Nobody's deadline: what is published must be computed anew.
  void SiftUp(int32_t index) MR_REQUIRES(lock_);
  void SiftDown(int32_t index) MR_REQUIRES(lock_);
  void RemoveAt(int32_t index) MR_REQUIRES(lock_);
  void Place(int32_t index, Entry entry) MR_REQUIRES(lock_);
  void PublishEarliest() MR_REQUIRES(lock_);

  Lock lock_;
  std::unique_ptr<Entry[]> entries_ MR_GUARDED_BY(lock_);
  int32_t size_ MR_GUARDED_BY(lock_) = 0;
  int32_t capacity_ MR_GUARDED_BY(lock_) = 0;
  // Written under the lock.
  std::atomic<int64_t> earliest_ns_{kNever};
  std::atomic<uint64_t> earliest_ticks_{~uint64_t{0}};
};

}  // namespace millrace::rt
