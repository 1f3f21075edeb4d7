// Processor (P): the right to run fibers, with what belongs to it: a run queue, timers, a cache of used stacks,
// counters.
//
//   Who may change it   The machine that holds it; sysmon, when it has taken it from one that sleeps in a system call.
//                       Thieves use run_queue and timers, whose own rules allow it; counters are written by the holder
//                       and read by anyone. Idle ones belong to the scheduler's list, under its lock.
//   Lifetime            As the scheduler's: one that SetProcs has retired keeps its timers, which others fire, until it
//                       is used again.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "runtime/fiber.h"
#include "runtime/run_queue.h"
#include "runtime/sanitizers.h"
#include "runtime/shares.h"
#include "runtime/timer_heap.h"

namespace millrace::rt {

// A number that one machine writes and everybody may read: a plain add, no locked instruction.
class Counter {
 public:
  void Set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  void Add(uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct ProcessorCounters {
  Counter fibers_started;
  Counter fibers_finished;
  Counter switches_voluntary;
  Counter switches_preempted;
  Counter steals;
  Counter fibers_stolen;
  Counter timers_fired;
  Counter switch_ticks;
  Counter wait_ticks;
  // Ready-to-running waits by the position of the highest bit of their ticks: one count-leading-zeros a switch. stats.h
  // wants nanoseconds in coarser steps; Scheduler::Stats converts.
  std::array<Counter, 65> wait_log2;

  void Waited(uint64_t ticks) {
    wait_ticks.Add(ticks);
    wait_log2[64 - static_cast<size_t>(std::countl_zero(ticks))].Add(1);
  }
};

struct Machine;

struct alignas(128) Processor {
  static constexpr int kFreeFibersMax = 64;

  int index = 0;
  Counter tick;         // Time slices begun; every 61st looks at the global queue first.
  Counter slice_start;  // Ticks of the clock (cycles.h).
  // ---- For sysmon
  std::atomic<Machine*> machine{nullptr};  // That holds it. May be out of date by the time it is used.
  std::atomic<uint64_t> stop_tick{
      ~uint64_t{0}};  // The slice that is to end: the preemption signal is about it and no other.
  // What the thread's clock said when sysmon, its owner, began to watch it (Sysmon::GuessFromClock).
  struct Watched {
    uint64_t tick = ~uint64_t{0};
    int64_t cpu_ns = 0;
    int64_t since_ns = 0;
  } watched;
  RunQueue run_queue;
  // Sysmon and idle machines read when the earliest timer is due, the holder counts at every switch: separate cache
  // lines.
  alignas(64) TimerHeap timers;
  alignas(64) ProcessorCounters counters;

  Shares shares;
  Fiber* free_fibers = nullptr;
  int free_fiber_count = 0;
  uint64_t next_fiber_id = 0;  // Ids are taken from the scheduler in batches.
  uint64_t last_fiber_id = 0;

  Processor* idle_next = nullptr;
  bool retired = true;  // Nobody has it and nobody may take it. Under the scheduler's lock.

  // The holder: `fiber` runs from `now` on, in a slice of its own or in what is left of that of the fiber that readied
  // it.
  MR_NO_TSAN void Runs(Fiber& fiber, uint64_t now, bool inherits) {
    counters.Waited(fiber.account.ReadyUntil(now));
    if (!inherits) {
      tick.Add(1);
      slice_start.Set(fiber.account.since);
    }
    fiber.state.store(FiberState::kRunning, std::memory_order_relaxed);
  }
};

}  // namespace millrace::rt
