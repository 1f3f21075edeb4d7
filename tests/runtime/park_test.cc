#include "runtime/park.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "runtime/runtime.h"
#include "runtime/sanitizers.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

class Parking : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, Parking, test::kAnyProcs);

TEST_P(Parking, AFiberParkedUnderALockIsFoundByWhoeverTakesTheLock) {
  Run([] {
    constexpr int kRounds = 3000;
    Lock lock;
    Fiber* waiter = nullptr;
    std::atomic<bool> done{false};
    Go([&] {
      for (int i = 0; i < kRounds; ++i) {
        lock.lock();
        waiter = CurrentFiber();
        ParkAndUnlock(WaitReason::kExternal, lock);
      }
      done = true;
    });
    int woken = 0;
    while (!done) {
      Fiber* fiber;
      {
        LockGuard guard(lock);
        fiber = waiter;
        waiter = nullptr;
      }
      if (fiber != nullptr) {
        ++woken;
        Ready(fiber);
      }
      Yield();
    }
    EXPECT_EQ(woken, kRounds);
  });
}

TEST_P(Parking, ACommitThatSaysNoGoesOnAtOnce) {
  Run([] {
    int calls = 0;
    Park(
        WaitReason::kExternal,
        [](Fiber*, void* count) {
          ++*static_cast<int*>(count);
          return false;
        },
        &calls);
    EXPECT_EQ(calls, 1);
  });
}

// The commit runs on the stack of the fiber that comes next.
TEST_P(Parking, ACommitThatSaysNoBesideReadyFibersLosesNobody) {
  Run([] {
    constexpr int kFibers = 50, kRounds = 200;
    std::atomic<int> refused{0};
    sync::WaitGroup done;
    for (int i = 0; i < kFibers; ++i) {
      done.Go([&] {
        for (int round = 0; round < kRounds; ++round) {
          Park(
              WaitReason::kExternal,
              [](Fiber*, void* count) {
                static_cast<std::atomic<int>*>(count)->fetch_add(1);
                return false;
              },
              &refused);
          if (round % 3 == 0) Yield();
        }
      });
    }
    done.Wait();
    EXPECT_EQ(refused, kFibers * kRounds);
  });
}

// A function that waits keeps the place of errno, and the fiber may go on on another thread: in functions of their own.
// For TSan the errno of a thread is one variable that several fibers write.
[[gnu::noinline]] MR_NO_TSAN void SetErrno(int value) { errno = value; }
[[gnu::noinline]] MR_NO_TSAN int Errno() { return errno; }

// Whichever way a fiber is entered (from the machine's stack, from another fiber, for the first time), errno is its
// own.
TEST_P(Parking, ErrnoStaysWithTheFiber) {
  Run([] {
    sync::WaitGroup done;
    std::atomic<int> wrong{0};
    for (int i = 1; i <= 40; ++i) {
      done.Go([&wrong, i] {
        if (Errno() != 0) ++wrong;  // A new one begins with none, whoever ran before.
        for (int round = 0; round < 100; ++round) {
          SetErrno(i);
          Yield();
          if (Errno() != i) ++wrong;
        }
      });
    }
    done.Wait();
    EXPECT_EQ(wrong, 0);
  });
}

TEST_P(Parking, AParkerWokenFirstDoesNotWait) {
  Run([] {
    Parker parker;
    parker.Wake();
    parker.Wait(WaitReason::kExternal);
  });
}

TEST_P(Parking, AParkerWokenByAFiberInAnyOrderGoesOn) {
  Run([] {
    for (int i = 0; i < 2000; ++i) {
      Parker parker;
      Go([&] { parker.Wake(); });
      if (i % 2 == 0) Yield();
      parker.Wait(WaitReason::kExternal);
    }
  });
}

TEST(Parker, ServesPlainThreadsToo) {
  for (int i = 0; i < 500; ++i) {
    Parker parker;
    std::thread waker([&] { parker.Wake(); });
    parker.Wait(WaitReason::kExternal);
    waker.join();
  }
}

TEST(Parker, MadeByAThreadStillParksTheFiberThatWaits) {
  Parker parker;
  test::OnProcs(1, [&] {
    // With the only processor blocked, this fiber would never run.
    Go([&] { parker.Wake(); });
    parker.Wait(WaitReason::kExternal);
  });
}

TEST(ParkDeathTest, ParkOutsideAFiberSaysWhatToDo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Park(WaitReason::kMutex, nullptr, nullptr), "wait for a mutex outside a fiber.*Runtime::Run");
}

TEST(ParkDeathTest, ReadyOfAFiberThatIsNotParkedIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(test::OnProcs(1, [] { Ready(CurrentFiber()); }), "which is not parked");
}

TEST(Lock, ExcludesThreadsAndFibersFromEachOther) {
  Lock lock;
  int64_t count = 0;  // Guarded by lock; a plain integer, so that a broken lock shows (and TSan sees it).
  constexpr int kEach = 20'000;
  test::OnProcs(2, [&] {
    std::atomic<int> left{4};
    std::vector<std::thread> threads;
    auto work = [&] {
      for (int i = 0; i < kEach; ++i) {
        LockGuard guard(lock);
        ++count;
      }
    };
    for (int t = 0; t < 2; ++t) threads.emplace_back(work);
    for (int f = 0; f < 4; ++f) {
      Go([&] {
        work();
        left--;
      });
    }
    while (left > 0) Yield();
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(count, 6 * kEach);
}

// Two threads that take the lock again as soon as they have released it: whoever sleeps for it must still get it, again
// and again.
TEST(Lock, AWaiterIsNotStarvedByThreadsThatTakeItInALoop) {
  Lock lock;
  std::atomic<bool> stop{false};
  std::vector<std::thread> greedy;
  for (int t = 0; t < 3; ++t) {
    greedy.emplace_back([&] {
      while (!stop) {
        LockGuard guard(lock);
        // Long enough for others to give up spinning and sleep.
        for (int i = 0; i < 20'000; ++i) asm volatile("");
      }
    });
  }
  for (int i = 0; i < 200; ++i) LockGuard guard(lock);
  stop = true;
  for (std::thread& thread : greedy) thread.join();
}

}  // namespace
}  // namespace millrace::rt
