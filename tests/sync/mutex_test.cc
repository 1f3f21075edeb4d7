// Mirrors Go's sync/mutex_test.go (hammer, TryLock, fairness, misuse) and TestSemaHandoff of runtime/sema_test.go.
#include "sync/mutex.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sync/channel.h"
#include "sync/select.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::OnProcs;
using test::WatchedFiber;

class MutexTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, MutexTest, test::kAnyProcs);

TEST_P(MutexTest, ExcludesAllOthers) {
  Run([] {
    const int rounds = test::kSlowBuild ? 500 : 10'000;
    Mutex mutex;
    int inside = 0, total = 0;  // Not atomic: ThreadSanitizer watches.
    WaitGroup done;
    for (int i = 0; i < 10; ++i) {
      done.Go([&] {
        for (int round = 0; round < rounds; ++round) {
          if (round % 3 == 0 && !mutex.try_lock()) continue;
          if (round % 3 != 0) mutex.lock();
          ASSERT_EQ(++inside, 1);
          if (round % 50 == 1) rt::Yield();
          ++total;
          --inside;
          mutex.unlock();
        }
      });
    }
    done.Wait();
    EXPECT_GE(total, 10 * rounds * 6 / 10);
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST_P(MutexTest, WorksWithTheStandardGuards) {
  Run([] {
    Mutex a, b;
    {
      std::lock_guard guard(a);
      EXPECT_FALSE(a.try_lock());
    }
    {
      std::scoped_lock both(a, b);
      EXPECT_FALSE(b.try_lock());
    }
    std::unique_lock maybe(a, std::try_to_lock);
    EXPECT_TRUE(maybe.owns_lock());
  });
}

TEST_P(MutexTest, ParksTheFiberAndNotTheThread) {
  Run([] {
    Mutex mutex;
    bool entered = false;
    mutex.lock();
    WatchedFiber other([&] {
      std::lock_guard guard(mutex);
      entered = true;
    });
    other.AwaitParked();  // With one processor this would hang if the thread were blocked.
    EXPECT_FALSE(entered);
    mutex.unlock();
    other.Join();
    EXPECT_TRUE(entered);
  });
}

TEST_P(MutexTest, KnowsItsOwner) {
  Run([] {
    Mutex mutex;
    EXPECT_EQ(mutex.owner(), nullptr);
    mutex.lock();
    EXPECT_EQ(mutex.owner(), rt::CurrentFiber());
    mutex.unlock();
    EXPECT_EQ(mutex.owner(), nullptr);
    ASSERT_TRUE(mutex.try_lock());
    EXPECT_EQ(mutex.owner(), rt::CurrentFiber());
    WatchedFiber unlocks_for_us([&] { mutex.unlock(); });  // As in Go, a mutex is not tied to a fiber.
    unlocks_for_us.Join();
    EXPECT_EQ(mutex.owner(), nullptr);
  });
}

// A fiber that takes the mutex again as soon as it has let it go, and holds it most of the time, does not keep another
// one out for ever: after a millisecond of waiting the mutex is handed over.
TEST_P(MutexTest, AHogDoesNotStarveTheOthers) {
  Run([] {
    Mutex mutex;
    std::atomic<bool> stop{false};
    WatchedFiber hog([&] {
      while (!stop) {
        std::lock_guard guard(mutex);
        rt::SleepFor(100us);
      }
    });
    hog.AwaitParked();
    for (int i = 0; i < 10; ++i) {
      rt::SleepFor(100us);
      mutex.lock();
      mutex.unlock();
    }
    stop = true;
  });
}

TEST_P(MutexTest, AStarvingWaiterIsHandedTheMutex) {
  Run([] {
    Mutex mutex;
    mutex.lock();
    std::atomic<int> served{0};
    int first_served_as = 0;
    WatchedFiber starves([&] {
      mutex.lock();
      first_served_as = ++served;
      mutex.unlock();
    });
    starves.AwaitParked();
    // It loses the race for the mutex for more than a millisecond, and once more after that ...
    auto start = std::chrono::steady_clock::now();
    for (bool last = false; served == 0 && !last;) {
      last = std::chrono::steady_clock::now() - start > 3ms;
      mutex.unlock();
      mutex.lock();
      if (served != 0) break;
      rt::Yield();
      starves.AwaitParked();
    }
    // ... so that now it goes before those who only arrive, even if they run already.
    if (served == 0) {
      mutex.unlock();
      mutex.lock();
      ++served;
      EXPECT_EQ(first_served_as, 1);
    }
    mutex.unlock();
  });
}

TEST_P(MutexTest, WaitersAreServedOldestFirst) {
  Run([] {
    Mutex mutex;
    std::vector<int> order;
    std::vector<std::unique_ptr<WatchedFiber>> waiters;
    mutex.lock();
    for (int i = 0; i < 10; ++i) {
      waiters.push_back(std::make_unique<WatchedFiber>([&, i] {
        std::lock_guard guard(mutex);
        order.push_back(i);
      }));
      waiters.back()->AwaitParked();
    }
    mutex.unlock();
    waiters.clear();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  });
}

// Objects counted under their own mutex: the last one to unlock destroys it while others may still be on their way out.
TEST_P(MutexTest, MayBeDestroyedAsSoonAsTheLastUserHasUnlockedIt) {
  Run([] {
    struct Shared {
      Mutex mutex;
      int users = 4;
    };
    const int rounds = test::kSlowBuild ? 300 : 3000;
    for (int round = 0; round < rounds; ++round) {
      auto* shared = new Shared;
      WaitGroup done;
      for (int i = 0; i < 4; ++i) {
        done.Go([shared] {
          shared->mutex.lock();
          bool last = --shared->users == 0;
          shared->mutex.unlock();
          if (last) delete shared;
        });
      }
      done.Wait();
    }
  });
}

TEST_P(MutexTest, APlainThreadMayTryAndUnlock) {
  Mutex mutex;
  ASSERT_TRUE(mutex.try_lock());
  EXPECT_EQ(mutex.owner(), nullptr);
  EXPECT_FALSE(mutex.try_lock());
  Run([&] {
    WatchedFiber waits([&] { std::lock_guard guard(mutex); });
    waits.AwaitParked();
    std::thread([&] { mutex.unlock(); }).join();
  });
}

class MutexDeathTest : public ::testing::Test {
 protected:
  MutexDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(MutexDeathTest, UnlockOfAnUnlockedMutexIsFatal) {
  Mutex mutex;
  EXPECT_DEATH(mutex.unlock(), "fatal error: sync: unlock of unlocked mutex");
  EXPECT_DEATH(OnProcs(1,
                       [&] {
                         mutex.lock();
                         mutex.unlock();
                         mutex.unlock();
                       }),
               "fatal error: sync: unlock of unlocked mutex");
}

}  // namespace
}  // namespace millrace::sync
