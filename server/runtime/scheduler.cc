// A machine's life: find a fiber, run it, see what became of it.
#include "runtime/scheduler.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "runtime/context.h"
#include "runtime/cpu_limit.h"
#include "runtime/cycles.h"
#include "runtime/futex.h"
#include "runtime/preempt.h"
#include "runtime/sanitizers.h"
#include "runtime/signal_stack.h"
#include "runtime/slab.h"

namespace millrace::rt {

namespace {

constexpr int kStealRounds = 4;
constexpr uint32_t kSwitchSample = 64;
// A fiber that yields after more than a slice by this much has computed rather than waited for something in its own
// way. Long against a switch, which the lists then cost, and short against what others would notice.
constexpr uint64_t kShortBursts = 20;

// 0: nobody has said; the CPU limit decides, and is followed.
int ProcsAskedFor(const RuntimeOptions& options) {
  MR_CHECK(!options.simulate || options.procs <= 1, "RuntimeOptions::simulate needs procs 0 or 1");
  if (options.simulate) return 1;
  if (options.procs != 0) {
    MR_CHECK(options.procs >= 1 && options.procs <= kMaxProcs,
             "RuntimeOptions::procs is %d; it must be a whole number from 1 to %d, or 0 for the CPU limit",
             options.procs, kMaxProcs);
    return options.procs;
  }
  const char* text = getenv("MILLRACE_PROCS");
  if (text == nullptr || *text == '\0') return 0;
  char* end = nullptr;
  long value = strtol(text, &end, 10);
  MR_CHECK(*end == '\0' && value >= 1 && value <= kMaxProcs,
           "MILLRACE_PROCS is '%s'; it must be a whole number from 1 to %d", text, kMaxProcs);
  return static_cast<int>(value);
}

int ProcsAtFirst(const RuntimeOptions& options) {
  int asked = ProcsAskedFor(options);
  return asked != 0 ? asked : std::clamp(CpuLimit(options.cgroup_root), 1, kMaxProcs);
}

}  // namespace

Scheduler::Scheduler(const RuntimeOptions& options)
    : slice_ticks_(static_cast<uint64_t>(kTimeSliceNs * GetTickScale().ticks_per_ns)),
      simulate_(options.simulate),
      report_deadlock_(options.report_deadlock),
      goes_on_directly_(!options.simulate),
      processors_(ProcsAtFirst(options)),
      seed_(options.seed != 0 ? options.seed : static_cast<uint64_t>(NowNs()) | 1),
      cgroup_root_(options.cgroup_root),
      simulated_random_(seed_),
      stacks_(options.stack_bytes),
      shared_(slice_ticks_, options.parked_machines_max),
      machines_(*this, options.machines_max, seed_),
      follow_cpu_limit_(ProcsAskedFor(options) == 0) {
  sanitizers::LeaveSingleThreadedMode();
  MR_CHECK(options.parked_machines_max >= 1 && options.machines_max >= 2,
           "RuntimeOptions::parked_machines_max must be at least 1 and machines_max at least 2");
}

Scheduler::~Scheduler() {
  // A plain thread may have readied the fiber that ended the run and still be on its way out of Submit.
  while (outside_calls_.load(std::memory_order_acquire) != 0) sched_yield();
}

void* Scheduler::MachineThread(void* argument) {
  Machine& machine = *static_cast<Machine*>(argument);
  Scheduler& scheduler = machine.scheduler;
  pthread_setname_np(pthread_self(), "millrace-m");
  {
    sanitizers::IgnoreScope ignore;
    SignalStack signal_stack;
    machine.preempt_word = reinterpret_cast<std::atomic<uint32_t>*>(&internal::preempt_word);
    Pin();  // This stack is pinned for ever; a fiber's is not (context.cc).
    SetCurrentMachine(&machine);
    machine.tid.store(gettid(), std::memory_order_release);
    // Whichever thread asked for this one must not lend its signal mask.
    pthread_sigmask(SIG_SETMASK, &scheduler.signal_mask_, nullptr);
    scheduler.machines_.Begins();
    scheduler.Loop(machine);
    SetCurrentMachine(nullptr);
    Unpin();
  }
  // What fibers have left in this thread's variables is destroyed after this.
  if constexpr (!kSwitchesDirectly) {
    for (FiberWalk walk; Fiber* fiber = walk.Next();) sanitizers::Acquire(fiber);
  }
  machine.life.store(Machine::Life::kEnded, std::memory_order_release);
  return nullptr;
}

void Scheduler::Loop(Machine& machine) {
  BindThreadState(machine);
  bool inherits = false;
  for (;;) {
    Fiber* fiber = machine.locked == nullptr ? FindRunnable(machine, &inherits) : AwaitLocked(machine);
    if (fiber == nullptr) return;
    if (fiber->bound != nullptr && fiber != machine.locked) {
      HandToBound(machine, *machine.processor, fiber);
    } else {
      Execute(machine, fiber, inherits && machine.locked == nullptr);
    }
  }
}

MR_NO_TSAN void Scheduler::Execute(Machine& machine, Fiber* fiber, bool inherits) {
  if (machine.left_at == 0) machine.left_at = NowTicks();
  BeginRun(machine, *machine.processor, fiber, inherits);
  Fiber* left = SwitchToFiber(machine, fiber);
  if constexpr (!kSwitchesDirectly) PickNext(machine, left);
  Settle(machine, left);
}

// At machine.left_at.
MR_NO_TSAN inline void Scheduler::BeginRun(Machine& machine, Processor& processor, Fiber* fiber, bool inherits) {
  uint64_t now = machine.left_at;
  // Reading the counter costs as much as the switch itself: the moment one fiber was left is taken as the one the next
  // was entered, and how long the scheduler takes in between is looked at every kSwitchSample-th time only.
  if (++machine.switches % kSwitchSample == 0) {
    now = NowTicks();
    processor.counters.switch_ticks.Add(kSwitchSample * TicksBetween(machine.left_at, now));
  }
  fiber->started = true;
  processor.Runs(*fiber, now, inherits);  // From its `since` on, if it was readied after the last fiber was left.
  machine.current = fiber;
}

SharedQueues::Taker Scheduler::TakerOn(Processor& processor, uint64_t now) const {
  return {.processor = processor, .now = now, .spare = SpareMachines() > 0, .procs = procs()};
}

// Only what needs no look around: the next fiber of the processor's own queue, while nothing else is due.
MR_NO_TSAN Fiber* Scheduler::PickNext(Machine& machine, Fiber* leaving) {
  const uint64_t now = NowTicks();
  machine.left_at = now;
  Processor* processor = machine.processor.Get();
  if (processor == nullptr) [[unlikely]] {
    machine.left_at = 0;
    CloseDetachedAccount(machine, leaving, now);
    return nullptr;
  }
  const uint64_t burst = leaving->account.RanUntil(now);
  if (machine.after_switch == AfterSwitch::kYield && burst > slice_ticks_ / kShortBursts) [[unlikely]] {
    machine.left_after_computing = !simulate_;
    processor->shares.BurstEnds(now, processor->tick.Get(), slice_ticks_);
  }
  processor->counters.switches_voluntary.Add(1);
  if constexpr (!kSwitchesDirectly) return nullptr;
  // One that keeps its thread runs there alone.
  if (leaving->bound != nullptr || !goes_on_directly_.load(std::memory_order_relaxed) || shared_.Presses() ||
      processors_.TooMany(*processor) || (leaving == main_ && machine.after_switch == AfterSwitch::kFinish) ||
      processor->timers.earliest_ticks() <= now || TicksBetween(processor->slice_start.Get(), now) > slice_ticks_ ||
      shared_.IsDue(*processor, now)) {
    return nullptr;
  }
  bool inherits;
  Fiber* next = processor->run_queue.Pop(&inherits);
  if (next != nullptr) BeginRun(machine, *processor, next, inherits);
  return next;
}

// It has left its stack and can go on at once. Out of line: most fibers park or finish, and pay for what is inlined
// there.
__attribute__((noinline)) MR_NO_TSAN void Scheduler::QueueAgain(Machine& machine, Fiber* left, bool soon) {
  Processor* processor = machine.processor.Get();
  left->state.store(FiberState::kReady, std::memory_order_relaxed);
  if (processor == nullptr || left->bound != nullptr) return SubmitFromOutside(left);
  if (soon) {
    if (Fiber* displaced = processor->run_queue.PushNext(left)) PushLocal(*processor, displaced);
  } else if (machine.left_after_computing) [[unlikely]] {
    machine.left_after_computing = false;
    LockGuard guard(shared_.lock);
    shared_.Push(left->urgent ? ReadyLists::kWoken : ReadyLists::kGaveWay, left);
  } else {
    processor->shares.Yields();
    PushLocal(*processor, left);
  }
  // Another fiber runs here already: between its leaving the queue and this one's coming there seemed to be no work.
  // Rule 1 without its barrier, which would cost a third of a yield: what that misses sysmon sees (Look).
  if (!processors_.alone() && machine.current != nullptr && idle_.LooksIdle()) WakeIfIdle();
}

MR_NO_TSAN void Scheduler::Settle(Machine& machine, Fiber* left) {
  Processor* processor = machine.processor.Get();
  if (machine.current == left) machine.current = nullptr;
  if (processor == nullptr) [[unlikely]]
    machine.blocking.store(false, std::memory_order_relaxed);
  switch (machine.after_switch) {
    case AfterSwitch::kYield:
      return QueueAgain(machine, left, /*soon=*/false);
    case AfterSwitch::kPark:
      left->state.store(FiberState::kParked, std::memory_order_relaxed);
      // From here on the fiber may be running elsewhere, unless commit says no.
      if (machine.park_commit == nullptr || machine.park_commit(left, machine.park_argument)) return;
      sanitizers::Release(left);
      return QueueAgain(machine, left, /*soon=*/true);
    case AfterSwitch::kFinish:
      return FinishFiber(processor, left);
    case AfterSwitch::kNone:
      MR_FATAL("fiber %lu left its stack without a reason", static_cast<unsigned long>(left->id));
  }
}

Fiber* Scheduler::FindLocal(Machine& machine, Processor& processor, bool* inherits) {
  *inherits = false;
  if (simulate_) [[unlikely]]
    return SimulateLocal(processor);
  uint64_t now = machine.left_at != 0 ? machine.left_at : NowTicks();
  if (processor.timers.earliest_ticks() <= now) processor.counters.timers_fired.Add(processor.timers.FireDue(NowNs()));
  // A pair that readies each other lives in the next slot and off one slice; when that is used up, both queue like the
  // others.
  if (TicksBetween(processor.slice_start.Get(), now) > slice_ticks_) {
    if (Fiber* fiber = processor.run_queue.TakeNext()) PushLocal(processor, fiber);
  }
  const uint64_t tick = processor.tick.Get();
  const bool urgent = shared_.AnyUrgent() && processor.shares.UrgentMayGo(now, tick, slice_ticks_);
  if (urgent || shared_.IsDue(processor, now)) {
    const bool hogs_too = tick % Shares::kTurns == 0 && processor.shares.OnlyYields(Shares::kTurns);
    LockGuard guard(shared_.lock);
    if (Fiber* fiber = shared_.PopBeforeOthers(TakerOn(processor, now), urgent, hogs_too)) return fiber;
  }
  if (Fiber* fiber = processor.run_queue.Pop(inherits)) return fiber;
  if (shared_.Any()) {
    LockGuard guard(shared_.lock);
    if (Fiber* fiber = shared_.PopTimely(TakerOn(processor, now))) return fiber;
  }
  return nullptr;
}

namespace {

// Before a slot is taken from a busy processor. Its own machine empties it within a microsecond mostly, with warm
// caches; or whoever filled it has woken us for it and is still in that system call (7 us in a virtual machine). So one
// nap, the shortest sleep there is (some 60 us with Linux's usual timer slack), as in Go's runqgrab. Meanwhile we count
// as searching, and nobody pays for waking another machine.
void Nap() {
  const timespec shortest{.tv_sec = 0, .tv_nsec = 1};
  nanosleep(&shortest, nullptr);
}

}  // namespace

// Returns a fiber to run with a processor held, or nullptr when the runtime stops.
Fiber* Scheduler::FindRunnable(Machine& machine, bool* inherits) {
  bool napped = false;
  for (;;) {
    if (stopping_.load(std::memory_order_relaxed)) return nullptr;
    Processor* processor = machine.processor.Get();
    if (processor == nullptr) {
      if (!AcquireProcessor(machine)) return nullptr;
      continue;
    }
    if (processors_.TooMany(*processor)) {
      Retire(machine, *processor);
      continue;
    }
    Fiber* fiber = FindLocal(machine, *processor, inherits);
    if (fiber == nullptr) {
      machine.left_at = 0;
      if (machine.spinning || idle_.MaySpin(procs())) {
        if (!machine.spinning) BecomeSpinning(machine);
        bool slot_left = false;
        fiber = Steal(machine, *processor, /*slots=*/napped, &slot_left);
        if (fiber == nullptr && slot_left) {
          Nap();
          napped = true;
          continue;  // What came meanwhile may be more urgent than a slot.
        }
      }
    }
    if (fiber == nullptr && shared_.Any()) {
      LockGuard guard(shared_.lock);
      fiber = shared_.PopLast(TakerOn(*processor, NowTicks()));
    }
    if (fiber != nullptr) {
      if (!fiber->started && !fiber->urgent && shared_.TooManyParked() &&
          !shared_.MayBegin(NowTicks(), SpareMachines() > 0)) [[unlikely]] {
        HoldBack(fiber);
        continue;
      }
      if (machine.spinning) {
        StopSpinning(machine);
        WakeSuccessor();
      }
      return fiber;
    }
    GiveUpProcessor(machine, *processor);
    napped = false;
  }
}

void Scheduler::GiveUpProcessor(Machine& machine, Processor& processor) {
  {
    LockGuard guard(shared_.lock);
    if (stopping_.load(std::memory_order_relaxed) || shared_.Any()) return;
    if (!machine.spinning && idle_.MustSpin()) {  // Rule 3.
      BecomeSpinning(machine);
      return;
    }
    LetGo(machine, processor);
    idle_processors_.Push(processor);
  }
  if (machine.spinning) StopSpinning(machine);
  idle_.BeforeLastLook();  // AcquireProcessor looks.
}

// False: the runtime stops. True: the machine holds a processor and should search.
bool Scheduler::AcquireProcessor(Machine& machine) {
  machine.left_at = 0;
  for (;;) {
    if (stopping_.load(std::memory_order_seq_cst)) return false;
    if (AnyWork() && TryTakeProcessor(machine)) return true;
    if (PollUntilWork(machine)) return true;
    {
      LockGuard guard(shared_.lock);
      if (stopping_.load(std::memory_order_relaxed)) return false;
      idle_machines_.Push(machine);
    }
    // acquire: pairs with the release in Assign; `assigned` is visible.
    while (machine.wake.load(std::memory_order_acquire) == 0) FutexWait(machine.wake, 0);
    machine.wake.store(0, std::memory_order_relaxed);
    if (stopping_.load(std::memory_order_relaxed)) return false;
    if (machine.assigned != nullptr) {
      Hold(machine, *machine.assigned);
      machine.spinning = machine.assigned_spinning;
      return true;
    }
    // Woken for the poller role (WakePoller).
  }
}

// Half of what another processor's ring holds; and what is in a busy processor's slot only if `slots`, else
// `*slot_left` says that there is something.
Fiber* Scheduler::Steal(Machine& machine, Processor& mine, bool slots, bool* slot_left) {
  const size_t count = processors_.made();
  for (int round = 0; round < kStealRounds; ++round) {
    bool last_round = round == kStealRounds - 1;
    size_t start = NextRandom(machine.random_state) % count;
    for (size_t k = 0; k < count; ++k) {
      if (stopping_.load(std::memory_order_relaxed)) return nullptr;
      Processor& victim = processors_[(start + k) % count];
      if (&victim == &mine) continue;
      if (last_round && victim.timers.earliest_ticks() <= NowTicks()) {
        int fired = victim.timers.FireDue(NowNs());  // Late: its own machine is busy, or it has none.
        mine.counters.timers_fired.Add(fired);
        bool inherits;
        if (fired > 0) {
          if (Fiber* fiber = mine.run_queue.Pop(&inherits)) return fiber;
        }
      }
      // One that switches while it is looked at is at work: a pair that readies each other must not be torn apart for
      // nothing.
      bool take_next = last_round && slots;
      if (take_next && !victim.run_queue.Empty()) {
        const uint64_t switches = victim.counters.switches_voluntary.Get();
        for (int i = 0; i < 48; ++i) CpuRelax();
        take_next = victim.counters.switches_voluntary.Get() == switches;
      }
      uint32_t stolen = 0;
      if (Fiber* fiber = victim.run_queue.StealInto(mine.run_queue, take_next, &stolen)) {
        mine.counters.steals.Add(1);
        mine.counters.fibers_stolen.Add(stolen);
        return fiber;
      }
      if (last_round && !slots && !victim.run_queue.Empty()) *slot_left = true;
    }
  }
  return nullptr;
}

}  // namespace millrace::rt
