// Scheduler: finds work for machines, wakes them and lets them sleep. The inside of Runtime; runtime.h is the door.
//
// After Go's proc.go; README.md tells the story. The rules that keep a ready fiber from being left with everybody asleep:
//
//   1. Submit: push the fiber, then (store-load barrier) look whether a processor is idle and nobody spins; if so wake one
//      machine. Going idle: give the processor up and stop spinning, then (store-load barrier) look at all queues once more.
//      Whoever comes second sees the other. Without the barrier, for a fiber that was left for another one and goes on
//      (QueueAgain): what that misses sysmon sees within its nap.
//   2. A machine is woken spinning, at most one at a time. A spinner that finds work stops spinning and wakes the next one if
//      there is more to do.
//   3. WakeOne that finds no idle processor leaves a mark behind, under lock_: the next machine to give up its processor
//      looks again first (golang/go#45867). One that finds no idle machine asks the housekeeper for one, which looks again when it
//      has made it.
//      Rules 1 to 3 are IdleProtocol's (idle_protocol.h), where every order of small cases is tried.
//   4. While a processor is idle and timers are armed, or while fibers wait for I/O, one machine holds the poller role and sleeps
//      no longer than the earliest timer. It is dropped only for running with a processor (then rule 2 finds a successor, or
//      sysmon does), or when no processor is idle and no I/O is awaited, and then it looks again (PollerRole).
//   5. A fiber that a signal has stopped goes on on the thread that it was stopped on, and one that keeps its thread on that. Who
//      finds it in the queue hands the processor to that thread (HandToBound).
//
// Memory and locks: nothing here allocates or takes a lock that user code can hold, once a machine runs. A fiber may have been
// stopped inside malloc; whoever waited for it there with the only processor would wait for ever. Threads are made by the
// housekeeper, which holds no processor.
#pragma once

#include <sched.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/cycles.h"
#include "runtime/fiber.h"
#include "runtime/fiber_list.h"
#include "runtime/housekeeper.h"
#include "runtime/idle_protocol.h"
#include "runtime/lock.h"
#include "runtime/machine.h"
#include "runtime/netpoll.h"
#include "runtime/poller_role.h"
#include "runtime/processor.h"
#include "runtime/ready_lists.h"
#include "runtime/runtime.h"
#include "runtime/stack.h"
#include "runtime/stats.h"
#include "runtime/sysmon_sleep.h"

namespace millrace::rt {

// A mutex in the hands of a fiber that the end of the run, which waits for the mutex as well, must not stop for good.
class UnstoppableGuard {
 public:
  explicit UnstoppableGuard(std::mutex& mutex) : mutex_(mutex) {
    // It may be stopped while it waits: the holder may be waiting for its processor.
    for (;; sched_yield()) {
      DisablePreemption();
      if (mutex_.try_lock()) return;
      EnablePreemption();
    }
  }
  ~UnstoppableGuard() {
    mutex_.unlock();
    EnablePreemption();
  }
  UnstoppableGuard(const UnstoppableGuard&) = delete;
  UnstoppableGuard& operator=(const UnstoppableGuard&) = delete;

 private:
  std::mutex& mutex_;
};

class Scheduler {
 public:
  explicit Scheduler(const RuntimeOptions& options);
  ~Scheduler();

  // The calling thread watches (Sysmon) until `main` has returned; then all machines have stopped. False: some are stopped for
  // good in the middle of a fiber, and the scheduler must not be destroyed.
  bool RunMain(Fiber* main);

  // ---- Any thread.
  Fiber* Allocate(const FiberOptions& options);
  void Release(Fiber* unstarted);
  void Start(Fiber* fiber);
  void MakeReady(Fiber* fiber);
  Netpoller& UseNetpoller(std::unique_ptr<Netpoller> (*make)()) { return netpoller_.Use(make); }
  RuntimeStats Stats() const;
  // The clock of its timers.
  int64_t ClockNs() const { return simulate_ ? simulated_ns_.load(std::memory_order_relaxed) : NowNs(); }
  bool simulates() const { return simulate_; }
  int procs() const { return procs_.load(std::memory_order_relaxed); }
  int SetProcs(int procs);  // Returns how many there were.
  // RuntimeOptions::report_blocked_longer. Before RunMain.
  void ReportBlockedLonger(Nanos limit) { housekeeper_.ReportBlockedLonger(limit); }

  // ---- On a fiber, or in a ParkCommit.
  void StartTimer(Timer* timer, int64_t deadline_ns, Timer::Fire fire, int64_t period_ns);

  // ---- On a fiber that keeps its thread, or gives it back (lock_thread.h)
  static void LockThread(Machine& machine);
  static void UnlockThread(Machine& machine);

