#include "runtime/slab.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "base/thread_annotations.h"
#include "runtime/accounting.h"
#include "runtime/fiber.h"
#include "runtime/lock.h"

namespace millrace::rt {

namespace internal {
constinit std::atomic<Slab*> first_slab{nullptr};
}

namespace {

// How many walks are going on. A walk raises it and then reads the list; RetireSlab takes the slab out of the list and
// then reads it: whoever comes second sees the other, which needs sequential consistency on both sides.
constinit std::atomic<int> walks{0};

constinit Lock lock;  // Guards the links' changes too; walks read them without it.
// Out of the list, still mapped for the sake of a walk.
constinit Slab* retired MR_GUARDED_BY(lock) = nullptr;

void Unmap(Slab* list) {
  while (list != nullptr) {
    Slab* next = list->next_retired;
    munmap(list->base, list->mapped_bytes);  // The header goes with it.
    list = next;
  }
}

}  // namespace

Fiber* Slab::At(size_t index) const {
  return reinterpret_cast<Fiber*>(base + (index + 1) * stride - sizeof(Fiber) - index % kColors * kColorBytes);
}

size_t Slab::IndexOf(const void* address) const {
  auto offset = reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(base);
  return offset < count * stride ? offset / stride : count;
}

void PublishSlab(Slab* slab) {
  LockGuard guard(lock);
  Slab* first = internal::first_slab.load(std::memory_order_relaxed);
  slab->next.store(first, std::memory_order_relaxed);
  if (first != nullptr) first->previous = slab;
  internal::first_slab.store(slab, std::memory_order_seq_cst);
}

void RetireSlab(Slab* slab) {
  Slab* unmap = nullptr;
  {
    LockGuard guard(lock);
    Slab* next = slab->next.load(std::memory_order_relaxed);
    // Its own link stays: a walk that stands on it goes on from there, to slabs that are mapped as long as the walk
    // lives.
    (slab->previous != nullptr ? slab->previous->next : internal::first_slab).store(next, std::memory_order_seq_cst);
    if (next != nullptr) next->previous = slab->previous;
    slab->next_retired = retired;
    retired = slab;
    if (walks.load(std::memory_order_seq_cst) == 0) {
      unmap = retired;
      retired = nullptr;
    }
  }
  Unmap(unmap);
}

FiberWalk::FiberWalk() {
  walks.fetch_add(1, std::memory_order_seq_cst);
  slab_ = internal::first_slab.load(std::memory_order_seq_cst);
}

FiberWalk::~FiberWalk() {
  if (walks.fetch_sub(1, std::memory_order_seq_cst) != 1) return;
  Slab* unmap = nullptr;
  {
    LockGuard guard(lock);
    // A walk that has begun since cannot reach what is retired.
    if (walks.load(std::memory_order_seq_cst) == 0) {
      unmap = retired;
      retired = nullptr;
    }
  }
  Unmap(unmap);
}

Fiber* FiberWalk::Next() {
  while (slab_ != nullptr) {
    // acquire: pairs with StackPool::NewFiber, so the control block has been made.
    if (index_ < slab_->used.load(std::memory_order_acquire)) return slab_->At(index_++);
    slab_ = slab_->next.load(std::memory_order_seq_cst);
    index_ = 0;
  }
  return nullptr;
}

const Slab* FiberWalk::Find(const void* address) const {
  for (Slab* slab = internal::first_slab.load(std::memory_order_seq_cst); slab != nullptr;
       slab = slab->next.load(std::memory_order_seq_cst)) {
    if (slab->IndexOf(address) < slab->count) return slab;
  }
  return nullptr;
}

// ---- For debuggers
// Where deploy/gdb/millrace-gdb.py finds things, in a process or a core, without debug information (-g1 has no types).
// The words, by their index, are that script's LAYOUT; a change of their meaning is a new version.

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // They are plain enough for every compiler that we build with.
constinit struct {
  uint64_t version = 2;
  std::atomic<Slab*>* first_slab = &internal::first_slab;
  double ticks_per_ns = 0;
  const char* states[4] = {"free", "ready", "running", "parked"};
  const char* wait_reasons[16] = {};
  uint64_t slab[5] = {offsetof(Slab, base), offsetof(Slab, stride), offsetof(Slab, count), offsetof(Slab, used),
                      offsetof(Slab, next)};
  uint64_t fiber_bytes = sizeof(Fiber);
  uint64_t fiber[10] = {offsetof(Fiber, context),     offsetof(Fiber, state),     offsetof(Fiber, wait_reason),
                        offsetof(Fiber, id),          offsetof(Fiber, name),      offsetof(Fiber, account.since),
                        offsetof(Fiber, entry),       offsetof(Fiber, stack_low), offsetof(Fiber, stack_top),
                        offsetof(Fiber, preempted_at)};
  uint64_t colors[2] = {Slab::kColors, Slab::kColorBytes};
} millrace_layout __asm__("millrace_layout") __attribute__((used));
#pragma GCC diagnostic pop

void TellDebuggers(double ticks_per_ns) {
  static_assert(static_cast<size_t>(WaitReason::kCount) <= std::size(decltype(millrace_layout.wait_reasons){}),
                "make room for the new reason, and tell the script");
  static_assert(sizeof(FiberState) == 4 && sizeof(WaitReason) == 1, "the script reads them so");
  millrace_layout.ticks_per_ns = ticks_per_ns;
  for (size_t i = 0; i < static_cast<size_t>(WaitReason::kCount); ++i) {
    millrace_layout.wait_reasons[i] = ToString(static_cast<WaitReason>(i));
  }
}

}  // namespace millrace::rt
