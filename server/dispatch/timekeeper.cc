#include "dispatch/timekeeper.h"

#include <utility>

namespace millrace::dispatch {

void Timekeeper::Start(rt::Runtime& runtime, std::function<MonoTime()> run_due) {
  run_due_ = std::move(run_due);
  wake_timer_.keeper = this;
  done_.Add(1);
  // Timeouts and deadlines hold whatever the jobs do.
  runtime.Go({.name = "timekeeper", .urgent = true}, [this] {
    Loop();
    done_.Done();
  });
}

void Timekeeper::Stop() {
  stopping_.store(true, std::memory_order_relaxed);
  Kick();
  done_.Wait();
}

void Timekeeper::Loop() {
  fiber_ = rt::CurrentFiber();
  while (!stopping_.load(std::memory_order_relaxed)) {
    // Before the alarms are read: a kick from here on is about an alarm that this round may not have seen.
    state_.store(kAwake, std::memory_order_seq_cst);
    SleepUntil(run_due_());
  }
}

void Timekeeper::SleepUntil(MonoTime when) {
  if (when != MonoTime::max()) {
    wake_timer_.Start(when, [](rt::Timer* timer) { static_cast<WakeTimer*>(timer)->keeper->Kick(); });
  }
  rt::Park(
      rt::WaitReason::kTimer,
      [](rt::Fiber*, void* self) {
        int awake = kAwake;
        // release: pairs with the exchange in Kick, which then readies a fiber that has left its stack.
        return static_cast<Timekeeper*>(self)->state_.compare_exchange_strong(awake, kAsleep,
                                                                              std::memory_order_acq_rel);
      },
      this);
  wake_timer_.Cancel();
}

void Timekeeper::Kick() {
  if (state_.exchange(kKicked, std::memory_order_acq_rel) == kAsleep) rt::Ready(fiber_);
}

}  // namespace millrace::dispatch
