// Backoff: looking less and less often at a word that other processors work with.
//
// Each look takes the cache line away from the processor that has it, so the next one comes twice as late (Anderson,
// "The Performance of Spin Lock Alternatives for Shared-Memory Multiprocessors", 1990): meanwhile that processor does
// many operations, not one. Measured with eight fibers on two processors and one channel or mutex: a quarter of the
// time that looking all the while took.
//
//   for (Backoff backoff(256, 2048); backoff.Pause();) if (TryTake()) return;
//
// In ticks (cycles.h) and not in pause instructions, which take 20 to 60 ns, as the processor likes.
#pragma once

#include <cstdint>

#include "runtime/cycles.h"
#include "runtime/futex.h"

namespace millrace::rt {

class Backoff {
 public:
  // The first and the longest wait. Both powers of two.
  Backoff(uint64_t first_ticks, uint64_t last_ticks) : wait_(first_ticks), last_(last_ticks) {}

  // False, at once: it has waited for the longest time already.
  bool Pause() {
    if (wait_ > last_) return false;
    for (uint64_t since = NowTicks(); NowTicks() - since < wait_;) CpuRelax();
    wait_ *= 2;
    return true;
  }

 private:
  uint64_t wait_;
  const uint64_t last_;
};

}  // namespace millrace::rt
