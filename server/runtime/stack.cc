#include "runtime/stack.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/check.h"
#include "runtime/cycles.h"
#include "runtime/sanitizers.h"
#include "runtime/valgrind.h"

// Linux 6.13; older C libraries lack the name.
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

namespace millrace::rt {

namespace {

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

size_t Checked(size_t bytes, const char* options) {
  MR_CHECK(bytes >= StackPool::kStackBytesMin && bytes <= StackPool::kStackBytesMax,
           "a fiber stack of %zu bytes was asked for; %s::stack_bytes must be %zu to %zu", bytes, options,
           StackPool::kStackBytesMin, StackPool::kStackBytesMax);
  return bytes;
}

}  // namespace

StackPool::StackPool(size_t stack_bytes, size_t warm_bytes)
    : page_bytes_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
      guard_bytes_(RoundUp(kGuardBytes, page_bytes_) + page_bytes_),
      stack_bytes_(RoundUp(stack_bytes, page_bytes_)),
      stride_(guard_bytes_ + stack_bytes_),
      warm_max_(warm_bytes / stack_bytes_) {}

StackPool::~StackPool() {
  while (slabs_ != nullptr) {
    Slab* slab = slabs_;
    slabs_ = slab->next_of_pool;
    for (size_t i = 0; i < slab->used.load(std::memory_order_relaxed); ++i) {
      sanitizers::DestroyFiber(slab->At(i)->tsan_fiber);
      valgrind::ForgetStack(slab->At(i)->valgrind_stack);
    }
    // Fibers that were dropped in the middle of a function left their frames poisoned.
    sanitizers::Unpoison(slab->base, slab->mapped_bytes);
    RetireSlab(slab);
  }
}

void StackPool::AddSlab() {
  // 64 MiB a slab keeps the count of mappings small for a million fibers; adjacent slabs merge into one mapping anyway.
  // Where address space is short, smaller ones do as well.
  size_t count = std::max<size_t>(1, (size_t{64} << 20) / stride_);
  size_t bytes;
  void* base;
  for (;; count /= 2) {
    bytes = count * stride_ + page_bytes_;
    // NORESERVE: address space is not memory, and the default overcommit heuristic would count it as such.
    base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base != MAP_FAILED) break;
    MR_CHECK(
        count > 1,
        "out of address space: cannot map a fiber stack of %zu bytes: %s; start fewer fibers, ask for smaller stacks "
        "(RuntimeOptions::stack_bytes, FiberOptions::stack_bytes) or raise the limits (ulimit -v, vm.max_map_count)",
        stack_bytes_, strerror(errno));
  }
  // One huge page would commit eight stacks at once.
  madvise(base, bytes, MADV_NOHUGEPAGE);
  char* low = static_cast<char*>(base);
  Slab* slab = new (low + count * stride_) Slab;
  slab->base = low;
  slab->stride = stride_;
  slab->count = count;
  slab->mapped_bytes = bytes;
  slab->next_of_pool = slabs_;
  slabs_ = slab;
  PublishSlab(slab);
}

void StackPool::InstallGuard(char* low) {
  if (!guards_) return;
  if (guard_install_) {
    if (madvise(low, guard_bytes_, MADV_GUARD_INSTALL) == 0) return;
    guard_install_ = false;
  }
  if (mprotect(low, guard_bytes_, PROT_NONE) != 0) guards_ = false;
}

Fiber* StackPool::NewFiber() {
  if (slabs_ == nullptr || slabs_->used.load(std::memory_order_relaxed) == slabs_->count) AddSlab();
  Slab& slab = *slabs_;
  size_t index = slab.used.load(std::memory_order_relaxed);
  char* low = slab.base + index * stride_;
  InstallGuard(low);
  Fiber* fiber = new (slab.At(index)) Fiber;
  fiber->pool = this;
  fiber->stack_low = low + guard_bytes_;
  fiber->tsan_fiber = sanitizers::CreateFiber();
  fiber->valgrind_stack = valgrind::AnnounceStack(fiber->stack_low, fiber);
  // release: pairs with FiberWalk::Next.
  slab.used.store(index + 1, std::memory_order_release);
  return fiber;
}

MR_NO_TSAN Fiber* StackPool::Take(int count) {
  sanitizers::IgnoreScope ignore;
  LockGuard guard(lock_);
  Fiber* list = nullptr;
  for (int i = 0; i < count; ++i) {
    Fiber* fiber;
    if (warm_ != nullptr) {
      fiber = warm_;
      warm_ = fiber->next;
      --warm_count_;
    } else if (cold_ != nullptr) {
      fiber = cold_;
      cold_ = fiber->next;
    } else if (i == 0) {
      fiber = NewFiber();
    } else {
      break;  // Touching new memory is slow: one when one is needed.
    }
    fiber->next = list;
    list = fiber;
  }
  return list;
}

MR_NO_TSAN void StackPool::Give(Fiber* first, int count) {
  sanitizers::IgnoreScope ignore;
  LockGuard guard(lock_);
  for (int i = 0; i < count; ++i) {
    Fiber* fiber = first;
    first = fiber->next;
    if (warm_count_ < warm_max_) {
      fiber->next = warm_;
      warm_ = fiber;
      ++warm_count_;
    } else {
      char* top_page = reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(fiber) & ~(page_bytes_ - 1));
      if (top_page > fiber->stack_low) {
        madvise(fiber->stack_low, static_cast<size_t>(top_page - fiber->stack_low), MADV_DONTNEED);
      }
      fiber->next = cold_;
      cold_ = fiber;
    }
  }
}

template <size_t... kClass>
auto Stacks::MakeClasses(std::index_sequence<kClass...>) -> std::array<StackPool, kClasses> {
  return {{StackPool(StackPool::kStackBytesMin << kClass, kOddWarmBytes)...}};
}

Stacks::Stacks(size_t usual_bytes)
    : usual_(Checked(usual_bytes, "RuntimeOptions")), classes_(MakeClasses(std::make_index_sequence<kClasses>())) {
  static std::once_flag once;
  std::call_once(once, [] { TellDebuggers(GetTickScale().ticks_per_ns); });
}

StackPool& Stacks::For(size_t bytes) {
  if (bytes == 0 || bytes == usual_.stack_bytes()) return usual_;
  size_t size_class = std::bit_ceil(Checked(bytes, "FiberOptions"));
  if (size_class == usual_.stack_bytes()) return usual_;
  return classes_[static_cast<size_t>(std::countr_zero(size_class / StackPool::kStackBytesMin))];
}

}  // namespace millrace::rt
