// Scheduler: finds work for machines, wakes them and lets them sleep. The inside of Runtime; runtime.h is the door.
//
// After Go's proc.go; README.md tells the story. The rules that keep a ready fiber from being left with everybody
// asleep:
//
//   1. Submit: push the fiber, then (store-load barrier) look whether a processor is idle and nobody spins; if so wake
//      one machine. Going idle: give the processor up and stop spinning, then (store-load barrier) look at all queues
//      once more. Whoever comes second sees the other. Without the barrier, for a fiber that was left for another one
//      and goes on (QueueAgain): what that misses sysmon sees within its nap.
//   2. A machine is woken spinning, at most one at a time. A spinner that finds work stops spinning and wakes the next
//      one if there is more to do.
//   3. WakeOne that finds no idle processor leaves a mark behind, under the scheduler's lock: the next machine to give
//      up its processor looks again first (golang/go#45867). One that finds no idle machine asks the housekeeper for
//      one, which looks again when it has made it. Rules 1 to 3 are IdleProtocol's (idle_protocol.h), where every order
//      of small cases is tried.
//   4. While a processor is idle and timers are armed, or while fibers wait for I/O, one machine holds the poller role
//      and sleeps no longer than the earliest timer; or up to a time slice longer, if all processors were busy when it
//      went to sleep. It is dropped only for running with a processor (then rule 2 finds a successor, or sysmon does),
//      or when no processor is idle and no I/O is awaited, and then it looks again (PollerRole).
//   5. A fiber that a signal has stopped goes on on the thread that it was stopped on, and one that keeps its thread on
//      that. Whoever finds it in the queue hands the processor to that thread (HandToBound).
//
// Memory and locks: nothing here allocates or takes a lock that user code can hold, once a machine runs. A fiber may
// have been stopped inside malloc; whoever waited for it there with the only processor would wait for ever. Threads are
// made by the housekeeper, which holds no processor.
#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/thread_annotations.h"
#include "base/thread_mutex.h"
#include "runtime/cycles.h"
#include "runtime/fiber.h"
#include "runtime/housekeeper.h"
#include "runtime/idle_protocol.h"
#include "runtime/machine.h"
#include "runtime/machines.h"
#include "runtime/netpoll.h"
#include "runtime/poller_role.h"
#include "runtime/processors.h"
#include "runtime/runtime.h"
#include "runtime/shared_queues.h"
#include "runtime/stack.h"
#include "runtime/stats.h"
#include "runtime/sysmon_sleep.h"

namespace millrace::rt {

class Scheduler {
 public:
  explicit Scheduler(const RuntimeOptions& options);
  ~Scheduler();

  // The calling thread watches (Sysmon) until `main` has returned; then all machines have stopped. False: some are
  // stopped for good in the middle of a fiber, and the scheduler must not be destroyed.
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
  int procs() const { return processors_.procs(); }
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

  // ThreadSanitizer sees each fiber as a thread: the one that settled what another left behind would be ordered after
  // it, and no race between the two would be reported. There every switch goes over the machine's stack, and the next
  // two are called on that.
#if defined(__SANITIZE_THREAD__)
  static constexpr bool kSwitchesDirectly = false;
#else
  static constexpr bool kSwitchesDirectly = true;
#endif

  // ---- On the stack of a fiber that leaves it, pinned (context.cc)
  // Closes the account of `leaving`. The fiber to go on with at once, entered as the running one; nullptr: the machine
  // has to search.
  Fiber* PickNext(Machine& machine, Fiber* leaving);
  // The fiber has left its stack, machine.after_switch says why. From here on it may run elsewhere.
  void Settle(Machine& machine, Fiber* left);

  // Signals the machine that runs the fiber. One whose thread sleeps in the kernel is left alone: its call might end
  // early.
  enum class TraceAsked : uint8_t { kNobody, kSignalled, kAsleep };
  TraceAsked AskForTrace(Fiber* fiber, pid_t* tid);

