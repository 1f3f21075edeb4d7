// Housekeeper: the thread of a runtime that may allocate, lock and wait, because it holds no processor and nobody waits for it. It makes
// machines ahead of need, follows the CPU limit and looks for deadlocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <thread>

namespace millrace::rt {

class Scheduler;

class Housekeeper {
 public:
  enum Task : uint32_t { kMachines = 1, kStop = 2, kDeadlocks = 4 };

  explicit Housekeeper(Scheduler& scheduler) : scheduler_(scheduler) {}

  void Start();
  void Stop();
  // Any thread, also in a signal handler. Tasks asked for several times before they are done are done once.
  void Ask(Task task);

 private:
  void Run();
  bool MakeMachines();
  void WaitBeforeNextTry();
  void SayWithoutMachines();
  void FollowCpuLimit();
  bool LookForDeadlocks();
  void ReportLockCycles();

  Scheduler& scheduler_;
  int64_t deadlocks_after_ns_ = 0;  // When it may look again: looking takes time on its own with a million fibers.
  std::set<std::string> reported_;
  bool said_without_machines_ = false;
  std::atomic<uint32_t> tasks_{0};
  std::thread thread_;
};

}  // namespace millrace::rt
