#include "runtime/scheduler.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "base/check.h"
#include "runtime/context.h"
#include "runtime/cpu_limit.h"
#include "runtime/cycles.h"
#include "runtime/futex.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

namespace {

// Every 61st time slice takes from the global queue first, so that two fibers which keep readying each other cannot starve it.
// A prime, so as not to march in step with a program's own rhythm (Go's number).
constexpr uint32_t kGlobalQueueInterval = 61;
constexpr int kStealRounds = 4;
constexpr uint32_t kSwitchSample = 64;
constexpr int64_t kTimeSliceNs = 10'000'000;  // Go's.

uint64_t NextRandom(uint64_t& state) {  // xorshift64* (Vigna)
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Du;
}

int ProcsFrom(const RuntimeOptions& options) {
  int procs = options.procs;
  const char* origin = "RuntimeOptions::procs";
  if (procs == 0) {
    if (const char* text = getenv("MILLRACE_PROCS"); text != nullptr && *text != '\0') {
      char* end = nullptr;
      long value = strtol(text, &end, 10);
      procs = *end == '\0' && value >= 1 && value <= kMaxProcs ? static_cast<int>(value) : -1;
      origin = "MILLRACE_PROCS";
    } else {
      return std::clamp(CpuLimit(), 1, kMaxProcs);
    }
  }
  MR_CHECK(procs >= 1 && procs <= kMaxProcs, "%s must be a whole number from 1 to %d", origin, kMaxProcs);
  return procs;
}

}  // namespace

Scheduler::Scheduler(const RuntimeOptions& options)
    : seed_(options.seed != 0 ? options.seed : static_cast<uint64_t>(NowNs()) | 1),
      slice_ticks_(static_cast<uint64_t>(kTimeSliceNs * GetTickScale().ticks_per_ns)),
      stacks_(options.stack_bytes) {
  sanitizers::LeaveSingleThreadedMode();
  int procs = ProcsFrom(options);
  for (int i = 0; i < procs; ++i) {
    processors_.push_back(std::make_unique<Processor>());
    processors_.back()->index = i;
  }
}

Scheduler::~Scheduler() {
  // A plain thread may have readied the fiber that ended the run and still be on its way out of Submit.
  while (outside_calls_.load(std::memory_order_acquire) != 0) sched_yield();
}

// ---- A machine's life ---------------------------------------------------------------------------------------------------------

void Scheduler::RunMain(Fiber* main) {
  MR_CHECK(main_ == nullptr, "Runtime::Run was called twice; make a Runtime for each run");
  MR_CHECK(CurrentMachine() == nullptr, "Runtime::Run was called on a fiber; call it from a plain thread");
  main_ = main;
  pthread_sigmask(SIG_SETMASK, nullptr, &signal_mask_);
  auto owned = std::make_unique<Machine>(*this);
  Machine& machine = *owned;
  machine.random_state = seed_;
  {
    std::lock_guard guard(machines_mutex_);
    machines_.push_back(std::move(owned));
  }
  {
    // Not earlier: with an idle processor at hand, a fiber started before Run would start a machine.
    LockGuard guard(lock_);
    for (int i = procs() - 1; i > 0; --i) PushIdleProcessor(processors_[i].get());
    machine.processor = processors_[0].get();
    ++machine_count_;
  }
  SetCurrentMachine(&machine);
  Start(main);
  Loop(machine);
  SetCurrentMachine(nullptr);
  // Machines end at their next search for work; nobody makes new ones once stopping_ is set (WakeOne, under machines_mutex_).
  for (size_t i = 0;; ++i) {
    Machine* other;
    {
      std::lock_guard guard(machines_mutex_);
      if (i == machines_.size()) break;
      other = machines_[i].get();
    }
    if (other->thread.joinable()) other->thread.join();
  }
}

void Scheduler::MachineThread(Machine& machine) {
  // Whichever thread had the work that this one was made for: it must not lend its name and signal mask.
  pthread_setname_np(pthread_self(), "millrace-m");
  pthread_sigmask(SIG_SETMASK, &signal_mask_, nullptr);
  SetCurrentMachine(&machine);
  Loop(machine);
  SetCurrentMachine(nullptr);
}

void Scheduler::Loop(Machine& machine) {
  BindThreadState(machine);
  bool inherits = false;
  while (Fiber* fiber = FindRunnable(machine, &inherits)) Execute(machine, fiber, inherits);
}

