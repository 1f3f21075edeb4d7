#include "runtime/cycles.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace millrace::rt {

namespace internal {
bool use_tsc = false;
}

namespace {

// CPUID 0x80000007 EDX bit 8: the counter runs at a constant rate in all power states and is the same on all cores.
bool HasInvariantTsc() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
#else
  return false;
#endif
}

struct Pair {
  int64_t ns;
  uint64_t ticks;
};

// The machine may be paused between the two reads; the closest of several pairs is the honest one.
Pair ReadPair() {
  Pair best{};
  uint64_t best_gap = ~uint64_t{0};
  for (int i = 0; i < 8; ++i) {
    uint64_t before = NowTicks();
    int64_t ns = NowNs();
    uint64_t after = NowTicks();
    if (after - before < best_gap) {
      best_gap = after - before;
      best = {ns, before + (after - before) / 2};
    }
  }
  return best;
}

TickScale Measure() {
  internal::use_tsc = HasInvariantTsc();
  if (!internal::use_tsc) return {false, 1.0};
  Pair start = ReadPair();
  while (NowNs() - start.ns < 4'000'000) {
  }
  Pair end = ReadPair();
  return {true, static_cast<double>(end.ticks - start.ticks) / static_cast<double>(end.ns - start.ns)};
}

}  // namespace

const TickScale& GetTickScale() {
  static const TickScale scale = Measure();
  return scale;
}

}  // namespace millrace::rt
