// Housekeeper: the thread of a runtime that may allocate, lock and wait, because it holds no processor and nobody waits
// for it. It makes machines ahead of need, follows the CPU limit and looks for deadlocks and for fibers that wait too
// long.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"

namespace millrace::rt {

class Scheduler;

class Housekeeper {
 public:
  enum Task : uint32_t { kMachines = 1, kStop = 2, kDeadlocks = 4 };

  explicit Housekeeper(Scheduler& scheduler) : scheduler_(scheduler) {}

  // Before Start. 0: nobody asks.
  void ReportBlockedLonger(Nanos limit) { blocked_limit_ns_ = limit.count(); }
  void Start();
  void Stop();
  // Any thread, also in a signal handler. Tasks asked for several times before they are done are done once.
  void Ask(Task task);

 private:
  void Run();
  bool MakeMachines();
  void WaitBeforeNextTry();
  void SayWithoutMachines();
  bool LookForDeadlocks();
  void ReportLockCycles();
  void ReportBlocked();

  Scheduler& scheduler_;
  int64_t deadlocks_after_ns_ = 0;  // When it may look again: looking takes time on its own with a million fibers.
  std::set<std::string> reported_;
  int64_t blocked_limit_ns_ = 0;
  int64_t blocked_at_ns_ = 0;        // When it looks for blocked fibers again.
  uint64_t blocked_seen_until_ = 0;  // Waits that began until then have been seen too long, or never will be.
  bool said_without_machines_ = false;
  std::atomic<uint32_t> tasks_{0};
  std::thread thread_;
};

}  // namespace millrace::rt
