// Scheduler: finds work for machines, wakes them and lets them sleep. The inside of Runtime; runtime.h is the door.
//
// After Go's proc.go; README.md tells the story. The rules that keep a ready fiber from being left with everybody asleep:
//
//   1. Submit: push the fiber, then (store-load barrier) look whether a processor is idle and nobody spins; if so wake one
//      machine. Going idle: give the processor up and stop spinning, then (store-load barrier) look at all queues once more.
//      Whoever comes second sees the other.
//   2. A machine is woken spinning, at most one at a time. A spinner that finds work stops spinning and wakes the next one if
//      there is more to do.
//   3. WakeOne that finds no idle processor leaves need_spinning_ behind, under lock_: the next machine to give up its processor
//      looks again first (golang/go#45867).
//   4. While a processor is idle and timers are armed, one machine holds the poller role and sleeps no longer than the earliest
//      timer. It is dropped only for running with a processor (then rule 2 finds a successor) or when no processor is idle, and
//      then it looks again (DropPollerRole).
#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/lock.h"
#include "runtime/machine.h"
#include "runtime/netpoll.h"
#include "runtime/processor.h"
#include "runtime/runtime.h"
#include "runtime/stack.h"
#include "runtime/stats.h"

namespace millrace::rt {

class Scheduler {
 public:
  explicit Scheduler(const RuntimeOptions& options);
  ~Scheduler();

  // The calling thread becomes the first machine until `main` has returned; then all machines have stopped.
  void RunMain(Fiber* main);

  // Any thread.
  Fiber* Allocate(FiberOptions options);
  void Release(Fiber* unstarted);
  void Start(Fiber* fiber);
  void MakeReady(Fiber* fiber);
  Netpoller& UseNetpoller(std::unique_ptr<Netpoller> (*make)());
  RuntimeStats Stats() const;
  int procs() const { return static_cast<int>(processors_.size()); }

  // On a fiber, or in a ParkCommit.
  void StartTimer(Timer* timer, int64_t deadline_ns, Timer::Fire fire);

 private:
  // ---- A machine's life
  void MachineThread(Machine& machine);
  void Loop(Machine& machine);
  void Execute(Machine& machine, Fiber* fiber, bool inherits);
  Fiber* FindRunnable(Machine& machine, bool* inherits);
  Fiber* FindLocal(Machine& machine, bool* inherits);
  Fiber* Steal(Machine& machine);
  bool SleepUntilAssigned(Machine& machine);

  // ---- Queues
  void PushLocal(Processor& processor, Fiber* fiber);
  void Submit(Machine* machine, Fiber* fiber);
  void SubmitFromOutside(Fiber* fiber);
  Fiber* PopGlobal(Processor& processor, int64_t max);  // lock_ held
  void PushGlobal(Fiber* fiber);                        // lock_ held
  bool AnyWork() const;
  int64_t EarliestTimer() const;

  // ---- Waking
  void WakeIfIdle();
  void WakeSuccessor();
  void WakeOne();
  void BecomeSpinning(Machine& machine);
  void StopSpinning(Machine& machine);
  Processor* PopIdleProcessor();  // lock_ held
  void PushIdleProcessor(Processor* processor);
  bool TryTakeProcessor(Machine& machine);
  bool PollUntilWork(Machine& machine);
  void InterruptPoller();
  void Stop();

  void FinishFiber(Machine& machine, Fiber* fiber);

  const uint64_t seed_;
  const uint64_t slice_ticks_;
  std::vector<std::unique_ptr<Processor>> processors_;
  StackPool stacks_;
  SleepPoller sleep_poller_;
  std::unique_ptr<Netpoller> netpoller_;  // Set once, under machines_mutex_.
  std::atomic<Netpoller*> poller_{&sleep_poller_};
  Fiber* main_ = nullptr;

  alignas(64) std::atomic<int> spinning_{0};
  std::atomic<int> idle_processor_count_{0};
  std::atomic<bool> need_spinning_{false};
  std::atomic<bool> stopping_{false};

  alignas(64) std::atomic<int64_t> global_count_{0};
  std::atomic<bool> poller_taken_{false};
  // Until when the machine with the poller role sleeps; kNobodyPolls while there is none.
  static constexpr int64_t kNobodyPolls = INT64_MIN;
  std::atomic<int64_t> poll_until_{kNobodyPolls};

  alignas(64) Lock lock_;  // Guards the lists below.
  Fiber* global_head_ = nullptr;
  Fiber* global_tail_ = nullptr;
  Processor* idle_processors_ = nullptr;
  Machine* idle_machines_ = nullptr;
  int idle_machine_count_ = 0;
  int machine_count_ = 0;

  std::mutex machines_mutex_;  // Guards machines_; taken while a thread is made, never by the search for work.
  std::vector<std::unique_ptr<Machine>> machines_;

  sigset_t signal_mask_{};                 // Of the thread that called Run; machines get the same.
  std::atomic<int64_t> outside_calls_{0};  // Plain threads inside Submit.

  std::atomic<uint64_t> next_fiber_id_{1};
  std::atomic<uint64_t> external_started_{0};
  std::atomic<uint64_t> machine_wakeups_{0};
};

}  // namespace millrace::rt