MR_NO_TSAN void Scheduler::Execute(Machine& machine, Fiber* fiber, bool inherits) {
  uint64_t now = machine.left_at;
  {
    Processor& processor = *machine.processor;
    // Reading the counter costs as much as the switch itself: the moment one fiber was left is taken as the one the next was
    // entered, and how long the scheduler takes in between is looked at every kSwitchSample-th time only.
    if (now == 0) {
      now = NowTicks();
    } else if (++machine.switches % kSwitchSample == 0) {
      now = NowTicks();
      processor.counters.switch_ticks.Add(kSwitchSample * TicksBetween(machine.left_at, now));
    }
    uint64_t waited = TicksBetween(fiber->since, now);
    fiber->runnable += waited;
    processor.counters.wait_ticks.Add(waited);
    processor.counters.wait_log2[64 - std::countl_zero(waited)].Add(1);
    if (!inherits) {
      ++processor.tick;
      processor.slice_start = now;
    }
  }
  for (bool parked = false; !parked;) {
    fiber->since = now;
    fiber->state.store(FiberState::kRunning, std::memory_order_relaxed);
    machine.current = fiber;
    SwitchToFiber(machine, fiber);
    machine.current = nullptr;
    now = NowTicks();
    fiber->running += TicksBetween(fiber->since, now);
    fiber->since = now;
    machine.left_at = now;
    machine.processor->counters.switches_voluntary.Add(1);

    parked = true;
    switch (machine.after_switch) {
      case AfterSwitch::kYield:
        fiber->state.store(FiberState::kReady, std::memory_order_relaxed);
        PushLocal(*machine.processor, fiber);
        break;
      case AfterSwitch::kPark:
        fiber->state.store(FiberState::kParked, std::memory_order_relaxed);
        // From here on the fiber may be running elsewhere, unless commit says no.
        if (machine.park_commit != nullptr) parked = machine.park_commit(fiber, machine.park_argument);
        if (!parked) sanitizers::Release(fiber);
        break;
      case AfterSwitch::kFinish:
        FinishFiber(machine, fiber);
        break;
      case AfterSwitch::kNone:
        MR_FATAL("fiber %lu left its stack without a reason", static_cast<unsigned long>(fiber->id));
    }
  }
}

Fiber* Scheduler::FindLocal(Machine& machine, bool* inherits) {
  Processor& processor = *machine.processor;
  *inherits = false;
  uint64_t now = machine.left_at != 0 ? machine.left_at : NowTicks();
  if (processor.timers.earliest_ticks() <= now) processor.counters.timers_fired.Add(processor.timers.FireDue(NowNs()));
  // A pair that readies each other lives in the next slot and off one slice; when that is used up, both queue like the others.
  bool slice_over = TicksBetween(processor.slice_start, now) > slice_ticks_;
  if (slice_over) {
    if (Fiber* fiber = processor.run_queue.TakeNext()) PushLocal(processor, fiber);
  }
  if ((slice_over || processor.tick % kGlobalQueueInterval == 0) && global_count_.load(std::memory_order_relaxed) > 0) {
    LockGuard guard(lock_);
    if (Fiber* fiber = PopGlobal(processor, 1)) return fiber;
  }
  if (Fiber* fiber = processor.run_queue.Pop(inherits)) return fiber;
  if (global_count_.load(std::memory_order_relaxed) > 0) {
    LockGuard guard(lock_);
    if (Fiber* fiber = PopGlobal(processor, RunQueue::kCapacity / 2)) return fiber;
  }
  return nullptr;
}

// Returns a fiber to run with machine.processor held, or nullptr when the runtime stops.
Fiber* Scheduler::FindRunnable(Machine& machine, bool* inherits) {
  for (;;) {
    if (stopping_.load(std::memory_order_relaxed)) return nullptr;
    Fiber* fiber = FindLocal(machine, inherits);
    if (fiber == nullptr) {
      machine.left_at = 0;
      // At most half of the busy processors' machines search at a time: more would only fight over the same queues.
      int busy = procs() - idle_processor_count_.load(std::memory_order_relaxed);
      if (machine.spinning || 2 * spinning_.load(std::memory_order_relaxed) < busy) {
        if (!machine.spinning) BecomeSpinning(machine);
        fiber = Steal(machine);
      }
    }
    if (fiber != nullptr) {
      if (machine.spinning) {
        StopSpinning(machine);
        WakeSuccessor();
      }
      return fiber;
    }

    {
      LockGuard guard(lock_);
      if (stopping_.load(std::memory_order_relaxed)) return nullptr;
      if (global_count_.load(std::memory_order_relaxed) > 0) continue;
      if (!machine.spinning && need_spinning_.load(std::memory_order_relaxed)) {  // Rule 3.
        BecomeSpinning(machine);
        continue;
      }
      PushIdleProcessor(machine.processor);
      machine.processor = nullptr;
    }
    if (machine.spinning) StopSpinning(machine);
    // Rule 1. The processor is in the idle list and spinning_ is lowered; partner: the fence in WakeIfIdle. Acquire and release
    // would let both sides miss each other.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (AnyWork() && TryTakeProcessor(machine)) continue;
    if (!SleepUntilAssigned(machine)) return nullptr;
  }
}

