#include "runtime/stack.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "runtime/sanitizers.h"

// Linux 6.13; older C libraries lack the name.
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

namespace millrace::rt {

namespace {

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

StackPool::StackPool(size_t stack_bytes)
    : page_bytes_(static_cast<size_t>(sysconf(_SC_PAGESIZE))), stack_bytes_(RoundUp(stack_bytes, page_bytes_)) {
  MR_CHECK(stack_bytes >= kStackBytesMin && stack_bytes <= kStackBytesMax,
           "a fiber stack of %zu bytes was asked for; RuntimeOptions::stack_bytes must be %zu to %zu", stack_bytes,
           kStackBytesMin, kStackBytesMax);
  // 64 MiB a slab keeps the count of mappings small for a million fibers; adjacent slabs merge into one mapping anyway.
  stacks_per_slab_ = std::max<size_t>(1, (size_t{64} << 20) / stack_bytes_);
}

StackPool::~StackPool() {
  for (Slab& slab : slabs_) {
    for (size_t i = 0; i < slab.used; ++i) {
      Fiber* fiber = reinterpret_cast<Fiber*>(slab.base + (i + 1) * stack_bytes_ - sizeof(Fiber));
      sanitizers::DestroyFiber(fiber->tsan_fiber);
    }
    // Fibers that were dropped in the middle of a function left their frames poisoned.
    sanitizers::Unpoison(slab.base, slab.bytes);
    munmap(slab.base, slab.bytes);
  }
}

void StackPool::AddSlab() {
  size_t bytes = stacks_per_slab_ * stack_bytes_;
  // NORESERVE: address space is not memory, and the default overcommit heuristic would count it as such.
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MR_CHECK(base != MAP_FAILED,
           "cannot map %zu bytes for fiber stacks (%zu slabs so far): %s; raise the address space limit (ulimit -v) or "
           "lower "
           "RuntimeOptions::stack_bytes",
           bytes, slabs_.size(), strerror(errno));
  // One huge page would commit eight stacks at once.
  madvise(base, bytes, MADV_NOHUGEPAGE);
  slabs_.push_back({static_cast<char*>(base), bytes, 0});
}

void StackPool::InstallGuard(char* low) {
  if (!guards_) return;
  if (guard_install_) {
    if (madvise(low, page_bytes_, MADV_GUARD_INSTALL) == 0) return;
    guard_install_ = false;
  }
  if (mprotect(low, page_bytes_, PROT_NONE) != 0) guards_ = false;
}

Fiber* StackPool::NewFiber() {
  if (slabs_.empty() || slabs_.back().used == stacks_per_slab_) AddSlab();
  Slab& slab = slabs_.back();
  char* low = slab.base + slab.used * stack_bytes_;
  ++slab.used;
  InstallGuard(low);
  // The stack size is a multiple of the page size and Fiber's of its alignment, so the block ends the top page exactly.
  Fiber* fiber = new (low + stack_bytes_ - sizeof(Fiber)) Fiber;
  fiber->stack_low = low + page_bytes_;
  fiber->tsan_fiber = sanitizers::CreateFiber();
  return fiber;
}

Fiber* StackPool::Take(int count) {
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

void StackPool::Give(Fiber* first, int count) {
  LockGuard guard(lock_);
  for (int i = 0; i < count; ++i) {
    Fiber* fiber = first;
    first = fiber->next;
    if (warm_count_ < kWarmStacks) {
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

}  // namespace millrace::rt
