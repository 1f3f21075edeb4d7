#include "runtime/timer_heap.h"

#include <algorithm>

#include "base/check.h"
#include "runtime/cycles.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

void TimerHeap::Place(int32_t index, Entry entry) {
  entries_[index] = entry;
  entry.timer->index_ = index;
}

void TimerHeap::SiftUp(int32_t index) {
  Entry entry = entries_[index];
  while (index > 0) {
    int32_t parent = (index - 1) / 4;
    if (entries_[parent].deadline_ns <= entry.deadline_ns) break;
    Place(index, entries_[parent]);
    index = parent;
  }
  Place(index, entry);
}

void TimerHeap::SiftDown(int32_t index) {
  Entry entry = entries_[index];
  for (;;) {
    int32_t first = 4 * index + 1;
    if (first >= size_) break;
    int32_t last = std::min(first + 4, size_);
    int32_t best = first;
    for (int32_t child = first + 1; child < last; ++child) {
      if (entries_[child].deadline_ns < entries_[best].deadline_ns) best = child;
    }
    if (entries_[best].deadline_ns >= entry.deadline_ns) break;
    Place(index, entries_[best]);
    index = best;
  }
  Place(index, entry);
}

void TimerHeap::RemoveAt(int32_t index) {
  entries_[index].timer->index_ = -1;
  --size_;
  if (index == size_) return;
  Place(index, entries_[size_]);
  SiftDown(index);
  SiftUp(entries_[index].timer->index_);
}

void TimerHeap::PublishEarliest() {
  int64_t earliest = size_ > 0 ? entries_[0].deadline_ns : kNever;
  if (earliest == earliest_ns_.load(std::memory_order_relaxed)) return;
  uint64_t ticks = ~uint64_t{0};
  if (earliest != kNever) {
    int64_t left = std::max<int64_t>(0, earliest - NowNs());
    ticks = NowTicks() + NsToTicks(left);
  }
  earliest_ticks_.store(ticks, std::memory_order_relaxed);
  earliest_ns_.store(earliest, std::memory_order_seq_cst);
}

bool TimerHeap::Insert(Timer* timer, int64_t deadline_ns, Timer::Fire fire, int64_t period_ns) {
  if (deadline_ns == kUnknown) deadline_ns = kNever;
  // Allocated without the lock, and after the loop freed without it: a larger buffer to swap in, then the heap's old
  // one.
  std::unique_ptr<Entry[]> spare;
  int32_t spare_capacity = 0;
  for (;;) {
    {
      LockGuard guard(lock_);
      if (size_ == capacity_ && spare_capacity > capacity_) {
        std::copy_n(entries_.get(), size_, spare.get());
        entries_.swap(spare);
        capacity_ = spare_capacity;
      }
      if (size_ < capacity_) {
        MR_CHECK(timer->index_ < 0, "a timer was started that is armed already; cancel it first");
        timer->deadline_ns_ = deadline_ns;
        timer->period_ns_ = period_ns;
        timer->fire_ = fire;
        timer->heap_ = this;
        entries_[size_] = {deadline_ns, timer};
        SiftUp(size_++);
        PublishEarliest();
        return timer->index_ == 0;
      }
      spare_capacity = std::max(64, 2 * capacity_);
    }
    spare = std::make_unique<Entry[]>(static_cast<size_t>(spare_capacity));
  }
}

bool TimerHeap::Remove(Timer* timer) {
  LockGuard guard(lock_);
  if (timer->index_ < 0) return false;
  RemoveAt(timer->index_);
  PublishEarliest();
  return true;
}

int TimerHeap::FireDue(int64_t now_ns) {
  sanitizers::IgnoreScope ignore;  // On a machine's own stack this goes without saying; sysmon's is another thread.
  int fired = 0;
  LockGuard guard(lock_);
  while (size_ > 0 && entries_[0].deadline_ns <= now_ns) {
    Timer* timer = entries_[0].timer;
    Timer::Fire fire = timer->fire_;
    if (timer->period_ns_ > 0) {
      const int64_t late = (now_ns - entries_[0].deadline_ns) % timer->period_ns_;
      entries_[0].deadline_ns =
          Later(MonoTime(Nanos(now_ns - late)), Nanos(timer->period_ns_)).time_since_epoch().count();
      SiftDown(0);
    } else {
      RemoveAt(0);
    }
    ++fired;
    // The last thing that touches the timer: its owner may go on now and, once it has the lock, finds it armed again or
    // not.
    fire(timer);
  }
  // Also when none fired: ticks may have run a little ahead of the nanosecond clock.
  earliest_ns_.store(kUnknown, std::memory_order_relaxed);
  PublishEarliest();
  return fired;
}

}  // namespace millrace::rt