Fiber* Scheduler::Steal(Machine& machine) {
  Processor& mine = *machine.processor;
  size_t count = processors_.size();
  for (int round = 0; round < kStealRounds; ++round) {
    bool last_round = round == kStealRounds - 1;
    size_t start = NextRandom(machine.random_state) % count;
    for (size_t k = 0; k < count; ++k) {
      if (stopping_.load(std::memory_order_relaxed)) return nullptr;
      Processor& victim = *processors_[(start + k) % count];
      if (&victim == &mine) continue;
      if (last_round && victim.timers.earliest_ticks() <= NowTicks()) {
        int fired = victim.timers.FireDue(NowNs());  // Late: its own machine is busy, or it has none.
        mine.counters.timers_fired.Add(fired);
        bool inherits;
        if (fired > 0) {
          if (Fiber* fiber = mine.run_queue.Pop(&inherits)) return fiber;
        }
      }
      // The slot of a busy processor is usually emptied within 100 ns by its own machine, with warm caches; give it some
      // microseconds before taking it away (Go's runqgrab).
      if (last_round && !victim.run_queue.Empty()) {
        for (int i = 0; i < 48; ++i) CpuRelax();
      }
      uint32_t stolen = 0;
      if (Fiber* fiber = victim.run_queue.StealInto(mine.run_queue, last_round, &stolen)) {
        mine.counters.steals.Add(1);
        mine.counters.fibers_stolen.Add(stolen);
        return fiber;
      }
    }
  }
  return nullptr;
}

// False: the runtime stops. True: the machine holds a processor and should search.
bool Scheduler::SleepUntilAssigned(Machine& machine) {
  if (PollUntilWork(machine)) return true;
  {
    LockGuard guard(lock_);
    if (stopping_.load(std::memory_order_relaxed)) return false;
    machine.idle_next = idle_machines_;
    idle_machines_ = &machine;
    ++idle_machine_count_;
  }
  // acquire: pairs with the release in WakeOne; `assigned` is visible.
  while (machine.wake.load(std::memory_order_acquire) == 0) FutexWait(machine.wake, 0);
  machine.wake.store(0, std::memory_order_relaxed);
  if (stopping_.load(std::memory_order_relaxed)) return false;
  machine.processor = machine.assigned;
  machine.spinning = machine.assigned_spinning;
  return true;
}

// Takes the poller role if it is free and sleeps until a timer is due. True: the machine got a processor. False: somebody else
// has the role, every processor is busy, or the runtime stops.
bool Scheduler::PollUntilWork(Machine& machine) {
  while (!poller_taken_.exchange(true, std::memory_order_seq_cst)) {
    bool took_processor = false;
    while (!stopping_.load(std::memory_order_seq_cst)) {
      int64_t until = EarliestTimer();
      // Published, then looked again: partner is StartTimer, which publishes its timer and then reads poll_until_.
      poll_until_.store(until, std::memory_order_seq_cst);
      if (EarliestTimer() < until) continue;
      poller_.load(std::memory_order_seq_cst)->Wait(until);
      poll_until_.store(kNobodyPolls, std::memory_order_seq_cst);
      if (!AnyWork()) continue;  // Interrupted for the sake of an earlier timer.
      took_processor = TryTakeProcessor(machine);
      break;  // Without an idle processor each one has a machine that looks after its timers.
    }
    poll_until_.store(kNobodyPolls, std::memory_order_seq_cst);
    poller_taken_.store(false, std::memory_order_seq_cst);
    if (took_processor) return true;
    // Rule 4: a machine that went idle after TryTakeProcessor failed may have found the role taken and gone to sleep.
    bool again = idle_processor_count_.load(std::memory_order_seq_cst) > 0 && EarliestTimer() != TimerHeap::kNever;
    if (!again || stopping_.load(std::memory_order_seq_cst)) return false;
  }
  return false;
}

