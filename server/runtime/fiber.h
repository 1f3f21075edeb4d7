// Fiber (G): a light thread with its own stack. Its control block sits in the top page of that stack, its closure right
// below, so that a parked shallow fiber costs one page and starting one allocates nothing when a used stack is at hand.
//
//        low address                                                              high address
//        | guard | ........ untouched, not committed ........ <- sp | closure | Fiber |
//
//   Who may change it   The machine that runs the fiber, or, while it is parked, whoever took it off its wait queue:
//                       never two at a time. `state` is read by others and therefore atomic.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/accounting.h"
#include "runtime/backtrace.h"
#include "runtime/fiber_account.h"

namespace millrace::rt {

class Scheduler;
class ShareGroup;
class StackPool;
struct Machine;

//   kFree ──MakeFiber──▶ kReady ──Execute──▶ kRunning ──Park──▶ kParked
//     ▲                    ▲  ▲─Yield, preempted─┘│                │
//     │                    └──────────Ready───────┼────────────────┘
//     └───────────────────the closure returned────┘
enum class FiberState : uint32_t { kFree, kReady, kRunning, kParked };

struct FiberOptions {
  // For dumps; the text must outlive the fiber (a literal).
  const char* name = "";
  // Address space of its stack, 16 KiB to 1 GiB; rounded up to a power of two. 0: the runtime's usual size.
  size_t stack_bytes = 0;
  // For what people and other machines wait for and what takes little time: whenever it is ready it comes before all
  // fibers that are not urgent, on whichever processor is free first. All such fibers together get half of a
  // processor's time at most while others wait for it, and one that computes for a whole slice waits like others then
  // (shares.h).
  bool urgent = false;
  // Where fibers compute for long, those of one group take turns with other groups as if they were one fiber
  // (share_group.h). nullptr: the group of all that name none. A fiber does not have the group of whoever started it.
  ShareGroup* share_group = nullptr;
};

// The part of a thread's state that the C++ runtime keeps for exceptions in flight (__cxa_get_globals of the Itanium
// ABI). It belongs to the fiber: two fibers asleep in catch blocks on one machine would corrupt each other's otherwise.
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

struct alignas(64) Fiber {
  // ---- Switching
  void* context = nullptr;  // Saved registers (Boost.Context) while it does not run.
  std::atomic<FiberState> state{FiberState::kFree};
  WaitReason wait_reason = WaitReason::kNone;
  int saved_errno = 0;
  ExceptionState exceptions;
  Fiber* next = nullptr;  // Link of whichever list owns it: a queue of the scheduler or a free list.
  // A ready fiber that can only go on on this machine's thread: a signal stopped it there, or it comes out of a
  // blocking call. Also while it is not ready, if it keeps its thread (lock_thread.h).
  Machine* bound = nullptr;
  bool started = false;      // Has run.
  bool urgent = false;       // FiberOptions::urgent
  bool was_parked = false;   // A signal has stopped it before.
  uint8_t thread_locks = 0;  // LockThread, nested.

  uint32_t select_random = 0;  // Generator of the order in which its selects look at their cases.

  // ---- What it runs
  void (*entry)(void* closure) = nullptr;
  void* closure = nullptr;
  char* stack_low = nullptr;  // First usable byte, above the guard.
  Scheduler* scheduler = nullptr;
  uint64_t id = 0;

  FiberAccount account;

  // ---- What a switch does not look at. Two cache lines end before account.blocked.
  const char* name = "";
  StackPool* pool = nullptr;          // Where its stack comes from and goes.
  ShareGroup* share_group = nullptr;  // FiberOptions::share_group
  char* stack_top = nullptr;          // Where the stack starts: below the closure.

  // Where the mutex it waits for keeps its owner (a Fiber*); for deadlock.h.
  std::atomic<const void*> waits_for_owner_at{nullptr};

  // ---- For dumps (dump.h). Where it stands while it cannot run and has not left its stack: a signal stopped it, or it
  // is in a blocking call. Else pc is 0. By value: what it describes may end any time.
  SavedFrame preempted_at;

  // ---- Tools
  void* tsan_fiber = nullptr;
  void* asan_fake_stack = nullptr;
  unsigned valgrind_stack = 0;
};

static_assert(offsetof(Fiber, account.blocked) == 128, "what each switch touches is in two cache lines");

}  // namespace millrace::rt