  // ---- On a fiber: around a call that blocks the thread.
  // `at`: where the fiber stands during the call, for dumps.
  void EnterBlocking(Machine& machine, const SavedFrame& at);
  void LeaveBlocking(Machine& machine);

  // ThreadSanitizer sees each fiber as a thread: the one that settled what another left behind would be ordered after it, and no race
  // between the two would be reported. There every switch goes over the machine's stack, and the next two are called on that.
#if defined(__SANITIZE_THREAD__)
  static constexpr bool kSwitchesDirectly = false;
#else
  static constexpr bool kSwitchesDirectly = true;
#endif

  // ---- On the stack of a fiber that leaves it, pinned (context.cc)
  // Closes the account of `leaving`. The fiber to go on with at once, entered as the running one; nullptr: the machine has to search.
  Fiber* PickNext(Machine& machine, Fiber* leaving);
  // The fiber has left its stack, machine.after_switch says why. From here on it may run elsewhere.
  void Settle(Machine& machine, Fiber* left);

  // Signals the machine that runs the fiber. One whose thread sleeps in the kernel is left alone: its call might end early.
  enum class TraceAsked : uint8_t { kNobody, kSignalled, kAsleep };
  TraceAsked AskForTrace(Fiber* fiber, pid_t* tid);

  // On the machine's thread, in the signal handler.
  void OnPreemptSignal(Machine& machine, const SavedFrame& interrupted);

 private:
  friend class Housekeeper;
  friend class Sysmon;
  friend struct TestDoor;  // tests/support/tormentor.h

  // ---- A machine's life (scheduler.cc)
  bool MakeMachine();
  static void* MachineThread(void* machine);
  void Loop(Machine& machine);
  void Execute(Machine& machine, Fiber* fiber, bool inherits);
  void QueueAgain(Machine& machine, Fiber* left, bool soon);
  void BeginRun(Machine& machine, Processor& processor, Fiber* fiber, bool inherits);
  Fiber* FindRunnable(Machine& machine, bool* inherits);
  Fiber* FindLocal(Machine& machine, Processor& processor, bool* inherits);
  Fiber* Steal(Machine& machine, Processor& mine);
  void GiveUpProcessor(Machine& machine, Processor& processor);
  bool AcquireProcessor(Machine& machine);

  // For the report of deadlocks (scheduler_stop.cc): no fiber runs or is ready, there is no timer and no I/O.
  bool EverythingSleeps() const;
  // Threads that are not of this runtime: each may be about to wake somebody.
  bool OtherThreads() const;

  // ---- Simulation (scheduler_simulate.cc)
  Fiber* SimulateLocal(Processor& processor);

  // ---- The end (scheduler_stop.cc)
  void Stop();
  bool AwaitMachines();
  void HurryToItsEnd(Machine& machine, int64_t waited_ns);
  void StopInHandler(Machine& machine, const SavedFrame& interrupted);
  [[noreturn]] void Abandon(Machine& machine);

  // ---- Queues (scheduler_queues.cc)
  // Every so many time slices shared work comes first. A prime, so as not to march in step with a program's own rhythm (Go's number).
  static constexpr uint64_t kSharedWorkInterval = 61;
  void PushLocal(Processor& processor, Fiber* fiber);
  void Submit(Machine* machine, Fiber* fiber);
  void SubmitFromOutside(Fiber* fiber);
  // From ready_, for `processor`, lock_ held: what comes before its ring; what comes after it; what comes after other rings.
  Fiber* PopBeforeOthers(Processor& processor, uint64_t now, bool urgent, bool hogs_too);
  Fiber* PopTimely(Processor& processor, uint64_t now, int64_t max);
  Fiber* PopLast(Processor& processor, uint64_t now);
  Fiber* TakeHog(Processor& processor, uint64_t now, bool first);
  Machine* PopBound(Processor& processor);  // The thread of one whose fiber goes on on `processor`.
  bool SharedWork() const { return ready_.count() > 0; }
  bool SharedWorkIsDue(Processor& processor, uint64_t now) const;
  bool AnyWork() const;
  // Not on a processor that is one too many either, before the machine that holds it has noticed.
  bool NobodyRuns() const;
  bool TooManyParked() const { return ready_.parked() >= parked_machines_max_; }
  bool MayBegin(uint64_t now) const;
  void HoldBack(Fiber* fiber);
  int64_t EarliestTimer() const;
  template <typename F>
  void ForEachProcessor(F&& fn) const {  // Also retired ones.
    // acquire: pairs with the release in Resize.
    for (int i = 0, n = created_.load(std::memory_order_acquire); i < n; ++i) fn(*processors_[static_cast<size_t>(i)]);
  }

