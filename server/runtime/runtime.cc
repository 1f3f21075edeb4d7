#include "runtime/runtime.h"

#include <sched.h>

#include <thread>

#include "base/check.h"
#include "runtime/context.h"
#include "runtime/cycles.h"
#include "runtime/park.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"

namespace millrace::rt {

Runtime::Runtime(RuntimeOptions options) : scheduler_(std::make_unique<Scheduler>(options)) {}
Runtime::~Runtime() = default;

void Runtime::RunMain(Fiber* main) { scheduler_->RunMain(main); }
int Runtime::procs() const { return scheduler_->procs(); }
RuntimeStats Runtime::Stats() const { return scheduler_->Stats(); }

MR_NO_TSAN Scheduler& CurrentScheduler() {
  Machine* machine = CurrentMachine();
  MR_CHECK(machine != nullptr,
           "this needs a fiber; call it inside Runtime::Run, or use Runtime::Go from a plain thread");
  return machine->scheduler;
}

Fiber* AllocateFiber(Scheduler& scheduler, FiberOptions options) { return scheduler.Allocate(options); }
void ReleaseUnstartedFiber(Fiber* fiber) { fiber->scheduler->Release(fiber); }
void StartFiber(Fiber* fiber) { fiber->scheduler->Start(fiber); }

void Yield() {
  if (CurrentFiber() == nullptr) {
    sched_yield();
    return;
  }
  LeaveFiber(AfterSwitch::kYield, nullptr, nullptr);
}

void SleepFor(Nanos duration) {
  if (duration <= Nanos(0)) return Yield();
  SleepUntil(MonoTime(Nanos(NowNs()) + duration));
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
