// Slabs: the mappings that hold fibers' stacks, all in one list of the process, so that a dump, the handler of stack
// overflows and a debugger find every fiber there is.
//
//        base                                                                        base + count * stride
//        | guard  stack 0  Fiber | guard  stack 1  Fiber | ................ | Slab (this header, a page of its own)
//
// The header lies above the stacks: a stack that is overrun by more than its guard goes downwards.
//
//   Ownership  A slab belongs to the StackPool that published it until that pool retires it.
//   Threads    Any. Readers (FiberWalk) take no lock and are never waited for: a slab that is retired while anybody
//              looks is unmapped by the last one who does.
#pragma once

#include <atomic>
#include <cstddef>

namespace millrace::rt {

struct Fiber;

struct Slab {
  // Control blocks are not all at the same place of their page, nor pages all at the same place of a power of two: else
  // a thousand fibers would share the same few sets of the caches. Measured: spawn_wait 240 ns without, 128 ns with it.
  static constexpr size_t kColors = 16, kColorBytes = 128;

  // Set before it is published, constant from then on.
  char* base = nullptr;
  size_t stride = 0;  // From one stack to the next: guard, stack, control block.
  size_t count = 0;   // Stacks there is room for.
  size_t mapped_bytes = 0;

  std::atomic<size_t> used{0};  // Stacks whose control block has been made, from the low end.

  Slab* next_of_pool = nullptr;  // The pool's.

  // Links of the list of all.
  std::atomic<Slab*> next{nullptr};
  Slab* previous = nullptr;
  Slab* next_retired = nullptr;

  Fiber* At(size_t index) const;
  // The index of the stack that `address` lies in, guard and control block included; `count` if it is in none.
  size_t IndexOf(const void* address) const;
};

// Puts the slab into the list of all.
void PublishSlab(Slab* slab);
// Takes it out and unmaps it, now or when nobody looks any more.
void RetireSlab(Slab* slab);

// All control blocks that were ever made and whose runtime is alive, also those of fibers that have ended
// (FiberState::kFree) and wait for their next use:
//
//   for (FiberWalk walk; const Fiber* fiber = walk.Next();) { ... }
//
// The control blocks and stacks stay mapped while the walk lives, also if their Runtime goes; all they say may change
// at any time. A walk that never ends (on a fiber that its runtime dropped) costs the address space of slabs retired
// since. Async-signal-safe except for the destructor, which may unmap.
class FiberWalk {
 public:
  FiberWalk();
  ~FiberWalk();
  FiberWalk(const FiberWalk&) = delete;
  FiberWalk& operator=(const FiberWalk&) = delete;

  Fiber* Next();
  // The slab whose mapping `address` lies in, or nullptr. Does not move the walk.
  const Slab* Find(const void* address) const;

 private:
  Slab* slab_;
  size_t index_ = 0;
};

namespace internal {
extern std::atomic<Slab*> first_slab;
}

// How fast the counter of FiberAccount::since goes, for debuggers.
void TellDebuggers(double ticks_per_ns);

}  // namespace millrace::rt
