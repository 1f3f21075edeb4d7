#include "runtime/processor_slot.h"

#include <sched.h>

namespace millrace::rt {

bool ProcessorSlot::Retake(Processor* processor, const std::atomic<uint32_t>& preempt_word) {
  uintptr_t held = reinterpret_cast<uintptr_t>(processor);
  uintptr_t marked = held | kMark;
  if (!value_.compare_exchange_strong(held, marked, std::memory_order_seq_cst)) return false;
  bool ours = ProcessBarrier() && preempt_word.load(std::memory_order_seq_cst) < internal::kPinned;
  // A pinned machine may have replaced the mark by a value of its own meanwhile; then there is nothing to withdraw.
  uintptr_t next = ours ? 0 : reinterpret_cast<uintptr_t>(processor);
  return value_.compare_exchange_strong(marked, next, std::memory_order_seq_cst) && ours;
}

uintptr_t ProcessorSlot::AwaitDecision() const {
  uintptr_t value;
  while ((value = value_.load(std::memory_order_acquire)) & kMark) sched_yield();
  return value;
}

}  // namespace millrace::rt
