// Mirrors Go's sync/cond_test.go.
#include "sync/condition.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sync/mutex.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class ConditionTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, ConditionTest, test::kAnyProcs);

TEST_P(ConditionTest, NotifyOneWakesWhoHasWaitedLongest) {
  Run([] {
    Mutex mutex;
    Condition condition;
    std::vector<int> order;
    std::vector<std::unique_ptr<WatchedFiber>> waiters;
    for (int i = 0; i < 10; ++i) {
      waiters.push_back(std::make_unique<WatchedFiber>([&, i] {
        std::unique_lock lock(mutex);
        condition.Wait(lock);
        order.push_back(i);
      }));
      waiters.back()->AwaitParked();
    }
    for (int i = 0; i < 10; ++i) {
      condition.NotifyOne();
      waiters[i]->Join();
      ASSERT_EQ(order.size(), static_cast<size_t>(i + 1));
      EXPECT_EQ(order.back(), i);
    }
  });
}

TEST_P(ConditionTest, NotifyAllWakesAllWhoWaitAndNobodyLater) {
  Run([] {
    Mutex mutex;
    Condition condition;
    std::atomic<int> awake{0};
    auto wait = [&] {
      std::unique_lock lock(mutex);
      condition.Wait(lock);
      ++awake;
    };
    std::vector<std::unique_ptr<WatchedFiber>> early;
    for (int i = 0; i < 20; ++i) {
      early.push_back(std::make_unique<WatchedFiber>(wait));
      early.back()->AwaitParked();
    }
    condition.NotifyAll();
    early.clear();
    EXPECT_EQ(awake, 20);
    WatchedFiber late(wait);
    late.AwaitParked();
    EXPECT_EQ(awake, 20);
    condition.NotifyAll();
  });
}

TEST_P(ConditionTest, ABoundedQueueMadeOfItLosesNothing) {
  Run([] {
    const int values = test::kSlowBuild ? 1'000 : 20'000;
    Mutex mutex;
    Condition not_empty, not_full;
    std::deque<int> queue;
    int64_t sum = 0;
    WaitGroup done;
    for (int producer = 0; producer < 2; ++producer) {
      done.Go([&] {
        for (int i = 1; i <= values; ++i) {
          std::unique_lock lock(mutex);
          not_full.Wait(lock, [&] { return queue.size() < 5; });
          queue.push_back(i);
          not_empty.NotifyOne();
        }
      });
    }
    for (int consumer = 0; consumer < 4; ++consumer) {
      done.Go([&] {
        for (int i = 0; i < values / 2; ++i) {
          std::unique_lock lock(mutex);
          not_empty.Wait(lock, [&] { return !queue.empty(); });
          sum += queue.front();
          queue.pop_front();
          lock.unlock();
          not_full.NotifyOne();  // Also without the mutex.
        }
      });
    }
    done.Wait();
    EXPECT_EQ(sum, int64_t{values} * (values + 1));
  });
}

TEST_P(ConditionTest, AWaitWithADeadlineEnds) {
  Run([] {
    Mutex mutex;
    Condition condition;
    std::unique_lock lock(mutex);
    EXPECT_FALSE(condition.WaitFor(lock, 2ms));
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(condition.WaitFor(lock, 1ms, [] { return false; }));
    EXPECT_TRUE(condition.WaitFor(lock, 1h, [] { return true; }));
    EXPECT_FALSE(condition.WaitUntil(lock, std::chrono::steady_clock::now() - 1s));
    lock.unlock();
    condition.NotifyOne();  // Nobody is left in the queue.
    bool notified = false;
    WatchedFiber waits([&] {
      std::unique_lock own(mutex);
      notified = condition.WaitFor(own, 1h);
    });
    waits.AwaitParked();
    condition.NotifyOne();
    waits.Join();
    EXPECT_TRUE(notified);
  });
}

TEST_P(ConditionTest, TheGreatestDurationIsNoLimit) {
  Run([] {
    Mutex mutex;
    Condition condition;
    for (AnyDuration no_limit : {AnyDuration(Nanos::max()), AnyDuration(std::chrono::hours::max())}) {
      bool notified = false;
      WatchedFiber waits([&] {
        std::unique_lock lock(mutex);
        notified = condition.WaitFor(lock, no_limit);
      });
      waits.AwaitParked();
      condition.NotifyOne();
      waits.Join();
      EXPECT_TRUE(notified);
    }
  });
}

// Every notification is taken by exactly one waiter, or by none because all had timed out; no wake-up is lost.
TEST_P(ConditionTest, DeadlinesThatRaceWithNotificationsLoseNone) {
  Run([] {
    const int tokens = test::kSlowBuild ? 200 : 1000;
    Mutex mutex;
    Condition condition;
    int available = 0, taken = 0;
    WaitGroup done;
    for (int i = 0; i < 4; ++i) {
      done.Go([&, i] {
        std::unique_lock lock(mutex);
        while (taken < tokens) {
          if (!condition.WaitFor(lock, std::chrono::microseconds(20 * i),
                                 [&] { return available > 0 || taken == tokens; })) {
            continue;
          }
          if (available == 0) continue;
          --available;
          if (++taken == tokens) condition.NotifyAll();
        }
      });
    }
    for (int i = 0; i < tokens; ++i) {
      {
        std::lock_guard lock(mutex);
        ++available;
      }
      condition.NotifyOne();
      if (i % 3 == 0) rt::SleepFor(20us);
    }
    done.Wait();
    EXPECT_EQ(taken, tokens);
    EXPECT_EQ(available, 0);
  });
}

TEST_P(ConditionTest, APlainThreadMayNotify) {
  Run([] {
    Mutex mutex;
    Condition condition;
    WatchedFiber waits([&] {
      std::unique_lock lock(mutex);
      condition.Wait(lock);
    });
    waits.AwaitParked();
    std::thread([&] { condition.NotifyOne(); }).join();
  });
}

}  // namespace
}  // namespace millrace::sync
