#include "runtime/slab.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/runtime.h"
#include "runtime/stack.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

std::set<const Fiber*> AllFibers() {
  std::set<const Fiber*> all;
  for (FiberWalk walk; const Fiber* fiber = walk.Next();) EXPECT_TRUE(all.insert(fiber).second);
  return all;
}

bool IsMapped(const void* address) {
  auto page = reinterpret_cast<uintptr_t>(address) & ~uintptr_t{4095};
  unsigned char resident;
  return mincore(reinterpret_cast<void*>(page), 4096, &resident) == 0 || errno != ENOMEM;
}

TEST(FiberWalk, SeesEveryControlBlockOfEveryPoolOnce) {
  StackPool small(64 << 10), large(32 << 20);
  std::set<const Fiber*> made;
  for (int i = 0; i < 1500; ++i) made.insert(small.Take(1));  // Two slabs.
  for (int i = 0; i < 5; ++i) made.insert(large.Take(1));     // Three.
  std::set<const Fiber*> seen = AllFibers();
  for (const Fiber* fiber : made) EXPECT_EQ(seen.count(fiber), 1u);
}

TEST(FiberWalk, DoesNotSeeWhatIsGone) {
  const Fiber* fiber;
  {
    StackPool pool(64 << 10);
    fiber = pool.Take(1);
    EXPECT_EQ(AllFibers().count(fiber), 1u);
  }
  EXPECT_EQ(AllFibers().count(fiber), 0u);
  EXPECT_FALSE(IsMapped(fiber));
}

TEST(FiberWalk, KeepsWhatItSawMappedUntilItEnds) {
  auto first = std::make_unique<StackPool>(64 << 10);
  auto second = std::make_unique<StackPool>(64 << 10);
  const Fiber* fibers[] = {first->Take(1), second->Take(1)};
  {
    FiberWalk walk;
    // It stands on the newest slab; the pools go, and it still finds its way to the end.
    EXPECT_EQ(walk.Next(), fibers[1]);
    second.reset();
    first.reset();
    EXPECT_EQ(fibers[0]->state, FiberState::kFree);
    EXPECT_EQ(fibers[1]->state, FiberState::kFree);
    while (walk.Next() != nullptr) {
    }
  }
  EXPECT_FALSE(IsMapped(fibers[0]));
  EXPECT_FALSE(IsMapped(fibers[1]));
}

TEST(FiberWalk, FindsTheSlabOfAnAddress) {
  StackPool pool(64 << 10);
  Fiber* fiber = pool.Take(1);
  FiberWalk walk;
  const Slab* slab = walk.Find(fiber->stack_low - 1);  // Its guard.
  ASSERT_NE(slab, nullptr);
  EXPECT_EQ(slab->At(slab->IndexOf(fiber->stack_low - 1)), fiber);
  EXPECT_EQ(slab->At(slab->IndexOf(fiber)), fiber);
  EXPECT_NE(walk.Find(fiber + 1), nullptr) << "the neighbour's guard";
  int local;
  EXPECT_EQ(walk.Find(&local), nullptr);
  EXPECT_EQ(walk.Find(slab), nullptr) << "the header is no stack";
}

TEST(FiberWalk, GoesOnBesideRuntimesThatComeAndGo) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> walkers;
  std::atomic<uint64_t> seen{0};
  for (int i = 0; i < 3; ++i) {
    walkers.emplace_back([&] {
      while (!stop) {
        for (FiberWalk walk; const Fiber* fiber = walk.Next();) {
          // Read what a dump reads first: a block that is not there any more would fault.
          if (fiber->state.load(std::memory_order_relaxed) != FiberState::kFree) ++seen;
        }
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    test::OnProcs(2, [] {
      std::atomic<int> left{50};
      for (int k = 0; k < 50; ++k) Go({.stack_bytes = size_t{16 << 10} << (k % 6)}, [&] { --left; });
      while (left > 0) Yield();
    });
  }
  while (seen == 0) test::OnProcs(1, [] { Yield(); });
  stop = true;
  for (std::thread& walker : walkers) walker.join();
}

}  // namespace
}  // namespace millrace::rt