  // ---- Waking (scheduler_wake.cc)
  // Rule 1: the work is in a queue.
  void WakeIfIdle() {
    if (idle_.MustWake()) WakeOne();
  }
  void WakeSuccessor();
  void WakeOne();
  void Assign(Machine& machine, Processor* processor, bool spinning);
  void BecomeSpinning(Machine& machine);
  void StopSpinning(Machine& machine);
  Processor* PopIdleProcessor();  // lock_ held
  void PushIdleProcessor(Processor& processor);
  Machine* PopIdleMachine();  // lock_ held
  bool TryTakeProcessor(Machine& machine);
  bool PollUntilWork(Machine& machine);
  void WakePoller();
  void InterruptPoller();
  struct PollerHost;
  Netpoller& poller() const { return netpoller_.Get(); }
  static void Hold(Machine& machine, Processor& processor);
  static void LetGo(Machine& machine, Processor& processor);

  // ---- Preemption and blocking (scheduler_preempt.cc)
  enum class Resumed : uint8_t { kYes, kStopping };
  void HandToBound(Machine& machine, Processor& processor, Fiber* fiber);
  void Requeue(Machine& machine, Fiber* fiber, ReadyLists::Kind kind);  // lock_ held
  Resumed SleepBound(Machine& machine);
  bool TakeProcessorToGoOn(Machine& machine);
  void GoOn(Machine& machine, Processor& processor);
  bool Retake(Processor& processor);
  void Disown(Processor& processor);
  void CloseDetachedAccount(Machine& machine, Fiber* fiber, uint64_t now);

  // ---- Fibers that keep their thread (scheduler_locked.cc)
  Fiber* AwaitLocked(Machine& machine);
  bool ReapMachines();

  // ---- The number of processors (scheduler_resize.cc)
  enum class ResizedBy : uint8_t { kProgram, kCpuLimit };
  int Resize(int procs, ResizedBy by);
  void Retire(Machine& machine, Processor& processor);
  void EmptyIfRetired(Processor& processor);  // lock_ held

  // ---- A fiber's way (scheduler_fibers.cc)
  void FinishFiber(Processor* processor, Fiber* fiber);

  const uint64_t seed_;
  const uint64_t slice_ticks_;
  const int parked_machines_max_;
  const int machines_max_;
  const bool report_deadlock_;
  const bool simulate_;
  const std::string cgroup_root_;
  std::atomic<int64_t> simulated_ns_{1'000'000'000};
  uint64_t simulated_random_;  // Of whichever machine has the processor.
  std::array<std::unique_ptr<Processor>, kMaxProcs> processors_;
  std::atomic<int> created_{0};
  Stacks stacks_;
  NetpollerSlot netpoller_;  // Operations of dropped fibers lie on their stacks: it goes before those.
  Fiber* main_ = nullptr;

  // Read at every switch and hardly ever written; what changes often has cache lines of its own.
  alignas(64) std::atomic<int> procs_{0};
  std::atomic<bool> alone_{false};  // There is one processor: who has it need not look whether another one is idle.
  std::atomic<bool> stopping_{false};

  alignas(64) IdleProtocol idle_;
  alignas(64) SysmonSleep sysmon_sleep_;
  PollerRole poller_role_;

  ReadyLists ready_;
  // While too many threads are parked: until when no fiber that has not begun may begin.
  std::atomic<uint64_t> crowd_grows_at_{0};

  alignas(64) Lock lock_;  // Guards ready_ and the lists below.
  Processor* idle_processors_ = nullptr;
  // From that list, ever. As long as it stands still no idle processor has come to run anything.
  uint64_t processors_taken_ = 0;
  Machine* idle_machines_ = nullptr;
  std::atomic<int> idle_machine_count_{0};
  std::atomic<int> machine_count_{0};
  std::atomic<int> starting_count_{0};  // Made, but their threads have not begun.
  std::atomic<int> locked_asleep_{0};   // Whose fiber keeps the thread and waits.
  std::atomic<int> ended_machines_{0};  // In machines_ still, for ReapMachines.

  // UnstoppableGuard, for both. Never taken by a machine's own stack.
  std::mutex resize_mutex_;    // One SetProcs at a time.
  std::mutex machines_mutex_;  // Guards machines_; taken while a thread is made.
  std::vector<std::unique_ptr<Machine>> machines_;
  Housekeeper housekeeper_{*this};
  std::atomic<bool> follow_cpu_limit_{false};

  sigset_t signal_mask_{};                 // Of the thread that called Run; machines get the same.
  std::atomic<int64_t> outside_calls_{0};  // Plain threads inside Submit.

  std::atomic<uint64_t> next_fiber_id_{1};
  std::atomic<uint64_t> outside_started_{0};  // Counted where no processor was at hand.
  std::atomic<uint64_t> outside_finished_{0};
  std::atomic<uint64_t> machine_wakeups_{0};
  std::atomic<uint64_t> handoffs_{0};
  Counter timers_fired_late_;  // By sysmon.
};

}  // namespace millrace::rt
