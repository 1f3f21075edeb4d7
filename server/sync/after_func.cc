#include "sync/after_func.h"

#include <mutex>

#include "base/check.h"
#include "runtime/make_fiber.h"
#include "runtime/runtime.h"
#include "runtime/sanitizers.h"

namespace millrace::sync::internal {

void DelayedCall::Fire(rt::Timer* timer) { rt::StartFiber(static_cast<DelayedCall*>(timer)->next_); }

void DelayedCall::Run() {
  // Only this fiber finds itself there, so it needs no ordering.
  rt::Fiber* self = rt::CurrentFiber();
  last_run_.store(self, std::memory_order_relaxed);
  call_(this);
  last_run_.compare_exchange_strong(self, nullptr, std::memory_order_relaxed);
  runs_.Done();
}

bool DelayedCall::StopLocked() {
  if (!Cancel()) return false;
  rt::ReleaseUnstartedFiber(next_);
  runs_.Done();
  return true;
}

bool DelayedCall::Stop() {
  std::lock_guard guard(mutex_);
  return StopLocked();
}

bool DelayedCall::Reset(AnyDuration duration) {
  std::lock_guard guard(mutex_);
  bool was_armed = StopLocked();
  if (ending_) return was_armed;  // By a run that the destructor waits for.
  // The heap's lock in Cancel above tells that the last Fire has read next_.
  next_ = rt::MakeFiber(rt::CurrentScheduler(), {.name = "after"}, [this] { Run(); });
  runs_.Add(1);
  rt::sanitizers::Release(next_);  // Whoever starts it is unseen (runtime/sanitizers.h).
  Start(Later(rt::Now(), duration), &Fire);
  return was_armed;
}

void DelayedCall::StopAndAwaitRuns() {
  rt::Fiber* caller = rt::CurrentFiber();
  MR_CHECK(caller == nullptr || last_run_.load(std::memory_order_relaxed) != caller,
           "an AfterFunc was destroyed inside its own function, whose end it would wait for; end it elsewhere");
  {
    std::lock_guard guard(mutex_);
    ending_ = true;
    StopLocked();
  }
  runs_.Wait();
}

}  // namespace millrace::sync::internal
