#include "runtime/runtime.h"

#include <sched.h>

#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "runtime/context.h"
#include "runtime/cycles.h"
#include "runtime/dump.h"
#include "runtime/faults.h"
#include "runtime/last_report.h"
#include "runtime/library_code.h"
#include "runtime/make_fiber.h"
#include "runtime/park.h"
#include "runtime/reporter.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"
#include "runtime/trace_running.h"

namespace millrace::rt {

Runtime::Runtime(RuntimeOptions options)
    : dump_on_sigquit_(options.dump_on_sigquit), scheduler_(std::make_unique<Scheduler>(options)) {
  scheduler_->ReportBlockedLonger(options.report_blocked_longer);
}
Runtime::~Runtime() {
  if (keep_) static_cast<void>(scheduler_.release());
}

void Runtime::RunMain(Fiber* main) {
  LearnLibraries();
  ReportFaults();
  ReportFatalErrors();
  SetTraceRunning(TraceRunningFiber);
  if (dump_on_sigquit_) DumpOnSignal(SIGQUIT);
  if (scheduler_->RunMain(main)) return;
  // Threads are stopped for good in the middle of its fibers and look at it. Kept where leak checkers see that it is
  // meant.
  static std::mutex mutex;
  static std::vector<Scheduler*>& kept = *new std::vector<Scheduler*>;
  std::lock_guard guard(mutex);
  kept.push_back(scheduler_.get());
  keep_ = true;
}
int Runtime::procs() const { return scheduler_->procs(); }
void Runtime::SetProcs(int procs) { scheduler_->SetProcs(procs); }
RuntimeStats Runtime::Stats() const { return scheduler_->Stats(); }

MR_NO_TSAN MonoTime Now() {
  Machine* machine = CurrentMachine();
  return MonoTime(Nanos(machine != nullptr ? machine->scheduler.ClockNs() : NowNs()));
}

int Procs() { return CurrentScheduler().procs(); }
int SetProcs(int procs) { return CurrentScheduler().SetProcs(procs); }

void Yield() {
  if (CurrentFiber() == nullptr) {
    sched_yield();
    return;
  }
  LeaveFiber(AfterSwitch::kYield, nullptr, nullptr);
}

void SleepFor(AnyDuration duration) {
  if (duration.nanos() <= Nanos(0)) return Yield();
  SleepUntil(Later(Now(), duration));
}

void SleepUntil(MonoTime deadline) {
  if (CurrentFiber() == nullptr) {
    std::this_thread::sleep_until(deadline);
    return;
  }
  struct Sleeper : Timer {
    Parker parker;
  } sleeper;
  sleeper.Start(deadline, [](Timer* timer) { static_cast<Sleeper*>(timer)->parker.Wake(); });
  sleeper.parker.Wait(WaitReason::kTimer);
  // The heap's lock is still held by whoever fired; only then may the timer's memory go.
  sleeper.Cancel();
}

Netpoller& UseNetpoller(std::unique_ptr<Netpoller> (*make)()) { return CurrentScheduler().UseNetpoller(make); }

bool InFiber() { return CurrentFiber() != nullptr; }

MR_NO_TSAN uint64_t CurrentFiberId() {
  Fiber* fiber = CurrentFiber();
  return fiber != nullptr ? fiber->id : 0;
}

}  // namespace millrace::rt