  // On the machine's thread, in the signal handler.
  void OnPreemptSignal(Machine& machine, const SavedFrame& interrupted);

  // ---- For the threads that look after it, sysmon and the housekeeper, and for its pieces
  bool stopping() const { return stopping_.load(std::memory_order_seq_cst); }
  uint64_t slice_ticks() const { return slice_ticks_; }
  const Processors& processors() const { return processors_; }
  const IdleProtocol& idle() const { return idle_; }
  const SharedQueues& shared() const { return shared_; }
  Machines& machines() { return machines_; }
  SysmonSleep& sysmon_sleep() { return sysmon_sleep_; }
  Housekeeper& housekeeper() { return housekeeper_; }
  int SpareMachines() const;  // Idle ones.
  bool AnyWork() const;
  // Not on a processor that is one too many either, before the machine that holds it has noticed.
  bool NobodyRuns() const;
  // IdleProcessors::taken
  uint64_t ProcessorsTaken() MR_EXCLUDES(shared_.lock);
  // False: as Machines::Make.
  bool MakeMachine() { return machines_.Make(MachineThread); }
  void WakeSuccessor();
  // Fibers wait for I/O, and no machine has the poller's role.
  bool PollerIsMissing() const { return !poller_role_.taken() && poller().Watching(); }
  void WakePoller() MR_EXCLUDES(shared_.lock);
  // Takes the processor from a machine whose thread sleeps in a system call that nobody has announced. False: it may
  // not be taken.
  bool Retake(Processor& processor);
  void CountTimersFiredLate(int timers) { timers_fired_late_.Add(static_cast<uint64_t>(timers)); }

  // Everything at one moment, for the report of deadlocks.
  struct Rest {
    bool complete = false;  // Nobody holds a processor, no machine is on its way anywhere, and nothing is due.
    uint64_t taken = 0;     // IdleProcessors::taken
  };
  Rest LookForRest() const MR_EXCLUDES(shared_.lock);
  // No fiber runs or is ready, there is no timer and no I/O. Less sure than the above.
  bool EverythingSleeps() const;
  // Threads that are not of this runtime: each may be about to wake somebody.
  bool OtherThreads() const;

  // Is the number of processors that of the CPU limit?
  bool FollowsCpuLimit() const { return follow_cpu_limit_.load(std::memory_order_relaxed); }
  void FollowCpuLimit();

 private:
  friend struct TestDoor;  // tests/support/tormentor.h

  // ---- A machine's life (scheduler.cc)
  static void* MachineThread(void* machine);
  void Loop(Machine& machine);
  void Execute(Machine& machine, Fiber* fiber, bool inherits);
  void QueueAgain(Machine& machine, Fiber* left, bool soon);
  void BeginRun(Machine& machine, Processor& processor, Fiber* fiber, bool inherits);
  Fiber* FindRunnable(Machine& machine, bool* inherits);
  Fiber* FindLocal(Machine& machine, Processor& processor, bool* inherits);
  Fiber* Steal(Machine& machine, Processor& mine, bool slots, bool* slot_left);
  void GiveUpProcessor(Machine& machine, Processor& processor);
  bool AcquireProcessor(Machine& machine);
  SharedQueues::Taker TakerOn(Processor& processor, uint64_t now) const;

  // ---- Simulation (scheduler_simulate.cc)
  Fiber* SimulateLocal(Processor& processor);

  // ---- The end (scheduler_stop.cc)
  void Stop();
  bool AwaitMachines();

  // ---- Where ready fibers go (scheduler_queues.cc)
  void PushLocal(Processor& processor, Fiber* fiber);
  void Submit(Machine* machine, Fiber* fiber);
  void SubmitFromOutside(Fiber* fiber);
  void HoldBack(Fiber* fiber);

