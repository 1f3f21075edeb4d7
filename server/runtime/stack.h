// StackPool: where fibers and their stacks come from. Stacks: the pools of one runtime, one for the usual size and one
// for each power of two that a fiber may ask for instead.
//
// One slab (slab.h) holds many stacks; pages are committed when they are touched. Each stack has a guard at its low
// end, by MADV_GUARD_INSTALL where the kernel has it (6.13+, no extra mappings), else by mprotect, which costs two
// mappings a stack: beyond some 30,000 of those (vm.max_map_count) new stacks go without a guard rather than fail.
//
//   Guard      kGuardBytes, since libraries are compiled without stack probes: a frame steps over a guard that is
//              smaller than it. The frames of Debian's libraries have up to 37 KiB, except for one of 1 MiB in
//              librocksdb. It is address space only, and costs 0.2 us more than one page would, once in the life of a
//              stack.
//   Ownership  A fiber is handed out by Take and comes back to the same pool (Fiber::pool) by Give; slabs live as long
//              as the pool.
//   Threads    Any. One short lock for each pool; processors keep small caches of stacks of the usual size in front
//              (processor.h).
//   Memory     Nothing comes from malloc, whose locks a preempted fiber may hold.
//   Reuse      A used stack keeps the pages it has touched while it is in a processor's cache, and here up to
//              kWarmBytes of address space (kOddWarmBytes for sizes other than the usual one, whose users may leave
//              megabytes behind); beyond that its pages go back to the kernel (MADV_DONTNEED: with MADV_FREE the memory
//              would look leaked, golang/go#42330).
//   Sizes      kStackBytesMin to kStackBytesMax. Anything else is fatal with a message that names the option and the
//              range: a size that was rounded up in silence would hide the mistake, 1 byte as well as 1 TiB. So is
//              running out of address space (ulimit -v): there is no way on for code that has said Go(fn).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/thread_annotations.h"
#include "runtime/fiber.h"
#include "runtime/lock.h"
#include "runtime/slab.h"

namespace millrace::rt {

class StackPool {
 public:
  static constexpr size_t kStackBytesMin = size_t{16} << 10;
  static constexpr size_t kStackBytesMax = size_t{1} << 30;
  // And one page more: stacks that are an odd number of pages apart do not share the same few sets of the TLB.
  static constexpr size_t kGuardBytes = size_t{64} << 10;
  static constexpr size_t kWarmBytes = size_t{1} << 30;  // 4096 stacks of the default size.

  // `stack_bytes` is rounded up to pages. Used stacks up to `warm_bytes` of address space keep their memory.
  explicit StackPool(size_t stack_bytes, size_t warm_bytes = kWarmBytes);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // Up to `count` fibers, linked by Fiber::next, in state kFree; at least one.
  Fiber* Take(int count);
  // Gives back a list of `count` fibers linked by Fiber::next.
  void Give(Fiber* first, int count);

  size_t stack_bytes() const { return stack_bytes_; }

 private:
  Fiber* NewFiber() MR_REQUIRES(lock_);
  void AddSlab() MR_REQUIRES(lock_);
  void InstallGuard(char* low) MR_REQUIRES(lock_);

  const size_t page_bytes_;
  const size_t guard_bytes_;
  const size_t stack_bytes_;  // Without guard; a multiple of the page size.
  const size_t stride_;
  const size_t warm_max_;  // Stacks kept with their pages.

  Lock lock_;
  // Linked by next_of_pool; new stacks come from the first one.
  Slab* slabs_ MR_GUARDED_BY(lock_) = nullptr;
  Fiber* warm_ MR_GUARDED_BY(lock_) = nullptr;
  size_t warm_count_ MR_GUARDED_BY(lock_) = 0;
  // Without memory but for the page of the control block.
  Fiber* cold_ MR_GUARDED_BY(lock_) = nullptr;
  bool guard_install_ MR_GUARDED_BY(lock_) = true;
  bool guards_ MR_GUARDED_BY(lock_) = true;
};

class Stacks {
 public:
  explicit Stacks(size_t usual_bytes);

  // For stacks of at least `bytes`; 0: of the usual size. Fatal if no stack may be that large or that small.
  StackPool& For(size_t bytes);
  StackPool& usual() { return usual_; }

 private:
  static constexpr size_t kOddWarmBytes = size_t{64} << 20;
  static constexpr size_t kClasses = 17;  // 16 KiB << 0 ... 16 KiB << 16 = 1 GiB.
  template <size_t... kClass>
  static auto MakeClasses(std::index_sequence<kClass...> classes) -> std::array<StackPool, kClasses>;

  StackPool usual_;
  // All of them: an empty pool is a few numbers, and making one later would have to allocate.
  std::array<StackPool, kClasses> classes_;
};

}  // namespace millrace::rt
