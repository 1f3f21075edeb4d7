#include "runtime/stack.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "runtime/make_fiber.h"
#include "runtime/park.h"
#include "runtime/processor.h"
#include "runtime/runtime.h"
#include "runtime/scheduler.h"
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

// ---- Sizes --------------------------------------------------------------------------------------------------------

TEST(Stacks, AreOfTheNextPowerOfTwo) {
  Stacks stacks(256 << 10);
  EXPECT_EQ(&stacks.For(0), &stacks.usual());
  EXPECT_EQ(&stacks.For(256 << 10), &stacks.usual());
  EXPECT_EQ(&stacks.For(200'000), &stacks.usual());
  EXPECT_EQ(stacks.For(StackPool::kStackBytesMin).stack_bytes(), 16u << 10);
  EXPECT_EQ(stacks.For((16 << 10) + 1).stack_bytes(), 32u << 10);
  EXPECT_EQ(stacks.For(1'000'000).stack_bytes(), 1u << 20);
  EXPECT_EQ(stacks.For(StackPool::kStackBytesMax).stack_bytes(), 1u << 30);
  Stacks odd(100'000);
  EXPECT_EQ(&odd.For(100'000 / 4096 * 4096 + 4096), &odd.usual());
  EXPECT_EQ(odd.For(100'000).stack_bytes(), 128u << 10) << "a size by the page is only the usual one's";
}

template <size_t kFrame>
__attribute__((noinline)) int DescendTo(const char* low) {
  volatile char frame[kFrame];
  frame[0] = 1;
  if (const_cast<const char*>(frame) < low) return frame[0];
  return DescendTo<kFrame>(low) + frame[0];
}

TEST(Stack, OfAFiberHasTheSizeThatWasAskedFor) {
  test::OnProcs(2, [] {
    std::atomic<int> left{3};
    for (size_t bytes : {size_t{16} << 10, size_t{1} << 20, size_t{64} << 20}) {
      Go({.stack_bytes = bytes}, [&left, bytes] {
        Fiber* fiber = CurrentFiber();
        // The rest are the guard, the control block and the closure.
        EXPECT_GT(fiber->stack_top - fiber->stack_low, static_cast<ptrdiff_t>(bytes - (6 << 10)));
        if (bytes < (64 << 10)) {
          EXPECT_GT(DescendTo<512>(fiber->stack_low + (4 << 10)), 0);
        } else {  // ThreadSanitizer knows 65,536 frames.
          EXPECT_GT(DescendTo<16'384>(fiber->stack_low + (40 << 10)), 0);
        }
        --left;
      });
    }
    while (left > 0) Yield();
  });
}

TEST(Stack, OfAnOddSizeGoesBackToItsOwnPool) {
  test::OnProcs(1, [] {
    std::set<Fiber*> used;
    std::atomic<Fiber*> fiber{nullptr};
    for (int i = 0; i < 500; ++i) {
      std::atomic<bool> ran{false};
      Go({.stack_bytes = size_t{16 << 10} << (i % 5)}, [&] {
        EXPECT_EQ(CurrentFiber()->pool->stack_bytes(), size_t{16 << 10} << (i % 5));
        fiber = CurrentFiber();
        ran = true;
      });
      while (!ran) Yield();
      used.insert(fiber);
    }
    // 256 KiB, the usual size, is among them and goes through the processor's cache.
    EXPECT_LE(used.size(), 5u + Processor::kFreeFibersMax);
  });
}

TEST(Stack, OfMainMayBeGivenBackUnused) {
  struct Refuses {
    Refuses() = default;
    Refuses(const Refuses&) { throw 1; }
    void operator()() const {}
  } refuses;
  struct : Refuses {
    char more[2 * kClosureBytesMax] = {};
  } large;
  test::OnProcs(1, [&] {
    for (int i = 0; i < 100; ++i) EXPECT_THROW(Go({.stack_bytes = 1 << 20}, refuses), int);
    for (int i = 0; i < 100; ++i) EXPECT_THROW(Go({.stack_bytes = 1 << 20}, large), int);
    EXPECT_EQ(CurrentScheduler().Stats().fibers, 1);
  });
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
int64_t MeminfoKib(const std::string& key) {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string word; meminfo >> word;) {
    int64_t value = 0;
    if (word == key && meminfo >> value) return value;
  }
  return -1;
}

TEST(Stack, AMillionFibersParkUnderTheDefaultLimits) {
  if (MeminfoKib("MemAvailable:") < (8 << 20)) GTEST_SKIP() << "needs 8 GiB of memory";
  constexpr int kFibers = 1'000'000;
  test::OnProcs(2, [] {
    std::atomic<int> parked{0};
    int64_t before = StatusKib("VmRSS:");
    for (int i = 0; i < kFibers; ++i) {
      Go([&] {
        parked.fetch_add(1, std::memory_order_relaxed);
        Park(WaitReason::kExternal, nullptr, nullptr);
      });
      if (i % 1000 == 999) Yield();
    }
    while (parked < kFibers) Yield();
    EXPECT_LE((StatusKib("VmRSS:") - before) * 1024 / kFibers, 4608);
    EXPECT_LT(StatusKib("VmPTE:") * 1024 / kFibers, 4608) << "page tables, which are memory as well";
  });
}

void LimitAddressSpaceTo(int64_t more_bytes) {
  auto bytes = static_cast<rlim_t>((StatusKib("VmSize:") << 10) + more_bytes);
  rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  setrlimit(RLIMIT_AS, &limit);
}

TEST(StackDeathTest, OutOfAddressSpaceIsFatalWithTheWayOut) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        LimitAddressSpaceTo(512 << 20);
        test::OnProcs(1, [] {
          for (;;) Go({.stack_bytes = 64 << 20}, [] {});
        });
      },
      "out of address space: cannot map a fiber stack of 67108864 bytes: Cannot allocate memory; start fewer fibers, "
      "ask for "
      "smaller stacks \\(RuntimeOptions::stack_bytes, FiberOptions::stack_bytes\\) or raise the limits \\(ulimit -v");
}

TEST(StackDeathTest, ALittleAddressSpaceIsEnoughForAFewFibers) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        LimitAddressSpaceTo(60 << 20);  // Less than one slab of the usual length.
        Runtime runtime({.procs = 1});
        _exit(runtime.Run([] {
          std::atomic<int> ran{0};
          for (int i = 0; i < 20; ++i) Go([&] { ++ran; });
          while (ran < 20) Yield();
          return 3;
        }));
      },
      ::testing::ExitedWithCode(3), "");
}
#endif

TEST(StackDeathTest, AbsurdSizesAreRefusedWithTheRange) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Runtime({.procs = 1, .stack_bytes = 1}), "stack_bytes must be 16384 to 1073741824");
  EXPECT_DEATH(Runtime({.procs = 1, .stack_bytes = size_t{1} << 40}), "stack_bytes must be");
  auto go = [](size_t bytes) { test::OnProcs(1, [bytes] { Go({.stack_bytes = bytes}, [] {}); }); };
  EXPECT_DEATH(go(1), "a fiber stack of 1 bytes was asked for; FiberOptions::stack_bytes must be 16384 to 1073741824");
  EXPECT_DEATH(go(StackPool::kStackBytesMin - 1), "FiberOptions::stack_bytes must be");
  EXPECT_DEATH(go(StackPool::kStackBytesMax + 1), "FiberOptions::stack_bytes must be");
  EXPECT_DEATH(go(size_t{1} << 40),
               "a fiber stack of 1099511627776 bytes was asked for; FiberOptions::stack_bytes must be");
}

}  // namespace
}  // namespace millrace::rt
