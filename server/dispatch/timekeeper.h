// Timekeeper: the fiber that makes due jobs ready. It sleeps until the next alarm, or until an earlier one is set.
#pragma once

#include <atomic>
#include <functional>

#include "base/clock.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"
#include "sync/wait_group.h"

namespace millrace::dispatch {

class Timekeeper {
 public:
  // Starts the fiber. `run_due` does what is due and returns when to call again.
  void Start(rt::Runtime& runtime, std::function<MonoTime()> run_due);
  // On a fiber; waits until the timekeeper has ended.
  void Stop();

  // An alarm was set that is earlier than what `run_due` last returned. Any thread.
  void Kick();

 private:
  // kKicked: look at the alarms again before going to sleep.
  enum State : int { kAwake, kKicked, kAsleep };

  struct WakeTimer : rt::Timer {
    Timekeeper* keeper = nullptr;
  };
  void Loop();
  void SleepUntil(MonoTime when);

  std::function<MonoTime()> run_due_;
  std::atomic<int> state_{kAwake};
  std::atomic<bool> stopping_{false};
  rt::Fiber* fiber_ = nullptr;
  WakeTimer wake_timer_;
  sync::WaitGroup done_;
};

}  // namespace millrace::dispatch
