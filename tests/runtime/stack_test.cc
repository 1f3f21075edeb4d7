#include "runtime/stack.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

int64_t StatusKib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t value = 0;
    if (word == key && status >> value) return value;
  }
  return -1;
}

// Uses the whole of `bytes` below the caller's frame.
__attribute__((noinline)) int Descend(size_t bytes) {
  volatile char frame[1024];
  memset(const_cast<char*>(frame), 1, sizeof frame);
  if (bytes <= 2 * sizeof frame) return frame[0];
  return Descend(bytes - sizeof frame) + frame[10];
}

TEST(StackPool, GivesEachFiberAStackOfItsOwn) {
  StackPool pool(64 << 10);
  std::set<Fiber*> fibers;
  for (int i = 0; i < 3000; ++i) {
    Fiber* fiber = pool.Take(1);
    ASSERT_TRUE(fibers.insert(fiber).second);
    ASSERT_EQ(fiber->state, FiberState::kFree);
    // Down to the lowest usable byte, and the neighbours' control blocks stay intact.
    memset(fiber->stack_low, 0xAB, 256);
    fiber->id = reinterpret_cast<uintptr_t>(fiber);
  }
  for (Fiber* fiber : fibers) ASSERT_EQ(fiber->id, reinterpret_cast<uintptr_t>(fiber));
}

TEST(StackPool, ReusesWhatCameBack) {
  StackPool pool(64 << 10);
  Fiber* first = pool.Take(1);
  pool.Give(first, 1);
  EXPECT_EQ(pool.Take(1), first);
}

TEST(Stack, HoldsAlmostAllOfItsSize) {
  Runtime runtime({.procs = 1, .stack_bytes = 128 << 10});
  runtime.Run([] { EXPECT_GT(Descend(100 << 10), 0); });
}

TEST(Stack, MemoryOfEndedFibersIsUsedAgain) {
  // 200,000 fibers, at most a handful alive at a time: memory must not grow with their number.
  int64_t before = StatusKib("VmRSS:");
  test::OnProcs(2, [] {
    for (int round = 0; round < 20'000; ++round) {
      std::atomic<int> left{10};
      for (int i = 0; i < 10; ++i) Go([&] { left--; });
      while (left > 0) Yield();
    }
  });
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(StatusKib("VmRSS:") - before, 16 << 10);
#else
  (void)before;
#endif
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Stack, AParkedShallowFiberCommitsOnePage) {
  constexpr int kFibers = 20'000;
  test::OnProcs(1, [] {
    std::atomic<int> parked{0};
    int64_t before = StatusKib("VmRSS:");
    for (int i = 0; i < kFibers; ++i) {
      Go([&] {
        parked++;
        Park(WaitReason::kExternal, nullptr, nullptr);
      });
    }
    while (parked < kFibers) Yield();
    int64_t bytes_each = (StatusKib("VmRSS:") - before) * 1024 / kFibers;
    EXPECT_LE(bytes_each, 4608) << "a parked fiber should touch the top page of its stack only";
  });
}
#endif

#if !defined(__SANITIZE_ADDRESS__)  // Its own handler reports the overflow in other words.
TEST(StackDeathTest, OverflowHitsTheGuardInsteadOfTheNeighbour) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Runtime runtime({.procs = 1, .stack_bytes = 64 << 10});
        runtime.Run([] { Descend(80 << 10); });
      },
      "");
}
#endif

TEST(StackDeathTest, AbsurdSizesAreRefusedWithTheRange) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Runtime({.procs = 1, .stack_bytes = 1}), "stack_bytes must be 16384 to 1073741824");
  EXPECT_DEATH(Runtime({.procs = 1, .stack_bytes = size_t{1} << 40}), "stack_bytes must be");
}

}  // namespace
}  // namespace millrace::rt
