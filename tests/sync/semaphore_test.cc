#include "sync/semaphore.h"

#include <atomic>
#include <memory>
#include <vector>

#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using test::WatchedFiber;

class SemaphoreTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, SemaphoreTest, test::kAnyProcs);

TEST_P(SemaphoreTest, NeverGivesMoreThanItHas) {
  Run([] {
    const int rounds = test::kSlowBuild ? 300 : 3000;
    Semaphore permits(5);
    std::atomic<int> held{0};
    WaitGroup done;
    for (int fiber = 0; fiber < 10; ++fiber) {
      done.Go([&, wanted = fiber % 5 + 1] {
        for (int i = 0; i < rounds; ++i) {
          permits.Acquire(wanted);
          EXPECT_LE(held += wanted, 5);
          if (i % 8 == 0) rt::Yield();
          held -= wanted;
          permits.Release(wanted);
        }
      });
    }
    done.Wait();
    EXPECT_EQ(permits.available(), 5);
  });
}

TEST_P(SemaphoreTest, ALargeRequestIsNotOvertakenBySmallOnes) {
  Run([] {
    Semaphore permits(2);
    permits.Acquire(2);
    std::vector<int> order;
    WatchedFiber large([&] { permits.Acquire(2), order.push_back(2); });
    large.AwaitParked();
    WatchedFiber small([&] { permits.Acquire(1), order.push_back(1); });
    small.AwaitParked();
    permits.Release(1);
    EXPECT_FALSE(permits.TryAcquire(1));  // One is free, but others wait.
    EXPECT_TRUE(order.empty());
    permits.Release(1);
    large.Join();
    EXPECT_EQ(order, (std::vector<int>{2}));
    permits.Release(1);
    small.Join();
    EXPECT_EQ(order, (std::vector<int>{2, 1}));
  });
}

TEST_P(SemaphoreTest, OneReleaseMayServeSeveral) {
  Run([] {
    Semaphore permits(0);
    std::vector<std::unique_ptr<WatchedFiber>> waiters;
    for (int i = 0; i < 5; ++i) {
      waiters.push_back(std::make_unique<WatchedFiber>([&] { permits.Acquire(); }));
      waiters.back()->AwaitParked();
    }
    permits.Release(5);
    waiters.clear();
    EXPECT_EQ(permits.available(), 0);
  });
}

// A permit that is released while somebody waits belongs to the one who waits, not to whoever comes first (Go:
// TestSemaHandoff).
TEST_P(SemaphoreTest, AReleaseIsHandedToTheOneThatWaits) {
  Run([] {
    for (int i = 0; i < 100; ++i) {
      Semaphore permits(0);
      WatchedFiber waits([&] { permits.Acquire(); });
      waits.AwaitParked();
      permits.Release();
      EXPECT_FALSE(permits.TryAcquire());
    }
  });
}

TEST(SemaphoreDeathTest, MisuseIsFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Semaphore(1).Acquire(-1), "Semaphore::Acquire of -1 permits");
  EXPECT_DEATH(Semaphore(1).Release(-1), "Semaphore::Release of -1 permits");
}

}  // namespace
}  // namespace millrace::sync
