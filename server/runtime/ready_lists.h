// ReadyLists: the ready fibers that no processor has to itself, by kind, and in which order each kind is taken.
//
//   urgent     FiberOptions::urgent: woken or new; those out of a blocking call in a list of their own
//   timely     woken       by a plain thread, sysmon or the poller, or more than a ring holds; new ones among them
//              returned    out of a blocking call, or urgent and stopped, or keeps its thread; they can go on on their
//                          own thread only (Fiber::bound)
//              held back   have not begun, and wait until fewer threads are parked or one more is affordable
//   hogs       stopped     by a signal at the end of a slice; bound as well
//              gave way    by rt::Yield after they had computed for long
//
// A kind's fibers are taken by age, and so are those of the lists of one kind; hogs by groups that take turns
// (share_group.h), and within a group by age. Which kind is next is the processor's affair (shares.h).
//
//   Threads   All under the scheduler's lock, except the counts, which anybody may read.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/fiber.h"
#include "runtime/fiber_list.h"
#include "runtime/sanitizers.h"
#include "runtime/share_group.h"

namespace millrace::rt {

class ReadyLists {
 public:
  enum Kind : uint8_t { kUrgent, kUrgentReturned, kWoken, kReturned, kHeldBack, kStopped, kGaveWay, kKinds };

  MR_NO_TSAN void Push(Kind kind, Fiber* fiber) {
    if (IsHog(kind)) {
      hogs_.Push(fiber, /*stopped=*/kind == kStopped);
    } else {
      lists_[kind].PushBack(fiber);
    }
    if (Parks(*fiber)) parked_.fetch_add(1, std::memory_order_relaxed);
    if (IsUrgent(kind)) urgent_.fetch_add(1, std::memory_order_relaxed);
    // seq_cst: rule 1 of scheduler.h is "push, then look who sleeps" against "go to sleep, then look at this".
    all_.fetch_add(1, std::memory_order_seq_cst);
  }
  // Takes all of `woken`, none of them bound.
  void Append(FiberList& woken) {
    all_.fetch_add(woken.count(), std::memory_order_seq_cst);
    lists_[kWoken].Append(woken);
  }

  // nullptr: there is none.
  Fiber* PopUrgent() { return Pop(Older(kUrgent, kUrgentReturned)); }
  Fiber* PopTimely(bool may_begin) {
    Kind oldest = Older(kWoken, kReturned);
    return Pop(may_begin ? Older(oldest, kHeldBack) : oldest);
  }
  Fiber* PopHog() { return Popped(hogs_.Pop()); }
  // One whose thread can be given a processor at once.
  Fiber* PopBound(bool* is_hog) {
    *is_hog = false;
    if (Fiber* fiber = Pop(kUrgentReturned)) return fiber;
    if (Fiber* fiber = Pop(kReturned)) return fiber;
    *is_hog = true;
    return Popped(hogs_.PopStopped());
  }

  // Moves up to `max` woken ones to a ring.
  template <typename Ring>
  void MoveWoken(Ring& ring, int64_t max) {
    FiberList& woken = lists_[kWoken];
    int64_t moved = 0;
    for (; moved < max && !woken.empty() && ring.Push(woken.front()); ++moved) woken.PopFront();
    all_.fetch_sub(moved, std::memory_order_seq_cst);
  }

  int64_t woken() const { return lists_[kWoken].count(); }

  // ---- Any thread
  int64_t count() const { return all_.load(std::memory_order_seq_cst); }
  bool AnyUrgent() const { return urgent_.load(std::memory_order_relaxed) > 0; }
  // Threads that are parked with the fiber that can go on on them only.
  int64_t parked() const { return parked_.load(std::memory_order_relaxed); }

 private:
  // A thread that belongs to its fiber (lock_thread.h) is not one more.
  static bool Parks(const Fiber& fiber) { return fiber.bound != nullptr && fiber.thread_locks == 0; }
  static bool IsUrgent(Kind kind) { return kind <= kUrgentReturned; }
  static bool IsHog(Kind kind) { return kind >= kStopped; }

  MR_NO_TSAN Kind Older(Kind one, Kind other) const {
    const FiberList &a = lists_[one], &b = lists_[other];
    return a.empty() || (!b.empty() && b.front()->account.since < a.front()->account.since) ? other : one;
  }

  MR_NO_TSAN Fiber* Pop(Kind kind) {
    Fiber* fiber = lists_[kind].PopFront();
    if (fiber != nullptr && IsUrgent(kind)) urgent_.fetch_sub(1, std::memory_order_relaxed);
    return Popped(fiber);
  }

  MR_NO_TSAN Fiber* Popped(Fiber* fiber) {
    if (fiber == nullptr) return nullptr;
    if (Parks(*fiber)) parked_.fetch_sub(1, std::memory_order_relaxed);
    all_.fetch_sub(1, std::memory_order_seq_cst);
    return fiber;
  }

  // Changes with every fiber that comes or goes; what every switch reads is on another cache line.
  alignas(64) std::atomic<int64_t> all_{0};
  alignas(64) std::atomic<int64_t> parked_{0};
  std::atomic<int64_t> urgent_{0};
  alignas(64) std::array<FiberList, kStopped> lists_;
  HogLine hogs_;
};

}  // namespace millrace::rt
