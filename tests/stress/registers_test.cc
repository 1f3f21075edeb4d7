// What belongs to a thread or a fiber and must survive being stopped: registers, floating point modes, errno,
// thread-locals.
#include <gtest/gtest.h>

#include <cerrno>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "runtime/park.h"
#include "tests/stress/torment.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millrace::test {
namespace {

class StateUnderTorment : public UnderTorment {};
INSTANTIATE_TEST_SUITE_P(Procs, StateUnderTorment, kAnyProcs);

#if defined(__x86_64__)

// Fills all vector registers, keeps the core busy and looks whether they are still the same; in assembly, so that the
// compiler spills none of them meanwhile.
__attribute__((target("avx2"), noinline)) bool Avx2Kept(uint64_t seed, uint64_t spins) {
  alignas(32) uint64_t before[16][4], after[16][4];
  for (auto& reg : before) {
    for (uint64_t& word : reg) word = seed = seed * 6364136223846793005u + 1442695040888963407u;
  }
  asm volatile(
      "vmovdqa 0x000(%[from]), %%ymm0\n vmovdqa 0x020(%[from]), %%ymm1\n vmovdqa 0x040(%[from]), %%ymm2\n"
      "vmovdqa 0x060(%[from]), %%ymm3\n vmovdqa 0x080(%[from]), %%ymm4\n vmovdqa 0x0a0(%[from]), %%ymm5\n"
      "vmovdqa 0x0c0(%[from]), %%ymm6\n vmovdqa 0x0e0(%[from]), %%ymm7\n vmovdqa 0x100(%[from]), %%ymm8\n"
      "vmovdqa 0x120(%[from]), %%ymm9\n vmovdqa 0x140(%[from]), %%ymm10\n vmovdqa 0x160(%[from]), %%ymm11\n"
      "vmovdqa 0x180(%[from]), %%ymm12\n vmovdqa 0x1a0(%[from]), %%ymm13\n vmovdqa 0x1c0(%[from]), %%ymm14\n"
      "vmovdqa 0x1e0(%[from]), %%ymm15\n"
      "1: dec %[spins]\n jnz 1b\n"
      "vmovdqa %%ymm0, 0x000(%[to])\n vmovdqa %%ymm1, 0x020(%[to])\n vmovdqa %%ymm2, 0x040(%[to])\n"
      "vmovdqa %%ymm3, 0x060(%[to])\n vmovdqa %%ymm4, 0x080(%[to])\n vmovdqa %%ymm5, 0x0a0(%[to])\n"
      "vmovdqa %%ymm6, 0x0c0(%[to])\n vmovdqa %%ymm7, 0x0e0(%[to])\n vmovdqa %%ymm8, 0x100(%[to])\n"
      "vmovdqa %%ymm9, 0x120(%[to])\n vmovdqa %%ymm10, 0x140(%[to])\n vmovdqa %%ymm11, 0x160(%[to])\n"
      "vmovdqa %%ymm12, 0x180(%[to])\n vmovdqa %%ymm13, 0x1a0(%[to])\n vmovdqa %%ymm14, 0x1c0(%[to])\n"
      "vmovdqa %%ymm15, 0x1e0(%[to])\n vzeroupper\n"
      : [spins] "+r"(spins)
      : [from] "r"(before), [to] "r"(after)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  return memcmp(before, after, sizeof before) == 0;
}

// Some of what AVX-512 adds: the upper halves, the upper sixteen registers, the masks.
__attribute__((target("avx512f,avx512bw"), noinline)) bool Avx512Kept(uint64_t seed, uint64_t spins) {
  alignas(64) uint64_t before[4][8], after[4][8];
  for (auto& reg : before) {
    for (uint64_t& word : reg) word = seed = seed * 6364136223846793005u + 1442695040888963407u;
  }
  uint64_t mask = seed, mask_after = 0;
  asm volatile(
      "vmovdqa64 0x00(%[from]), %%zmm1\n vmovdqa64 0x40(%[from]), %%zmm15\n"
      "vmovdqa64 0x80(%[from]), %%zmm16\n vmovdqa64 0xc0(%[from]), %%zmm31\n kmovq %[mask], %%k5\n"
      "1: dec %[spins]\n jnz 1b\n"
      "vmovdqa64 %%zmm1, 0x00(%[to])\n vmovdqa64 %%zmm15, 0x40(%[to])\n"
      "vmovdqa64 %%zmm16, 0x80(%[to])\n vmovdqa64 %%zmm31, 0xc0(%[to])\n kmovq %%k5, %[mask_after]\n vzeroupper\n"
      : [spins] "+r"(spins), [mask_after] "=&r"(mask_after)
      : [from] "r"(before), [to] "r"(after), [mask] "r"(mask)
      : "memory", "cc", "xmm1", "xmm15", "xmm16", "xmm31", "k5");
  return memcmp(before, after, sizeof before) == 0 && mask == mask_after;
}

TEST_P(StateUnderTorment, VectorRegistersAreKept) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this processor has no AVX2";
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  Torment(8, [&](int index, int round) {
    uint64_t seed = static_cast<uint64_t>(index * 1000 + round + 1);
    bool good = Avx2Kept(seed, 30'000);
    if (avx512) good = good && Avx512Kept(seed, 30'000);
    return good;
  });
}

#endif

// Each fiber computes with a rounding mode of its own, over stops and waits. (MXCSR and the x87 control word.)
TEST_P(StateUnderTorment, FloatingPointModesBelongToTheFiber) {
  Torment(8, [](int index, int round) {
    static constexpr int kModes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    const int mode = kModes[index % 4];
    fesetround(mode);
    volatile double one = 1.0, three = 3.0;
    volatile long double long_three = 3.0L;
    const double third = one / three;
    const long double long_third = one / long_three;
    bool good = true;
    for (int i = 0; i < 3'000; ++i) good = good && one / three == third && one / long_three == long_third;
    if (round % 2 == 0) rt::Yield();
    if (round % 8 == 1) rt::SleepFor(std::chrono::microseconds(20));
    for (int i = 0; i < 3'000; ++i) good = good && one / three == third && one / long_three == long_third;
    good = good && fegetround() == mode;
    fesetround(FE_TONEAREST);
    return good;
  });
}

// Behind calls: a function that waits may not use errno before and after, since the compiler keeps its address
// (runtime/README.md).
MILLRACE_OPAQUE void SetErrno(int value) { errno = value; }
MILLRACE_OPAQUE int GetErrno() { return errno; }

TEST_P(StateUnderTorment, ErrnoStaysWithItsFiber) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "for ThreadSanitizer fibers are threads, and may not share a thread-local";
  Torment(12, [](int index, int round) {
    const int mine = 500 + index;
    bool good = true;
    for (int i = 0; i < 4; ++i) {
      SetErrno(mine);
      for (int spin = 0; spin < 5'000; ++spin) asm volatile("" : : : "memory");
      good = good && GetErrno() == mine;
      if ((round + i) % 3 == 0) rt::Yield();
      good = good && GetErrno() == mine;
    }
    return good;
  });
}

thread_local int64_t slot = 0;
MILLRACE_OPAQUE int64_t* SlotOfThisThread() { return &slot; }

// A fiber changes its thread only where it waits. Go: TestGetgThreadSwitch for what the runtime itself knows.
TEST_P(StateUnderTorment, BetweenTwoWaitsAFiberStaysOnItsThreadAndKnowsWhoItIs) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "for ThreadSanitizer fibers are threads, and may not share a thread-local";
  Torment(12, [](int index, int round) {
    const rt::Fiber* self = rt::CurrentFiber();
    const uint64_t id = rt::CurrentFiberId();
    int64_t* mine = SlotOfThisThread();
    const int64_t mark = index * 10'000'000 + round;
    *mine = mark;
    bool good = true;
    for (int i = 0; i < 2'000; ++i) {
      good = good && SlotOfThisThread() == mine && *mine == mark && rt::CurrentFiber() == self;
    }
    rt::Yield();
    return good && rt::CurrentFiber() == self && rt::CurrentFiberId() == id && rt::InFiber();
  });
}

// The frames of a deep call, some of them on pages that nobody has touched before.
TEST_P(StateUnderTorment, DeepFramesAreIntact) {
  struct Frames {
    static uint64_t Sum(uint64_t n, uint64_t salt) {
      volatile uint64_t local[8];
      for (uint64_t i = 0; i < 8; ++i) local[i] = n * salt + i;
      uint64_t below = n == 0 ? 0 : Sum(n - 1, salt);
      for (uint64_t i = 0; i < 8; ++i) {
        if (local[i] != n * salt + i) return ~uint64_t{0};
      }
      return below == ~uint64_t{0} ? below : below + 1;
    }
  };
  Torment(8, [](int index, int) { return Frames::Sum(400, static_cast<uint64_t>(index) + 3) == 401; });
}

}  // namespace
}  // namespace millrace::test
