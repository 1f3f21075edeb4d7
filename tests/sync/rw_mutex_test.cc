// Mirrors Go's sync/rwmutex_test.go.
#include "sync/rw_mutex.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using test::OnProcs;
using test::WatchedFiber;

class RwMutexTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, RwMutexTest, test::kAnyProcs);

TEST_P(RwMutexTest, ReadersShareIt) {
  Run([] {
    RwMutex mutex;
    std::atomic<int> inside{0};
    WaitGroup done;
    for (int i = 0; i < 10; ++i) {
      done.Go([&] {
        std::shared_lock guard(mutex);
        ++inside;
        while (inside < 10) rt::Yield();  // Ends only when all are inside at once.
      });
    }
    done.Wait();
    EXPECT_EQ(inside, 10);
  });
}

TEST_P(RwMutexTest, AWriterExcludesEverybody) {
  Run([] {
    const int rounds = test::kSlowBuild ? 200 : 3000;
    RwMutex mutex;
    std::atomic<int> readers{0}, writers{0};
    int64_t value = 0;  // Not atomic: ThreadSanitizer watches.
    WaitGroup done;
    for (int i = 0; i < 2; ++i) {
      done.Go([&] {
        for (int round = 0; round < rounds; ++round) {
          std::unique_lock guard(mutex);
          EXPECT_EQ(++writers, 1);
          EXPECT_EQ(readers, 0);
          ++value;
          if (round % 16 == 0) rt::Yield();
          --writers;
        }
      });
    }
    for (int i = 0; i < 8; ++i) {
      done.Go([&] {
        int64_t last = 0;
        for (int round = 0; round < rounds; ++round) {
          std::shared_lock guard(mutex);
          ++readers;
          EXPECT_EQ(writers, 0);
          EXPECT_GE(value, last);
          last = value;
          if (round % 16 == 0) rt::Yield();
          --readers;
        }
      });
    }
    done.Wait();
    EXPECT_EQ(value, 2 * rounds);
  });
}

TEST_P(RwMutexTest, AWaitingWriterKeepsNewReadersOut) {
  Run([] {
    RwMutex mutex;
    std::vector<const char*> order;
    mutex.lock_shared();
    WatchedFiber writer([&] {
      std::unique_lock guard(mutex);
      order.push_back("writer");
    });
    writer.AwaitParked();
    EXPECT_FALSE(mutex.try_lock_shared());
    std::mutex order_mutex;
    auto read = [&] {
      std::shared_lock guard(mutex);
      std::lock_guard order_guard(order_mutex);
      order.push_back("reader");
    };
    WatchedFiber first(read), second(read);
    first.AwaitParked(), second.AwaitParked();
    EXPECT_TRUE(order.empty());
    mutex.unlock_shared();
    writer.Join(), first.Join(), second.Join();
    EXPECT_EQ(order, (std::vector<const char*>{"writer", "reader", "reader"}));
  });
}

TEST_P(RwMutexTest, ReadersThatWaitedGoBeforeTheNextWriter) {
  Run([] {
    RwMutex mutex;
    std::vector<const char*> order;
    mutex.lock();
    WatchedFiber reader([&] {
      std::shared_lock guard(mutex);
      order.push_back("reader");
    });
    reader.AwaitParked();
    WatchedFiber writer([&] {
      std::unique_lock guard(mutex);
      order.push_back("writer");
    });
    writer.AwaitParked();
    mutex.unlock();
    reader.Join(), writer.Join();
    EXPECT_EQ(order, (std::vector<const char*>{"reader", "writer"}));
  });
}

TEST_P(RwMutexTest, TryTakesWhatIsFree) {
  Run([] {
    RwMutex mutex;
    ASSERT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock_shared());
    mutex.unlock();
    ASSERT_TRUE(mutex.try_lock_shared());
    ASSERT_TRUE(mutex.try_lock_shared());
    EXPECT_FALSE(mutex.try_lock());
    mutex.unlock_shared();
    mutex.unlock_shared();
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

class RwMutexDeathTest : public ::testing::Test {
 protected:
  RwMutexDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(RwMutexDeathTest, UnlockingWhatIsNotLockedIsFatal) {
  EXPECT_DEATH(RwMutex().unlock(), "fatal error: sync: Unlock of unlocked RWMutex");
  EXPECT_DEATH(RwMutex().unlock_shared(), "fatal error: sync: RUnlock of unlocked RWMutex");
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         RwMutex mutex;
                         mutex.lock_shared();
                         mutex.unlock();
                       }),
               "fatal error: sync: Unlock of unlocked RWMutex");
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         RwMutex mutex;
                         mutex.lock();
                         mutex.unlock_shared();
                       }),
               "fatal error: sync: RUnlock of unlocked RWMutex");
}

}  // namespace
}  // namespace millrace::sync
