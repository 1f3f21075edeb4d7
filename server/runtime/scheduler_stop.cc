// From the first machine to the last.
#include <pthread.h>

#include <ctime>

#include "base/check.h"
#include "runtime/backtrace.h"
#include "runtime/cycles.h"
#include "runtime/futex.h"
#include "runtime/library_code.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/slab.h"
#include "runtime/sysmon.h"
#include "runtime/thread_state.h"
#include "runtime/trace_running.h"

namespace millrace::rt {

namespace {

// A fiber that runs when main returns gets this long to reach its next switch before its thread is stopped in the program's own code, or
// where it waits for the outside; this long one that computes in a library, whose own locks it may hold; this long one that sleeps for a
// lock, whose holder may still come free of it; and this long any, in the middle of malloc as well.
constexpr int64_t kPatienceNs = 20'000'000;
constexpr int64_t kLibraryPatienceNs = 100'000'000;
constexpr int64_t kLockPatienceNs = 200'000'000;
constexpr int64_t kEndOfPatienceNs = 10'000'000'000;

}  // namespace

bool Scheduler::RunMain(Fiber* main) {
  MR_CHECK(main_ == nullptr, "Runtime::Run was called twice; make a Runtime for each run");
  MR_CHECK(CurrentMachine() == nullptr, "Runtime::Run was called on a fiber; call it from a plain thread");
  pthread_sigmask(SIG_SETMASK, nullptr, &signal_mask_);
  sigdelset(&signal_mask_, kPreemptSignal);
  if constexpr (kPreemptionWorks) InstallPreemptHandler();
  {
    // Not earlier: with an idle processor at hand, a fiber started before Run would want a machine.
    LockGuard guard(lock_);
    main_ = main;
    for (int i = procs() - 1; i >= 0; --i) PushIdleProcessor(*processors_[static_cast<size_t>(i)]);
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
  {
    LockGuard guard(lock_);
    auto wake = [](Machine& machine) {
      machine.wake.store(1, std::memory_order_release);
      FutexWake(machine.wake, 1);
    };
    while (Machine* machine = PopIdleMachine()) wake(*machine);
    // Those that a signal has stopped in the middle of the C library go on and leave it: the housekeeper, which ends first, may be
    // waiting for a lock of malloc's that one of them holds.
    for (bool is_hog; Fiber* fiber = ready_.PopBound(&is_hog);) wake(*fiber->bound);
  }
  InterruptPoller();
  sysmon_sleep_.Wake();
}

// Machines end at their next search for work. Those that do not get there are stopped where they are. True: all have ended.
bool Scheduler::AwaitMachines() {
  std::lock_guard guard(machines_mutex_);  // Nobody makes new ones (MakeMachine).
  int64_t begin = NowNs();
  size_t settled = 0;
  // All in each round: one may sleep for a lock that another one, stopped by a signal further down the list, holds.
  while (settled < machines_.size()) {
    int64_t waited = NowNs() - begin;
    InterruptPoller();
    settled = 0;
    for (auto& machine : machines_) {
      if (machine->life.load(std::memory_order_acquire) == Machine::Life::kRuns) {
        HurryToItsEnd(*machine, waited);
      } else {
        ++settled;
      }
    }
    timespec pause{.tv_sec = 0, .tv_nsec = waited < 1'000'000 ? 20'000 : 1'000'000};
    if (settled < machines_.size()) nanosleep(&pause, nullptr);
  }
  bool abandoned = false;
  for (auto& machine : machines_) {
    if (machine->life.load(std::memory_order_relaxed) == Machine::Life::kAbandoned) {
      pthread_detach(machine->thread);
      abandoned = true;
    } else {
      pthread_join(machine->thread, nullptr);
    }
  }
  return !abandoned;
}

void Scheduler::HurryToItsEnd(Machine& machine, int64_t waited_ns) {
  // It may sleep for work or for a processor.
  machine.wake.store(1, std::memory_order_release);
  FutexWake(machine.wake, 1);
  pid_t tid = machine.tid.load(std::memory_order_acquire);
  if (!kPreemptionWorks || tid == 0 || waited_ns < kPatienceNs) return;
  SleepsFor what = WhatThreadSleepsFor(tid);
  bool anywhere = waited_ns > kEndOfPatienceNs || machine.blocking.load(std::memory_order_relaxed) ||
                  what == SleepsFor::kOutside || (what == SleepsFor::kLock && waited_ns > kLockPatienceNs);
  Machine::Stop stop = anywhere                         ? Machine::Stop::kAnywhere
                       : waited_ns > kLibraryPatienceNs ? Machine::Stop::kInLibraries
                                                        : Machine::Stop::kInOwnCode;
  machine.stop.store(stop, std::memory_order_relaxed);  // Not for ever: it may go on, into malloc.
  SendPreemptSignal(machine);
}

bool Scheduler::EverythingSleeps() const {
  if (!report_deadlock_ || stopping_.load(std::memory_order_seq_cst)) return false;
  if (!NobodyRuns() || SharedWork()) return false;
  return EarliestTimer() == TimerHeap::kNever && !poller().Watching();
}

bool Scheduler::OtherThreads() const {
  // The thread that called Run, the housekeeper, the reporter and the machines; in a TSan build one of TSan's own.
  int ours = 3 + machine_count_.load(std::memory_order_seq_cst) + (kPreemptionWorks ? 0 : 1);
  return ThreadCount() > ours;
}

// In the signal handler, or coming out of a blocking call, after Stop. Stopped for ever here, does the thread take a lock of
// the C library with it (malloc's, stdio's)? The fiber's caller might, but a program's own code is not called back from inside
// those.
MR_NO_TSAN void Scheduler::StopInHandler(Machine& machine, const SavedFrame& interrupted) {
  Machine::Stop stop = machine.stop.load(std::memory_order_relaxed);
  if (InOwnCode(interrupted.pc) || stop == Machine::Stop::kAnywhere ||
      (stop == Machine::Stop::kInLibraries && !MayHoldProcessLocks(interrupted.pc)))
    Abandon(machine);
}

// Nothing of this thread is touched again. Its fiber may own anything, so nothing is released either.
MR_NO_TSAN void Scheduler::Abandon(Machine& machine) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  machine.life.store(Machine::Life::kAbandoned, std::memory_order_release);
  static std::atomic<uint32_t> never{0};
  for (;;) FutexWait(never, 0);
}

}  // namespace millrace::rt