void Scheduler::Stop() {
  stopping_.store(true, std::memory_order_seq_cst);
  LockGuard guard(lock_);
  while (idle_machines_ != nullptr) {
    Machine* machine = idle_machines_;
    idle_machines_ = machine->idle_next;
    machine->wake.store(1, std::memory_order_release);
    FutexWake(machine->wake, 1);
  }
  idle_machine_count_ = 0;
  InterruptPoller();
}

// ---- Queues ---------------------------------------------------------------------------------------------------------------------

void Scheduler::PushLocal(Processor& processor, Fiber* fiber) {
  while (!processor.run_queue.Push(fiber)) {
    std::array<Fiber*, RunQueue::kCapacity / 2> half;
    uint32_t count = processor.run_queue.TakeHalf(half);
    if (count == 0) continue;
    LockGuard guard(lock_);
    for (uint32_t i = 0; i < count; ++i) PushGlobal(half[i]);
  }
}

// Hands a ready fiber over; `machine` is the calling thread's, or nullptr.
MR_NO_TSAN void Scheduler::Submit(Machine* machine, Fiber* fiber) {
  sanitizers::Release(fiber);
  if (machine != nullptr && machine->processor != nullptr && &machine->scheduler == this) {
    if (Fiber* displaced = machine->processor->run_queue.PushNext(fiber)) PushLocal(*machine->processor, displaced);
    WakeIfIdle();
    return;
  }
  SubmitFromOutside(fiber);
}

void Scheduler::SubmitFromOutside(Fiber* fiber) {
  outside_calls_.fetch_add(1, std::memory_order_relaxed);
  {
    LockGuard guard(lock_);
    PushGlobal(fiber);
  }
  WakeIfIdle();
  // release: pairs with ~Scheduler. Nothing of the scheduler is touched after this.
  outside_calls_.fetch_sub(1, std::memory_order_release);
}

void Scheduler::PushGlobal(Fiber* fiber) {
  fiber->next = nullptr;
  (global_tail_ != nullptr ? global_tail_->next : global_head_) = fiber;
  global_tail_ = fiber;
  global_count_.fetch_add(1, std::memory_order_seq_cst);
}

// A fair share for the processor: one to run now, the others into its ring.
Fiber* Scheduler::PopGlobal(Processor& processor, int64_t max) {
  int64_t count = global_count_.load(std::memory_order_relaxed);
  if (count == 0) return nullptr;
  int64_t take = std::min({count, count / procs() + 1, max});
  Fiber* first = nullptr;
  for (int64_t i = 0; i < take; ++i) {
    Fiber* fiber = global_head_;
    if (i > 0 && !processor.run_queue.Push(fiber)) {
      take = i;
      break;
    }
    global_head_ = fiber->next;
    if (global_head_ == nullptr) global_tail_ = nullptr;
    if (i == 0) first = fiber;
  }
  global_count_.fetch_sub(take, std::memory_order_seq_cst);
  return first;
}

bool Scheduler::AnyWork() const {
  if (global_count_.load(std::memory_order_seq_cst) > 0) return true;
  for (const auto& processor : processors_) {
    if (!processor->run_queue.Empty()) return true;
  }
  int64_t earliest = EarliestTimer();
  return earliest != TimerHeap::kNever && earliest <= NowNs();
}

int64_t Scheduler::EarliestTimer() const {
  int64_t earliest = TimerHeap::kNever;
  for (const auto& processor : processors_) earliest = std::min(earliest, processor->timers.earliest_ns());
  return earliest;
}

MR_NO_TSAN void Scheduler::StartTimer(Timer* timer, int64_t deadline_ns, Timer::Fire fire) {
  Machine* machine = CurrentMachine();
  MR_CHECK(machine != nullptr && machine->processor != nullptr, "a timer was started outside a fiber");
  if (!machine->processor->timers.Insert(timer, deadline_ns, fire)) return;
  // Partner: PollUntilWork.
  if (deadline_ns < poll_until_.load(std::memory_order_seq_cst)) InterruptPoller();
}

void Scheduler::InterruptPoller() { poller_.load(std::memory_order_seq_cst)->Interrupt(); }

Netpoller& Scheduler::UseNetpoller(std::unique_ptr<Netpoller> (*make)()) {
  std::lock_guard guard(machines_mutex_);
  if (netpoller_ == nullptr) {
    netpoller_ = make();
    poller_.store(netpoller_.get(), std::memory_order_seq_cst);
    // Whoever is asleep in the old one goes over to the new one.
    sleep_poller_.Interrupt();
  }
  return *netpoller_;
}

}  // namespace millrace::rt
