// Machines: all threads that run fibers, from the first to the last. IdleMachines: those that sleep until somebody
// hands them a processor, or the poller's role.
//
//   count()    Machines that have been made and have not ended with their fiber. Each of them runs, searches, polls,
//              sleeps in IdleMachines, sleeps beside a fiber that keeps the thread (locked_asleep), or is inside a
//              fiber that is in a call or stopped by a signal. A machine that is starting() counts, and is in none of
//              these yet.
//   Lifetime   A Machine stays in the list until its thread is joined: by Reap, or at the end of the run.
//   Threads    Machines: Make and Reap are the housekeeper's, since they allocate and wait (Make is RunMain's once).
//              ForEach and Locked: any thread that may wait for Make. The counts: any. IdleMachines: under the
//              scheduler's lock (SharedQueues::lock), but for count(), which anybody may read.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_annotations.h"
#include "base/thread_mutex.h"
#include "runtime/machine.h"
#include "runtime/sysmon_sleep.h"
#include "runtime/unstoppable_guard.h"

namespace millrace::rt {

class Machines {
 public:
  using List = std::vector<std::unique_ptr<Machine>>;
  using Body = void* (*)(void* machine);

  // At most `max` at a time.
  Machines(Scheduler& owner, int max, uint64_t seed) : owner_(owner), max_(max), seed_(seed) {}

  // A thread that runs `body`. False: there are enough, or no more threads, or the run ends. The others go on with
  // fewer then.
  bool Make(Body body);
  // The new thread's first word.
  void Begins() { starting_.fetch_sub(1, std::memory_order_relaxed); }
  // The thread's last word, when it ends before the run does: with its fiber.
  void EndsWithItsFiber() {
    count_.fetch_sub(1, std::memory_order_seq_cst);
    ended_.fetch_add(1, std::memory_order_relaxed);
  }
  // Joins such threads. True: some are not gone yet, try again soon.
  bool Reap(const SysmonSleep& sysmon);

  template <typename F>
  void ForEach(F&& fn) {
    UnstoppableGuard guard(mutex_);
    for (auto& machine : list_) fn(*machine);
  }
  // `fn(list)`, while no machine comes or goes.
  template <typename F>
  auto Locked(F&& fn) {
    ThreadGuard guard(mutex_);
    return fn(list_);
  }

  // A fiber that keeps its thread waits, and the thread sleeps.
  void LockedSleeps() { locked_asleep_.fetch_add(1, std::memory_order_seq_cst); }
  void LockedWakes() { locked_asleep_.fetch_sub(1, std::memory_order_seq_cst); }

  int max() const { return max_; }
  int count() const { return count_.load(std::memory_order_seq_cst); }
  int starting() const { return starting_.load(std::memory_order_relaxed); }
  int locked_asleep() const { return locked_asleep_.load(std::memory_order_seq_cst); }

 private:
  Scheduler& owner_;
  const int max_;
  const uint64_t seed_;
  std::atomic<int> count_{0};
  std::atomic<int> starting_{0};
  std::atomic<int> locked_asleep_{0};
  std::atomic<int> ended_{0};  // Still in the list, for Reap.
  ThreadMutex mutex_;          // Never taken on a machine's own stack. Held while a thread is made.
  List list_ MR_GUARDED_BY(mutex_);
};

// Last in, first out: the one that fell asleep last has the warmest caches.
class IdleMachines {
 public:
  void Push(Machine& machine) {
    machine.idle_next = first_;
    first_ = &machine;
    count_.fetch_add(1, std::memory_order_seq_cst);
  }
  // nullptr: there is none.
  Machine* Pop() {
    Machine* machine = first_;
    if (machine == nullptr) return nullptr;
    first_ = machine->idle_next;
    count_.fetch_sub(1, std::memory_order_seq_cst);
    return machine;
  }

  int count() const { return count_.load(std::memory_order_seq_cst); }

 private:
  Machine* first_ = nullptr;
  std::atomic<int> count_{0};
};

}  // namespace millrace::rt
