#include "runtime/ending.h"

#include <csignal>

#include "runtime/futex.h"
#include "runtime/library_code.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

namespace {

constexpr int64_t kPatienceNs = 20'000'000;
constexpr int64_t kLibraryPatienceNs = 100'000'000;
constexpr int64_t kLockPatienceNs = 200'000'000;
constexpr int64_t kEndOfPatienceNs = 10'000'000'000;

}  // namespace

std::optional<Machine::Stop> Ending::Allowed(int64_t waited_ns, SleepsFor what, bool in_call) {
  if (waited_ns < kPatienceNs) return std::nullopt;
  if (waited_ns > kEndOfPatienceNs || in_call || what == SleepsFor::kOutside ||
      (what == SleepsFor::kLock && waited_ns > kLockPatienceNs))
    return Machine::Stop::kAnywhere;
  return waited_ns > kLibraryPatienceNs ? Machine::Stop::kInLibraries : Machine::Stop::kInOwnCode;
}

void Ending::Hurry(Machine& machine, int64_t waited_ns) {
  machine.Wake();  // It may sleep for work or for a processor.
  pid_t tid = machine.tid.load(std::memory_order_acquire);
  if (!kPreemptionWorks || tid == 0 || waited_ns < kPatienceNs) return;
  std::optional<Machine::Stop> stop =
      Allowed(waited_ns, WhatThreadSleepsFor(tid), machine.blocking.load(std::memory_order_relaxed));
  if (!stop) return;
  machine.stop.store(*stop, std::memory_order_relaxed);  // Not for ever: it may go on, into malloc.
  SendPreemptSignal(machine);
}

// Stopped for ever here, does the thread take a lock of the C library with it (malloc's, stdio's)? The fiber's caller
// might, but a program's own code is not called back from inside those.
MR_NO_TSAN void Ending::StopIfAllowed(Machine& machine, const SavedFrame& interrupted) {
  Machine::Stop stop = machine.stop.load(std::memory_order_relaxed);
  if (InOwnCode(interrupted.pc) || stop == Machine::Stop::kAnywhere ||
      (stop == Machine::Stop::kInLibraries && !MayHoldProcessLocks(interrupted.pc)))
    Abandon(machine);
}

MR_NO_TSAN void Ending::Abandon(Machine& machine) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  machine.life.store(Machine::Life::kAbandoned, std::memory_order_release);
  static std::atomic<uint32_t> never{0};
  for (;;) FutexWait(never, 0);
}

}  // namespace millrace::rt
