// StackPool: where fibers and their stacks come from.
//
// One slab (one mapping) holds many stacks; pages are committed when they are touched. Each stack has a guard at its low end, by
// MADV_GUARD_INSTALL where the kernel has it (6.13+, no extra mappings), else by mprotect, which costs two mappings a stack: beyond
// some 30,000 of those (vm.max_map_count) new stacks go without a guard rather than fail.
//
//   Ownership  A fiber is handed out by Take and comes back by Give; slabs live as long as the pool.
//   Threads    Any. One short lock; processors keep small caches of their own in front of it (processor.h).
//   Reuse      A used stack keeps the pages it has touched while it is in a processor's cache, and here up to kWarmStacks; beyond
//              that its pages go back to the kernel (MADV_DONTNEED: with MADV_FREE the memory would look leaked, golang/go#42330).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/lock.h"

namespace millrace::rt {

class StackPool {
 public:
  static constexpr size_t kStackBytesMin = size_t{16} << 10;
  static constexpr size_t kStackBytesMax = size_t{1} << 30;
  static constexpr size_t kWarmStacks = 4096;

  explicit StackPool(size_t stack_bytes);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // Up to `count` fibers, linked by Fiber::next, in state kFree; at least one. Out of address space is fatal: there is no way on
  // for code that has said Go(fn).
  Fiber* Take(int count);
  // Gives back a list of `count` fibers linked by Fiber::next.
  void Give(Fiber* first, int count);

  size_t stack_bytes() const { return stack_bytes_; }

 private:
  struct Slab {
    char* base;
    size_t bytes;
    size_t used;  // Stacks handed out at least once, from the low end.
  };
  Fiber* NewFiber();
  void AddSlab();
  void InstallGuard(char* low);

  const size_t page_bytes_;
  const size_t stack_bytes_;  // With guard; a multiple of the page size.
  size_t stacks_per_slab_;

  Lock lock_;  // Guards all below.
  std::vector<Slab> slabs_;
  Fiber* warm_ = nullptr;
  size_t warm_count_ = 0;
  Fiber* cold_ = nullptr;  // Without memory but for the page of the control block.
  bool guard_install_ = true;
  bool guards_ = true;
};

}  // namespace millrace::rt
