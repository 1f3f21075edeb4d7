// From the first machine to the last.
#include <pthread.h>

#include <ctime>

#include "base/check.h"
#include "runtime/cycles.h"
#include "runtime/ending.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/slab.h"
#include "runtime/sysmon.h"
#include "runtime/thread_state.h"
#include "runtime/trace_running.h"

namespace millrace::rt {

bool Scheduler::RunMain(Fiber* main) {
  MR_CHECK(main_ == nullptr, "Runtime::Run was called twice; make a Runtime for each run");
  MR_CHECK(CurrentMachine() == nullptr, "Runtime::Run was called on a fiber; call it from a plain thread");
  pthread_sigmask(SIG_SETMASK, nullptr, &signal_mask_);
  sigdelset(&signal_mask_, kPreemptSignal);
  if constexpr (kPreemptionWorks) InstallPreemptHandler();
  {
    // Not earlier: with an idle processor at hand, a fiber started before Run would want a machine.
    LockGuard guard(shared_.lock);
    main_ = main;
    for (int i = procs() - 1; i >= 0; --i) idle_processors_.Push(processors_[static_cast<size_t>(i)]);
  }
  AllowTraces(this);
  Start(main);
  MR_CHECK(MakeMachine(), "cannot make a single thread for the runtime; raise the limit of threads (ulimit -u)");
  housekeeper_.Start();
  Sysmon(*this).Run();
  ForbidTraces(this);
  housekeeper_.Stop();
  bool all_ended = AwaitMachines();
  // What any fiber did lies behind whoever called Run.
  for (FiberWalk walk; Fiber* fiber = walk.Next();) sanitizers::Acquire(fiber);
  return all_ended;
}

// On the machine whose fiber was main.
void Scheduler::Stop() {
  stopping_.store(true, std::memory_order_seq_cst);
  goes_on_directly_.store(false, std::memory_order_relaxed);
  {
    LockGuard guard(shared_.lock);
    while (Machine* machine = idle_machines_.Pop()) machine->Wake();
    // Those that a signal has stopped in the middle of the C library go on and leave it: the housekeeper, which ends
    // first, may be waiting for a lock of malloc's that one of them holds.
    while (Fiber* fiber = shared_.PopAnyBound()) fiber->bound->Wake();
  }
  InterruptPoller();
  sysmon_sleep_.Wake();
}

// Machines end at their next search for work. Those that do not get there are stopped where they are. True: all have
// ended.
bool Scheduler::AwaitMachines() {
  return machines_.Locked([this](Machines::List& machines) {  // Nobody makes new ones.
    int64_t begin = NowNs();
    size_t settled = 0;
    // All in each round: one may sleep for a lock that another one, stopped by a signal further down the list, holds.
    while (settled < machines.size()) {
      int64_t waited = NowNs() - begin;
      InterruptPoller();
      settled = 0;
      for (auto& machine : machines) {
        if (machine->life.load(std::memory_order_acquire) == Machine::Life::kRuns) {
          Ending::Hurry(*machine, waited);
        } else {
          ++settled;
        }
      }
      timespec pause{.tv_sec = 0, .tv_nsec = waited < 1'000'000 ? 20'000 : 1'000'000};
      if (settled < machines.size()) nanosleep(&pause, nullptr);
    }
    bool abandoned = false;
    for (auto& machine : machines) {
      if (machine->life.load(std::memory_order_relaxed) == Machine::Life::kAbandoned) {
        pthread_detach(machine->thread);
        abandoned = true;
      } else {
        pthread_join(machine->thread, nullptr);
      }
    }
    return !abandoned;
  });
}

Scheduler::Rest Scheduler::LookForRest() const {
  LockGuard guard(shared_.lock);
  // A machine without a processor may still be leaving a fiber, which Settle calls parked before it asks whether it may
  // be. One that looks for work, or is in a call, is not asleep either.
  const int asleep = SpareMachines() + machines_.locked_asleep() + (poller_role_.asleep() ? 1 : 0);
  return {.complete = EverythingSleeps() && idle_processors_.AllRest() && asleep == machines_.count(),
          .taken = idle_processors_.taken()};
}

bool Scheduler::EverythingSleeps() const {
  if (!report_deadlock_ || stopping()) return false;
  if (!NobodyRuns() || shared_.Any()) return false;
  return processors_.EarliestTimer() == TimerHeap::kNever && !poller().Watching();
}

bool Scheduler::OtherThreads() const {
  // The thread that called Run, the housekeeper, the reporter and the machines; in a TSan build one of TSan's own.
  int ours = 3 + machines_.count() + (kPreemptionWorks ? 0 : 1);
  return ThreadCount() > ours;
}

}  // namespace millrace::rt
