// Sysmon: watches the machines and steps in where the scheduler cannot, because nobody calls it. (Go: sysmon, retake.)
//
//   A fiber has run for a slice while others wait      it is stopped by a signal (Scheduler::OnPreemptSignal)
//   A thread sleeps in a system call meanwhile         its processor is taken, without a signal (Scheduler::Retake)
//   Such a thread computes again                       a signal makes it ask for a processor
//   A timer is late because its machine is busy        it is fired here
//   Fibers wait for I/O and nobody polls               a machine is woken for it
//
// Runs on the thread that called Runtime::Run. Holds no processor, allocates nothing and takes only runtime locks: a
// fiber that was stopped inside malloc must not stop it. Sleeps for as long as nothing can happen, so an idle runtime
// costs nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "runtime/thread_state.h"

namespace millrace::rt {

class Scheduler;
struct Machine;
struct Processor;

class Sysmon {
 public:
  explicit Sysmon(Scheduler& scheduler) : scheduler_(scheduler) {}

  // Until the runtime stops.
  void Run();

 private:
  bool HasRunMeanwhile();
  int64_t Look(int64_t now);
  bool LookAt(Processor& processor, int64_t now, uint64_t now_ticks);
  ThreadDoes GuessFromClock(Processor& processor, pid_t tid, uint64_t tick, int64_t now);
  void Watch(Machine& machine, int64_t cpu_ns);
  bool Computes(Machine& machine);
  void LookAtDetached();

  Scheduler& scheduler_;
  int64_t backoff_ns_ = 50'000;
  int idle_looks_ = 0;
  uint64_t processors_taken_ = 0;  // Scheduler::ProcessorsTaken at the last look.
  int64_t deadlocks_at_ns_ = 0;
  Machine* detached_ = nullptr;  // Threads that lost their processor in a system call.
  Machine** cursor_ = nullptr;   // The link to the one to look at next.
};

}  // namespace millrace::rt
