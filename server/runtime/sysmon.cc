#include "runtime/sysmon.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "runtime/cycles.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/thread_state.h"

namespace millrace::rt {

namespace {

// Between two looks: at a runtime where nobody waits, and the range for one where somebody does. The shorter end
// matters when many threads go to sleep in system calls one after the other; a look costs about 3 us for each busy
// processor.
constexpr int64_t kQuietNs = 10'000'000;
constexpr int64_t kShortestNs = 50'000;
constexpr int64_t kLongestNs = 2'000'000;
// A timer this late will not be fired by its own machine soon.
constexpr int64_t kLateNs = 300'000;
// Looks at an idle runtime before sleeping until somebody takes a processor: waking this thread costs whoever does.
constexpr int kIdleLooks = 5;
constexpr int kDetachedLooks = 64;
// CPU time: more than a thread needs to go from one system call into the next, and what one uses that computes.
constexpr int64_t kStirsNs = 100'000;
constexpr int64_t kComputesNs = 1'000'000;
constexpr int64_t kDeadlocksEveryNs = 1'000'000'000;

}  // namespace

void Sysmon::Run() {
  sanitizers::IgnoreScope ignore;
  Scheduler& s = scheduler_;
  int64_t delay = kShortestNs;
  auto goes_on = [&] { return !s.stopping(); };
  deadlocks_at_ns_ = NowNs() + kDeadlocksEveryNs;
  while (goes_on()) {
    s.sysmon_sleep().Nap(NowNs() + delay, goes_on);
    bool idle = s.NobodyRuns();
    idle_looks_ = idle && !HasRunMeanwhile() ? idle_looks_ + 1 : 0;
    // Once when everything has come to rest, and now and then while it has not.
    if (idle_looks_ == 2 || (!idle && NowNs() > deadlocks_at_ns_)) {
      s.housekeeper().Ask(Housekeeper::kDeadlocks);
      deadlocks_at_ns_ = NowNs() + kDeadlocksEveryNs;
    }
    if (idle_looks_ > kIdleLooks) {
      s.sysmon_sleep().Sleep([&] { return goes_on() && s.NobodyRuns(); });
      idle_looks_ = 0;
    }
    // A simulation must not depend on how fast it runs.
    delay = idle || s.simulates() ? kQuietNs : Look(NowNs());
  }
}

// Since the last time, also where it was too short to be seen: everything has to come to rest anew.
bool Sysmon::HasRunMeanwhile() {
  const uint64_t taken = scheduler_.ProcessorsTaken();
  return std::exchange(processors_taken_, taken) != taken;
}

// Returns after how many nanoseconds to look again.
int64_t Sysmon::Look(int64_t now) {
  Scheduler& s = scheduler_;
  int64_t next = kQuietNs;
  bool all_busy = s.idle().idle_processors() == 0;

  s.processors().ForEach([&](Processor& processor) {
    int64_t earliest = processor.timers.earliest_ns();
    if (earliest >= TimerHeap::kNever - kLateNs) return;
    int64_t late_at = earliest + kLateNs;
    if (late_at <= now) {
      s.CountTimersFiredLate(processor.timers.FireDue(now));
    } else {
      next = std::min(next, late_at - now);
    }
  });

  bool work_waits = all_busy && s.shared().Any();
  if (all_busy) s.processors().ForEach([&](Processor& processor) { work_waits |= !processor.run_queue.Empty(); });
  bool retook = false;
  uint64_t now_ticks = NowTicks();
  s.processors().ForEach([&](Processor& processor) {
    if (work_waits || s.processors().TooMany(processor)) {
      retook |= LookAt(processor, now, now_ticks);
      next = std::min(next, backoff_ns_);
    }
  });
  backoff_ns_ = retook || !work_waits ? kShortestNs : std::min(2 * backoff_ns_, kLongestNs);

  LookAtDetached();
  // Who switches from fiber to fiber queues the one it has left without the barrier of rule 1 (QueueAgain): seen here
  // at the latest.
  if (!all_busy) s.WakeSuccessor();
  if (all_busy && s.PollerIsMissing()) s.WakePoller();
  return std::max(next, kShortestNs);
}

// Others wait for this processor. True: it was taken from a thread that sleeps.
bool Sysmon::LookAt(Processor& processor, int64_t now, uint64_t now_ticks) {
  Scheduler& s = scheduler_;
  Machine* machine = processor.machine.load(std::memory_order_acquire);
  if (machine == nullptr || machine->preempt_word->load(std::memory_order_relaxed) >= internal::kPinned) return false;
  // One that has just begun its slice gets the benefit of the doubt.
  uint64_t tick = processor.tick.Get();
  uint64_t age = TicksBetween(processor.slice_start.Get(), now_ticks);
  if (static_cast<int64_t>(age) < static_cast<int64_t>(s.slice_ticks() / 500)) return false;
  const pid_t tid = machine->tid.load(std::memory_order_relaxed);
  ThreadDoes does = WhatThreadDoes(tid);
  if (does == ThreadDoes::kUnknown) does = GuessFromClock(processor, tid, tick, now);
  if (does == ThreadDoes::kUnknown) return false;
  if (does == ThreadDoes::kSleep && processor.tick.Get() == tick && s.Retake(processor)) {
    Watch(*machine, ThreadCpuNs(tid));
    return true;
  }
  if (kPreemptionWorks && (age >= s.slice_ticks() || s.processors().TooMany(processor)) &&
      !machine->signal_sent.load(std::memory_order_relaxed)) {
    processor.stop_tick.store(tick, std::memory_order_relaxed);
    SendPreemptSignal(*machine);
  }
  return false;
}

// For a thread of which the kernel tells nothing. Much CPU time since it was first looked at in this slice: it
// computes. None for long: it sleeps, or gets no core, which is as good a reason to give its processor to another one.
ThreadDoes Sysmon::GuessFromClock(Processor& processor, pid_t tid, uint64_t tick, int64_t now) {
  Processor::Watched& watched = processor.watched;
  int64_t cpu_ns = ThreadCpuNs(tid);
  int64_t used_ns = cpu_ns - watched.cpu_ns;
  ThreadDoes does = ThreadDoes::kUnknown;
  if (watched.tick == tick) {
    if (used_ns >= kComputesNs) does = ThreadDoes::kRun;
    if (used_ns < kStirsNs && now - watched.since_ns >= kTimeSliceNs) does = ThreadDoes::kSleep;
  }
  // What it did long ago does not tell what it does now.
  if (watched.tick != tick || does != ThreadDoes::kUnknown || now - watched.since_ns >= 2 * kTimeSliceNs)
    watched = {.tick = tick, .cpu_ns = cpu_ns, .since_ns = now};
  return does;
}

void Sysmon::Watch(Machine& machine, int64_t cpu_ns) {
  machine.detached_cpu_ns = cpu_ns;
  machine.detached_cpu_since_ns = NowNs();
  if (machine.watched.load(std::memory_order_relaxed)) return;
  machine.watched.store(true, std::memory_order_relaxed);
  machine.detached_next = detached_;
  detached_ = &machine;
}

// Threads that have lost their processor: those that compute again are asked to get one. Some at a time, in turn.
void Sysmon::LookAtDetached() {
  if (cursor_ == nullptr) cursor_ = &detached_;
  for (int i = 0; i < kDetachedLooks && *cursor_ != nullptr; ++i) {
    Machine& machine = **cursor_;
    // acquire: pairs with the release where a machine gets a processor again, or leaves its fiber.
    if (machine.detached_at.load(std::memory_order_acquire) == 0) {
      *cursor_ = machine.detached_next;
      // release: pairs with Machines::Reap, after which the machine is gone.
      machine.watched.store(false, std::memory_order_release);
      continue;
    }
    if (Computes(machine) && kPreemptionWorks) SendPreemptSignal(machine);
    cursor_ = &machine.detached_next;
  }
  if (*cursor_ == nullptr) cursor_ = nullptr;
}

// One that only goes from one call to the next gets no signal: that could end the next call early (EINTR). It may sleep
// by the time that it has been found running, so what little it does between two calls is not looked at.
bool Sysmon::Computes(Machine& machine) {
  const pid_t tid = machine.tid.load(std::memory_order_relaxed);
  int64_t cpu_ns = ThreadCpuNs(tid);
  int64_t used_ns = cpu_ns - machine.detached_cpu_ns;
  if (used_ns < kStirsNs) return false;
  ThreadDoes does = WhatThreadDoes(tid);
  // Where the kernel does not tell, only a thread that has had a good part of a core is sure to compute.
  if (does == ThreadDoes::kUnknown) {
    if (used_ns < kComputesNs) return false;
    if (NowNs() - machine.detached_cpu_since_ns < 4 * used_ns) does = ThreadDoes::kRun;
  }
  Watch(machine, cpu_ns);
  return does == ThreadDoes::kRun;
}

}  // namespace millrace::rt
