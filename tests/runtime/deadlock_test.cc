// Who waits for whom, and what the runtime says when nobody can go on.
#include "runtime/deadlock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "runtime/blocking.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "runtime/sanitizers.h"
#include "runtime/slab.h"
#include "runtime/thread_state.h"
#include "sync/channel.h"
#include "sync/mutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;
using ::testing::ExitedWithCode;

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

// ---- Who goes on behind the back of whoever looks for deadlocks ---------------------------------------------------

enum class Wakes : uint8_t { kBlockingCall, kPlainThread };

// Two fibers, of which `second` is looked at later than `first`. In between `first` is woken, by `second` coming out of
// a blocking call or by a plain thread that ends at once, and gets into a blocking call of its own; `second` waits for
// it then. So each is seen waiting for another one, while nothing is wrong.
class BehindTheBack {
 public:
  BehindTheBack(Runtime& runtime, Wakes wakes) : runtime_(runtime), wakes_(wakes) {
    EXPECT_EQ(pipe2(call_.data(), O_CLOEXEC) + pipe2(hold_.data(), O_CLOEXEC), 0);
  }

  void Main() {
    std::array<std::atomic<Fiber*>, 2> places{};
    first_done_.Add(1);
    sync::WaitGroup both;
    for (std::atomic<Fiber*>& place : places) {
      both.Go([&] {
        place = CurrentFiber();
        while (second_ == nullptr) Yield();
        CurrentFiber() == first_ ? First() : Second();
      });
    }
    // The housekeeper, which will be kept in BeforeLook, makes no machine then: there has to be one beside that which
    // may poll.
    while (places[0] == nullptr || places[1] == nullptr || runtime_.Stats().machines_idle < 1) Yield();
    Fiber* earlier = nullptr;
    for (FiberWalk walk; Fiber* fiber = walk.Next();) {
      if (earlier == nullptr && (fiber == places[0] || fiber == places[1])) earlier = fiber;
    }
    first_ = earlier;
    second_ = earlier == places[0] ? places[1].load() : places[0].load();
    both.Wait();
  }

  // On the housekeeper.
  void BeforeLook(const Fiber& fiber) {
    if (stage_ == 0 && &fiber == second_ && WaitsFor(first_, WaitReason::kChannelReceive) &&
        WaitsFor(second_, wakes_ == Wakes::kBlockingCall ? WaitReason::kBlocking : WaitReason::kWaitGroup)) {
      // `first` has just been seen.
      const int threads = ThreadCount();
      if (wakes_ == Wakes::kBlockingCall) {
        EXPECT_EQ(write(call_[1], "x", 1), 1);
      } else {
        std::thread([this] { woken_.Wake(); }).join();
      }
      while (!WaitsFor(first_, WaitReason::kBlocking) || !WaitsFor(second_, WaitReason::kWaitGroup) ||
             runtime_.Stats().procs_idle < runtime_.procs() || ThreadCount() > threads) {
        sched_yield();
      }
      stage_ = 1;
    } else if (stage_ == 1 && &fiber == first_) {
      // This is another look: the last one has not made a deadlock of it.
      stage_ = 2;
      EXPECT_EQ(write(hold_[1], "x", 1), 1);
    }
  }

 private:
  static MR_NO_SANITIZE bool WaitsFor(const Fiber* fiber, WaitReason reason) {
    return fiber->state.load(std::memory_order_acquire) == FiberState::kParked &&
           reinterpret_cast<const volatile Fiber*>(fiber)->wait_reason == reason;
  }
  static void Read(const std::array<int, 2>& ends) {
    Blocking([&] {
      char byte;
      return read(ends[0], &byte, 1);
    });
  }
  void First() {
    woken_.Wait(WaitReason::kChannelReceive);
    Read(hold_);
    first_done_.Done();
  }
  void Second() {
    if (wakes_ == Wakes::kBlockingCall) {
      Read(call_);
      woken_.Wake();
    }
    first_done_.Wait();
  }

  Runtime& runtime_;
  const Wakes wakes_;
  std::array<int, 2> call_{}, hold_{};
  Parker woken_;
  sync::WaitGroup first_done_;
  std::atomic<Fiber*> first_{nullptr}, second_{nullptr};
  int stage_ = 0;
};
BehindTheBack* behind_the_back = nullptr;

[[noreturn]] void GoOnBehindTheBack(int procs, Wakes wakes) {
  Runtime runtime({.procs = procs});
  BehindTheBack scene(runtime, wakes);
  behind_the_back = &scene;
  internal::before_look = [](const Fiber& fiber) { behind_the_back->BeforeLook(fiber); };
  _exit(runtime.Run([&] { scene.Main(); }));
}

TEST_P(DeadlockDeathTest, ACallThatReturnsWhileTheFibersAreLookedAtIsSeen) {
  EXPECT_EXIT(GoOnBehindTheBack(GetParam(), Wakes::kBlockingCall), ExitedWithCode(0), "^$");
}

TEST_P(DeadlockDeathTest, AThreadThatWakesSomebodyAndEndsWhileTheFibersAreLookedAtIsSeen) {
  EXPECT_EXIT(GoOnBehindTheBack(GetParam(), Wakes::kPlainThread), ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace millrace::rt
