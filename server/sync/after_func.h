// AfterFunc: runs a function on a fiber of its own when its time has come. Go's time.AfterFunc.
//
//   AfterFunc warn(5s, [&] { LogWarn("still at it"); });
//   Work();
//   warn.Stop();
//
//   Running   Each Reset may bring a run of its own; two of them may run at the same time, as in Go. An exception that
//             leaves the function ends the process, as on any fiber.
//   Lifetime  The destructor stops it and waits for runs that have begun, so the function may use what lives around it.
//             It is fatal to destroy it inside its own function. It must not outlive the runtime.
//   Cost      The memory of a fiber while it is armed.
//   Callers   Made and reset on fibers. Stop: any thread. Several may call at once.
#pragma once

#include <atomic>
#include <utility>

#include "base/clock.h"
#include "runtime/fiber.h"
#include "runtime/timer.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"

namespace millrace::sync {

namespace internal {

class DelayedCall : private rt::Timer {
 public:
  // True: it was armed and this run will not be.
  bool Stop();
  bool Reset(AnyDuration duration);

 protected:
  using Call = void (*)(DelayedCall* self);
  explicit DelayedCall(Call call) : call_(call) {}
  ~DelayedCall() = default;
  void StopAndAwaitRuns();

 private:
  static void Fire(rt::Timer* timer);
  void Run();
  bool StopLocked();

  const Call call_;
  Mutex mutex_;  // Several may stop and reset it at once.
  bool ending_ = false;
  rt::Fiber* next_ = nullptr;  // Made when it is armed: nothing can be made where timers fire.
  WaitGroup runs_;             // Armed or running.
  std::atomic<rt::Fiber*> last_run_{nullptr};
};

}  // namespace internal

template <typename F>
class AfterFunc : public internal::DelayedCall {
 public:
  AfterFunc(AnyDuration duration, F fn) : DelayedCall(&CallFn), fn_(std::move(fn)) { Reset(duration); }
  ~AfterFunc() { StopAndAwaitRuns(); }
  AfterFunc(const AfterFunc&) = delete;
  AfterFunc& operator=(const AfterFunc&) = delete;

 private:
  static void CallFn(DelayedCall* self) { static_cast<AfterFunc*>(self)->fn_(); }

  F fn_;
};

}  // namespace millrace::sync
