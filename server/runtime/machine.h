// Machine (M): an OS thread of the runtime. On its own stack it searches for fibers (scheduler.cc); a fiber that gives up its turn
// leaves a note (`after_switch`) about what is to be done with it and switches back here.
//
//   Who may change it   Its own thread; `wake` and `assigned` are how others hand it a processor while it sleeps.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "runtime/fiber.h"
#include "runtime/park.h"
#include "runtime/processor.h"

namespace millrace::rt {

class Scheduler;

enum class AfterSwitch : uint8_t { kNone, kYield, kPark, kFinish };

struct Machine {
  explicit Machine(Scheduler& owner) : scheduler(owner) {}

  Scheduler& scheduler;
  Processor* processor = nullptr;
  Fiber* current = nullptr;
  bool spinning = false;  // Looks for work and is counted in Scheduler::spinning_.

  // ---- Switching
  void* native_context = nullptr;  // Of this thread's own stack, while a fiber runs on it.
  AfterSwitch after_switch = AfterSwitch::kNone;
  ParkCommit park_commit = nullptr;
  void* park_argument = nullptr;
  uint64_t left_at = 0;  // Ticks when the last fiber was left; 0 once a search came in between.
  uint32_t switches = 0;
  int* errno_place = nullptr;
  ExceptionState* exceptions_place = nullptr;
  void* tsan_thread = nullptr;
  void* asan_fake_stack = nullptr;
  const void* stack_low = nullptr;
  size_t stack_bytes = 0;

  // ---- Sleeping. `wake` goes 0 -> 1 after `assigned` and `assigned_spinning` are set.
  std::atomic<uint32_t> wake{0};
  Processor* assigned = nullptr;
  bool assigned_spinning = false;
  Machine* idle_next = nullptr;

  uint64_t random_state = 0;
  std::thread thread;  // Empty for the one that called Runtime::Run.
};

// The calling thread's machine; nullptr on a plain thread. A fiber must not keep it across a switch: the compiler may not either,
// so this is never inlined and nothing is assumed of it (thread-locals on migrating fibers: runtime/README.md).
Machine* CurrentMachine();
void SetCurrentMachine(Machine* machine);

}  // namespace millrace::rt
