// RunQueue: the bounded ring of ready fibers that its owner fills and thieves steal from, with one LIFO slot in front.
//
//   Owner     The machine that holds the processor: Push, PushNext, Pop. One at a time.
//   Thieves   Any machine: StealInto, from the head only.
//   Source    Go's proc.go (runqput, runqget, runqgrab): the owner writes the tail, everybody moves the head by
//             compare-and-swap.
//   Slot      `next` holds the fiber readied last. It shares the time slice of the fiber that readied it, which makes a
//             pair that talks over a channel run back to back without a trip through the ring.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "runtime/fiber.h"

namespace millrace::rt {

// The model checker runs rings of four, so that all orders around a full one can be tried.
template <uint32_t kSlots>
class RunQueueOf {
 public:
  static constexpr uint32_t kCapacity = kSlots;
  static_assert(std::has_single_bit(kSlots),
                "head and tail wrap around at 2^32, the ring must then go on where it was");

  // Owner. False: full; move half away with TakeHalf first.
  bool Push(Fiber* fiber) {
    // acquire: pairs with the compare-and-swap of a thief or of Pop; the slot we may reuse has been read.
    uint32_t head = head_.load(std::memory_order_acquire);
    uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head >= kCapacity) return false;
    slots_[tail % kCapacity].store(fiber, std::memory_order_relaxed);
    // release: pairs with the acquire of tail_ in StealInto; makes the slot and the fiber visible.
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Owner. Puts `fiber` into the slot and returns the fiber that was there (for Push), or nullptr.
  Fiber* PushNext(Fiber* fiber) { return next_.exchange(fiber, std::memory_order_acq_rel); }

  // Owner. `*inherits`: it came from the slot and goes on with the present time slice.
  Fiber* Pop(bool* inherits) {
    *inherits = false;
    // Only the owner fills the slot, so an empty one stays empty; a thief may still take a full one.
    Fiber* next = next_.load(std::memory_order_relaxed);
    // release: whoever sees the slot empty in Empty sees what went from it to the ring before.
    if (next != nullptr &&
        next_.compare_exchange_strong(next, nullptr, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      *inherits = true;
      return next;
    }
    for (;;) {
      uint32_t head = head_.load(std::memory_order_acquire);
      uint32_t tail = tail_.load(std::memory_order_relaxed);
      if (tail == head) return nullptr;
      Fiber* fiber = slots_[head % kCapacity].load(std::memory_order_relaxed);
      // release: the slot has been read before the owner sees it free.
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel, std::memory_order_relaxed))
        return fiber;
    }
  }

  // Owner. Empties the slot.
  Fiber* TakeNext() { return next_.exchange(nullptr, std::memory_order_acq_rel); }

  // Owner. Takes half of a full ring for the global queue; 0 when thieves made room meanwhile.
  uint32_t TakeHalf(std::array<Fiber*, kCapacity / 2>& out) {
    uint32_t head = head_.load(std::memory_order_acquire);
    uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head < kCapacity) return 0;
    for (uint32_t i = 0; i < kCapacity / 2; ++i)
      out[i] = slots_[(head + i) % kCapacity].load(std::memory_order_relaxed);
    if (!head_.compare_exchange_strong(head, head + kCapacity / 2, std::memory_order_acq_rel,
                                       std::memory_order_relaxed))
      return 0;
    return kCapacity / 2;
  }

  // Thief, owner of `mine`, whose ring must be empty. Moves half of the victim's ring (rounded up) and returns one of
  // them to run; nullptr: nothing there. With `take_next` the slot is taken too when the ring is empty.
  Fiber* StealInto(RunQueueOf& mine, bool take_next, uint32_t* stolen) {
    *stolen = 0;
    for (;;) {
      uint32_t head = head_.load(std::memory_order_acquire);
      // acquire: pairs with the release in Push; see the slots below tail.
      uint32_t tail = tail_.load(std::memory_order_acquire);
      uint32_t count = tail - head;
      count -= count / 2;
      if (count == 0) {
        if (!take_next) return nullptr;
        Fiber* next = next_.load(std::memory_order_relaxed);
        if (next == nullptr ||
            !next_.compare_exchange_strong(next, nullptr, std::memory_order_acquire, std::memory_order_relaxed)) {
          return nullptr;
        }
        *stolen = 1;
        return next;
      }
      if (count > kCapacity / 2) continue;  // head and tail were read at different times; look again.
      uint32_t my_tail = mine.tail_.load(std::memory_order_relaxed);
      for (uint32_t i = 0; i < count; ++i) {
        Fiber* fiber = slots_[(head + i) % kCapacity].load(std::memory_order_relaxed);
        mine.slots_[(my_tail + i) % kCapacity].store(fiber, std::memory_order_relaxed);
      }
      if (!head_.compare_exchange_strong(head, head + count, std::memory_order_acq_rel, std::memory_order_relaxed))
        continue;
      *stolen = count;
      --count;  // The last one is run at once, the others are published.
      Fiber* run = mine.slots_[(my_tail + count) % kCapacity].load(std::memory_order_relaxed);
      if (count > 0) mine.tail_.store(my_tail + count, std::memory_order_release);
      return run;
    }
  }

  // Any thread. The owner moves a fiber from the slot to the ring in two steps (PushNext, Push); reading tail again
  // shows whether that happened in between, which would make both look empty (Go's runqempty).
  bool Empty() const {
    for (;;) {
      uint32_t head = head_.load(std::memory_order_seq_cst);
      uint32_t tail = tail_.load(std::memory_order_seq_cst);
      Fiber* next = next_.load(std::memory_order_seq_cst);
      if (tail == tail_.load(std::memory_order_seq_cst)) return head == tail && next == nullptr;
    }
  }

  // Any thread; a snapshot for statistics.
  uint32_t Size() const {
    uint32_t head = head_.load(std::memory_order_relaxed);
    uint32_t tail = tail_.load(std::memory_order_relaxed);
    uint32_t in_ring = tail - head <= kCapacity ? tail - head : 0;
    return in_ring + (next_.load(std::memory_order_relaxed) != nullptr ? 1 : 0);
  }

 private:
  // Thieves hammer the head, the owner the tail and the slot: separate cache lines.
  alignas(64) std::atomic<uint32_t> head_{0};
  alignas(64) std::atomic<uint32_t> tail_{0};
  std::atomic<Fiber*> next_{nullptr};
  alignas(64) std::array<std::atomic<Fiber*>, kCapacity> slots_{};
};

using RunQueue = RunQueueOf<256>;  // Go's size.

}  // namespace millrace::rt
