// Machine (M): an OS thread of the runtime. On its own stack it searches for fibers (scheduler.cc); a fiber that gives
// up its turn leaves a note (`after_switch`) about what is to be done with it and switches back here.
//
//   searches    on its own stack, with a processor; `spinning` while it looks at other processors too
//   runs        `current`, with a processor
//   polls       on its own stack, without a processor; `collecting` what becomes ready (poller_role.h)
//   sleeps      without a processor, for `wake`: because there is nothing to do (IdleMachines), because a signal has
//               stopped `current` or that comes out of a call and no processor is idle (SleepBound), or because
//               `locked` waits (AwaitLocked)
//   in a call   `current` is, without a processor: in rt::Blocking (`blocking`), or it lost it there (`detached_at` is
//               not 0)
//   gone        `life`: it has ended, or is stopped for good
//
//   Who may change it   Its own thread; `wake` and `assigned` are how others hand it a processor while it sleeps;
//                       sysmon may take the processor of one that sleeps in a system call (processor_slot.h).
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/current_machine.h"
#include "runtime/fiber.h"
#include "runtime/fiber_list.h"
#include "runtime/futex.h"
#include "runtime/park.h"
#include "runtime/processor_slot.h"

namespace millrace::rt {

class Scheduler;

enum class AfterSwitch : uint8_t { kNone, kYield, kPark, kFinish };

struct Machine {
  explicit Machine(Scheduler& owner) : scheduler(owner) {}

  Scheduler& scheduler;
  ProcessorSlot processor;
  Fiber* current = nullptr;           // Also while the fiber is stopped by a signal or in a blocking call.
  Fiber* locked = nullptr;            // Keeps this thread (lock_thread.h): no other fiber runs here.
  bool spinning = false;              // Looks for work and is counted by the idle protocol.
  std::atomic<bool> blocking{false};  // In rt::Blocking, without a processor.

  // ---- Switching
  void* native_context = nullptr;  // The registers of this thread's own stack, while a fiber runs.
  Fiber* left =
      nullptr;  // Left for another fiber, which has to settle it; nullptr: left for the machine's stack, or that was.
  AfterSwitch after_switch = AfterSwitch::kNone;
  ParkCommit park_commit = nullptr;
  void* park_argument = nullptr;
  uint64_t left_at = 0;               // Ticks when the last fiber was left; 0 once something came in between.
  bool left_after_computing = false;  // It yields at the end of a long burst (shares.h); until it is settled.
  uint32_t switches = 0;
  int* errno_place = nullptr;
  ExceptionState* exceptions_place = nullptr;
  void* tsan_thread = nullptr;
  void* asan_fake_stack = nullptr;
  const void* stack_low = nullptr;
  size_t stack_bytes = 0;

  // ---- Being stopped
  std::atomic<pid_t> tid{0};
  std::atomic<uint32_t>* preempt_word = nullptr;  // preempt.h; this thread's.
  mutable std::atomic<bool> signal_sent{false};
  std::atomic<bool> trace_wanted{false};  // trace_running.h
  // Sysmon's: when it took the processor, since when it watches the CPU time of the thread, and its list of such
  // machines.
  std::atomic<uint64_t> detached_at{0};
  int64_t detached_cpu_ns = 0;
  int64_t detached_cpu_since_ns = 0;
  Machine* detached_next = nullptr;
  std::atomic<bool> watched{false};  // Is in the list.

  // ---- Sleeping. `wake` goes 0 -> 1 after `assigned` and `assigned_spinning` are set.
  std::atomic<uint32_t> wake{0};
  Processor* assigned = nullptr;
  bool assigned_spinning = false;
  Machine* idle_next = nullptr;
  void Wake() {
    wake.store(1, std::memory_order_release);
    FutexWake(wake, 1);
  }

  // ---- Polling: what the poller's handlers readied.
  bool collecting = false;
  FiberList collected;

  // ---- The end
  enum class Life : uint32_t { kRuns, kEnded, kAbandoned };
  // At the end of the run it is stopped for good: where (AwaitMachines).
  enum class Stop : uint8_t { kInOwnCode, kInLibraries, kAnywhere };
  std::atomic<Stop> stop{Stop::kInOwnCode};
  std::atomic<Life> life{Life::kRuns};  // Abandoned: asleep for ever in the middle of a fiber.

  uint64_t random_state = 0;
  pthread_t thread{};
};

// For choices that must differ but need not be secret. xorshift64* (Vigna).
inline uint64_t NextRandom(uint64_t& state) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Du;
}

}  // namespace millrace::rt
