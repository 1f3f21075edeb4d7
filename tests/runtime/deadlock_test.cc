// Who waits for whom, and what the runtime says when nobody can go on.
#include "runtime/deadlock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "runtime/blocking.h"
#include "runtime/runtime.h"
#include "sync/channel.h"
#include "sync/condition.h"
#include "sync/mutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kFatal[] = "^fatal error: all fibers are asleep - deadlock!\n\nruntime: fiber dump: ";

// Ends the process, with 0 if `main` returns.
[[noreturn]] void RunAndExit(int procs, const std::function<void()>& main) {
  _exit(Runtime({.procs = procs}).Run(main));
}

class DeadlockDeathTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
INSTANTIATE_TEST_SUITE_P(Procs, DeadlockDeathTest, test::kAnyProcs);

// Go's TestSimpleDeadlock.
TEST_P(DeadlockDeathTest, ASendThatNobodyReceivesEndsTheProgramWithCode2) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           sync::Channel<int> channel;
                           channel.Send(1);
                         }),
              ExitedWithCode(2), std::string(kFatal) + "1 fibers: 1 channel send\nfiber 1 'main' \\[channel send, ");
}

TEST_P(DeadlockDeathTest, EveryFiberIsShownWithItsReason) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           sync::Semaphore semaphore(0);
                           sync::WaitGroup all;
                           all.Go([&] { semaphore.Acquire(); });
                           all.Wait();
                         }),
              ExitedWithCode(2), "1 semaphore(.|\n)*1 wait group|1 wait group(.|\n)*1 semaphore");
}

// Go's TestLockedDeadlock comes near.
TEST_P(DeadlockDeathTest, AMutexLockedTwiceEndsTheProgram) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           sync::Mutex mutex;
                           mutex.lock();
                           mutex.lock();
                         }),
              ExitedWithCode(2), kFatal);
}

// Go's TestSimpleDeadlock after work: what ran before does not hide it.
TEST_P(DeadlockDeathTest, AlsoAfterTimersAndBlockingCallsAreOver) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           SleepFor(1ms);
                           Blocking([] { std::this_thread::sleep_for(1ms); });
                           std::thread([] {}).join();
                           sync::Channel<int> channel;
                           channel.Receive();
                         }),
              ExitedWithCode(2), kFatal);
}

TEST_P(DeadlockDeathTest, WhoWaitsForTimeOrTheOutsideIsNotDead) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           // Long enough to be looked at many times over.
                           SleepFor(300ms);
                           Blocking([] { std::this_thread::sleep_for(300ms); });
                           std::this_thread::sleep_for(300ms);
                         }),
              ExitedWithCode(0), "^$");
}

TEST_P(DeadlockDeathTest, AnotherThreadMayWakeSomebody) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           Parker parker;
                           std::thread thread([&] {
                             std::this_thread::sleep_for(300ms);
                             parker.Wake();
                           });
                           parker.Wait(WaitReason::kChannelReceive);
                           thread.join();
                         }),
              ExitedWithCode(0), "^$");
}

TEST_P(DeadlockDeathTest, TheLastOtherThreadMayEndWithoutWakingAnybody) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           std::thread([] { std::this_thread::sleep_for(300ms); }).detach();
                           sync::Channel<int>().Receive();
                         }),
              ExitedWithCode(2), kFatal);
}

TEST_P(DeadlockDeathTest, CanBeSwitchedOff) {
  EXPECT_EXIT(
      {
        Runtime runtime({.procs = GetParam(), .report_deadlock = false});
        runtime.Go([] {
          sync::Channel<int> channel;
          channel.Receive();
        });
        Parker parker;
        std::thread watch([] {
          std::this_thread::sleep_for(300ms);
          _exit(5);
        });
        watch.detach();
        runtime.Run([&] { parker.Wait(WaitReason::kChannelReceive); });
      },
      ExitedWithCode(5), "^$");
}

class LockCycle : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, LockCycle, test::kAnyProcs);

TEST_P(LockCycle, OfThreeFibersIsFoundWhileOthersRun) {
  Run([] {
    // Not in this frame: the fibers are dropped only after main has returned.
    static std::deque<std::array<sync::Mutex, 3>> tables;
    static std::deque<sync::WaitGroup> groups;
    auto* mutexes = &tables.emplace_back();
    auto* all_have_one = &groups.emplace_back();
    all_have_one->Add(3);
    static const char* const kNames[] = {"philosopher 0", "philosopher 1", "philosopher 2"};
    for (size_t i = 0; i < 3; ++i) {
      Go({.name = kNames[i]}, [=] {
        std::lock_guard left((*mutexes)[i]);
        all_have_one->Done();
        all_have_one->Wait();
        std::lock_guard right((*mutexes)[(i + 1) % 3]);
      });
    }
    std::vector<std::vector<WaitingFiber>> cycles;
    while (cycles.empty()) {
      Yield();
      cycles = LockCycles();
    }
    ASSERT_THAT(cycles, SizeIs(1));
    ASSERT_THAT(cycles[0], SizeIs(3));
    std::string text = DescribeCycle(cycles[0]);
    for (const char* name : kNames) EXPECT_THAT(text, HasSubstr(name));
    EXPECT_THAT(text, HasSubstr(" waits for a mutex that fiber "));
  });
}

TEST_P(LockCycle, IsNotSeenWhereAQueueMerelyWaits) {
  Run([] {
    sync::Mutex mutex;
    mutex.lock();
    {
      std::vector<std::unique_ptr<test::WatchedFiber>> waiters;
      for (int i = 0; i < 5; ++i)
        waiters.push_back(std::make_unique<test::WatchedFiber>([&] { std::lock_guard guard(mutex); }));
      for (auto& waiter : waiters) waiter->AwaitParked();
      EXPECT_THAT(LockCycles(), SizeIs(0));
      mutex.unlock();
    }
    EXPECT_THAT(LockCycles(), SizeIs(0));
  });
}

TEST_P(LockCycle, BlockedFibersAreListedLongestFirst) {
  Run([] {
    sync::Channel<int> channel;
    test::WatchedFiber receiver([&] { channel.Receive(); });
    receiver.AwaitParked();
    sync::Semaphore semaphore(0);
    test::WatchedFiber waiter([&] { semaphore.Acquire(); });
    waiter.AwaitParked();
    test::WatchedFiber sleeper([] { SleepFor(1ms); });

    std::vector<WaitingFiber> blocked = FibersBlockedLonger(0ns);
    ASSERT_THAT(blocked, SizeIs(2));  // Sleeping is not being blocked.
    EXPECT_EQ(blocked[0].reason, WaitReason::kChannelReceive);
    EXPECT_EQ(blocked[1].reason, WaitReason::kSemaphore);
    EXPECT_GE(blocked[0].since, blocked[1].since);
    EXPECT_THAT(FibersBlockedLonger(0ns, 1), SizeIs(1));
    EXPECT_THAT(FibersBlockedLonger(1h), SizeIs(0));
    channel.Close();
    semaphore.Release();
  });
}

}  // namespace
}  // namespace millrace::rt
