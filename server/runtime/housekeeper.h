// Housekeeper: the thread of a runtime that may allocate, lock and wait, because it holds no processor and nobody waits for it. It makes
// machines ahead of need and follows the CPU limit.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace millrace::rt {

class Scheduler;

class Housekeeper {
 public:
  enum Task : uint32_t { kMachines = 1, kStop = 2 };

  explicit Housekeeper(Scheduler& scheduler) : scheduler_(scheduler) {}

  void Start();
  void Stop();
  // Any thread, also in a signal handler. Tasks asked for several times before they are done are done once.
  void Ask(Task task);

 private:
  void Run();
  void MakeMachines();
  void FollowCpuLimit();

  Scheduler& scheduler_;
  std::atomic<uint32_t> tasks_{0};
  std::thread thread_;
};

}  // namespace millrace::rt