  // ---- Waking (scheduler_wake.cc)
  // Rule 1: the work is in a queue.
  void WakeIfIdle() {
    if (idle_.MustWake()) WakeOne();
  }
  void WakeOne();
  void Assign(Machine& machine, Processor* processor, bool spinning);
  void BecomeSpinning(Machine& machine);
  void StopSpinning(Machine& machine);
  bool TryTakeProcessor(Machine& machine);
  struct PollerHost;
  bool PollUntilWork(Machine& machine);
  void InterruptPoller();
  Netpoller& poller() const { return netpoller_.Get(); }
  static void Hold(Machine& machine, Processor& processor);
  static void LetGo(Machine& machine, Processor& processor);

  // ---- Preemption and blocking (scheduler_preempt.cc)
  enum class Resumed : uint8_t { kYes, kStopping };
  void HandToBound(Machine& machine, Processor& processor, Fiber* fiber);
  void Requeue(Machine& machine, Fiber* fiber, ReadyLists::Kind kind) MR_REQUIRES(shared_.lock);
  Resumed SleepBound(Machine& machine);
  bool TakeProcessorToGoOn(Machine& machine);
  void GoOn(Machine& machine, Processor& processor);
  void Disown(Processor& processor);
  void CloseDetachedAccount(Machine& machine, Fiber* fiber, uint64_t now);

  // ---- Fibers that keep their thread (scheduler_locked.cc)
  Fiber* AwaitLocked(Machine& machine);

  // ---- The number of processors (scheduler_resize.cc)
  enum class ResizedBy : uint8_t { kProgram, kCpuLimit };
  int Resize(int procs, ResizedBy by);
  void Retire(Machine& machine, Processor& processor);
  void EmptyIfRetired(Processor& processor) MR_REQUIRES(shared_.lock);  // By whoever has the processor at the moment.

  // ---- A fiber's way (scheduler_fibers.cc)
  void FinishFiber(Processor* processor, Fiber* fiber);

  // Up to the number of processors: read at every switch and hardly ever written. What changes often has cache lines of
  // its own.
  alignas(64) const uint64_t slice_ticks_;
  Fiber* main_ = nullptr;
  const bool simulate_;
  const bool report_deadlock_;
  std::atomic<bool> stopping_{false};
  // Neither simulates nor stops: a fiber may go to the next one without the machine's search.
  std::atomic<bool> goes_on_directly_;
  Processors processors_;

  const uint64_t seed_;
  const std::string cgroup_root_;
  uint64_t simulated_random_;  // Belongs to whichever machine has the processor.
  Stacks stacks_;
  NetpollerSlot netpoller_;  // Operations of dropped fibers lie on their stacks: it goes before those.

  alignas(64) IdleProtocol idle_;
  alignas(64) SysmonSleep sysmon_sleep_;
  PollerRole poller_role_;

  SharedQueues shared_;
  IdleProcessors idle_processors_ MR_GUARDED_BY(shared_.lock){processors_, idle_};
  IdleMachines idle_machines_ MR_GUARDED_BY(shared_.lock);
  Machines machines_;

  ThreadMutex resize_mutex_;  // UnstoppableGuard; one Resize at a time.
  Housekeeper housekeeper_{*this};
  std::atomic<bool> follow_cpu_limit_{false};
  std::atomic<int64_t> simulated_ns_{1'000'000'000};

  sigset_t signal_mask_{};                 // That of the thread that called Run; machines get the same.
  std::atomic<int64_t> outside_calls_{0};  // Plain threads inside Submit.

  std::atomic<uint64_t> next_fiber_id_{1};
  std::atomic<uint64_t> outside_started_{0};  // Counted where no processor was at hand.
  std::atomic<uint64_t> outside_finished_{0};
  std::atomic<uint64_t> machine_wakeups_{0};
  std::atomic<uint64_t> handoffs_{0};
  Counter timers_fired_late_;  // By sysmon.
};

}  // namespace millrace::rt
