// ProcessorSlot: which processor a machine holds, with a way to take it from a machine that sleeps in a system call.
//
// The machine's side costs nothing: pin the thread (preempt.h), read the slot, compare. Sysmon's side, Retake, is
// Dekker's protocol with all the fences on its side:
//
//   machine    pin; read the slot                  (no fence)
//   sysmon     mark the slot; ProcessBarrier; read the pin
//
// After the barrier either sysmon sees the pin and withdraws the mark, or the machine's read comes later and sees the
// mark; then it waits for the few instructions until sysmon has made up its mind. Rare: sysmon only tries when the
// kernel says the thread sleeps.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/preempt.h"

namespace millrace::rt {

struct Processor;

class ProcessorSlot {
 public:
  // ---- The machine, pinned.
  // nullptr: it has none, or has lost it.
  Processor* Get() const {
    uintptr_t value = value_.load(std::memory_order_relaxed);
    if (value & kMark) [[unlikely]]
      value = AwaitDecision();
    return reinterpret_cast<Processor*>(value);
  }
  Processor& operator*() const { return *Get(); }
  Processor* operator->() const { return Get(); }
  void Set(Processor* processor) { value_.store(reinterpret_cast<uintptr_t>(processor), std::memory_order_release); }

  // ---- Sysmon. True: `processor` was there, the thread is not pinned, and the slot is empty now.
  bool Retake(Processor* processor, const std::atomic<uint32_t>& preempt_word);

 private:
  static constexpr uintptr_t kMark = 1;
  uintptr_t AwaitDecision() const;

  std::atomic<uintptr_t> value_{0};
};

}  // namespace millrace::rt
