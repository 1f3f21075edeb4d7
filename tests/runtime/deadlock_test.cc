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
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "runtime/sanitizers.h"
#include "runtime/slab.h"
#include "runtime/thread_state.h"
#include "sync/channel.h"
#include "sync/condition.h"
#include "sync/mutex.h"
#include "sync/rw_mutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::Not;
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

// ---- Who goes on behind the back of whoever looks for deadlocks -------------------------------------------------------------

enum class Wakes : uint8_t { kBlockingCall, kPlainThread };

// Two fibers, of which `second` is looked at later than `first`. In between `first` is woken, by `second` coming out of a
// blocking call or by a plain thread that ends at once, and gets into a blocking call of its own; `second` waits for it then.
// So each is seen waiting for another one, while nothing is wrong.
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
    while (places[0] == nullptr || places[1] == nullptr) Yield();
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

// ---- Rings, and who waits too long ------------------------------------------------------------------------------------------

// What the process writes to stderr while this lives.
class Stderr {
 public:
  Stderr() : before_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0);
    dup2(ends_[1], STDERR_FILENO);
  }
  ~Stderr() {
    dup2(before_, STDERR_FILENO);
    for (int fd : {before_, ends_[0], ends_[1]}) close(fd);
  }
  Stderr(const Stderr&) = delete;
  Stderr& operator=(const Stderr&) = delete;

  // All of it so far, as soon as that contains a match and the line has ended. Waits for it.
  std::string ReadUntil(const std::string& text) {
    char byte = 0;
    while ((said_.find(text) == std::string::npos || byte != '\n') && read(ends_[0], &byte, 1) == 1) said_ += byte;
    return said_;
  }

 private:
  const int before_;
  std::array<int, 2> ends_{};
  std::string said_;
};

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

TEST_P(LockCycle, IsLoggedWhileOthersRun) {
  Stderr said;
  Run([&] {
    static std::deque<std::array<sync::Mutex, 2>> tables;
    static std::deque<sync::WaitGroup> groups;
    auto* mutexes = &tables.emplace_back();
    auto* both_have_one = &groups.emplace_back();
    both_have_one->Add(2);
    for (size_t i = 0; i < 2; ++i) {
      Go({.name = i == 0 ? "castor" : "pollux"}, [=] {
        std::lock_guard one((*mutexes)[i]);
        both_have_one->Done();
        both_have_one->Wait();
        std::lock_guard other((*mutexes)[1 - i]);
      });
    }
    std::string text = said.ReadUntil("deadlock: ");
    EXPECT_THAT(text, ContainsRegex("deadlock: fiber [0-9]+ '(castor|pollux)' waits for a mutex that fiber [0-9]+ "
                                    "'(castor|pollux)' holds, which waits for a mutex that fiber [0-9]+ "
                                    "'(castor|pollux)' holds\n"));
  });
}

TEST_P(LockCycle, GoesAlsoThroughAReaderThatWaitsForAWriter) {
  Run([] {
    static std::deque<sync::Mutex> mutexes;
    static std::deque<sync::RwMutex> rw_mutexes;
    static std::deque<sync::WaitGroup> groups;
    auto* mutex = &mutexes.emplace_back();
    auto* rw_mutex = &rw_mutexes.emplace_back();
    auto* both_have_one = &groups.emplace_back();
    both_have_one->Add(2);
    Go({.name = "reader"}, [=] {
      std::lock_guard holding(*mutex);
      both_have_one->Done();
      both_have_one->Wait();
      std::shared_lock reading(*rw_mutex);
    });
    Go({.name = "writer"}, [=] {
      std::unique_lock writing(*rw_mutex);
      both_have_one->Done();
      both_have_one->Wait();
      std::lock_guard wanting(*mutex);
    });
    std::vector<std::vector<WaitingFiber>> cycles;
    while (cycles.empty()) {
      Yield();
      cycles = LockCycles();
    }
    ASSERT_THAT(cycles, SizeIs(1));
    ASSERT_THAT(cycles[0], SizeIs(2));
    std::string text = DescribeCycle(cycles[0]);
    EXPECT_THAT(text, HasSubstr("'reader' holds"));
    EXPECT_THAT(text, HasSubstr("'writer' holds"));
  });
}

TEST_P(LockCycle, IsNotSeenWhereReadersMerelyWaitForAWriter) {
  Run([] {
    sync::RwMutex rw_mutex;
    rw_mutex.lock();
    {
      std::vector<std::unique_ptr<test::WatchedFiber>> readers;
      for (int i = 0; i < 5; ++i)
        readers.push_back(std::make_unique<test::WatchedFiber>([&] { std::shared_lock reading(rw_mutex); }));
      for (auto& reader : readers) reader->AwaitParked();
      EXPECT_THAT(LockCycles(), SizeIs(0));
      rw_mutex.unlock();
    }
    EXPECT_THAT(LockCycles(), SizeIs(0));
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

__attribute__((noinline)) void StandInThePond(sync::Channel<int>& water) {
  water.Receive();
  asm volatile("");
}

TEST_P(LockCycle, FibersThatWaitForAnotherOneTooLongAreLoggedOnceWithTheirBacktraces) {
  Stderr said;
  Runtime runtime({.procs = GetParam(), .report_blocked_longer = 1ms});
  runtime.Run([&] {
    sync::Channel<int> water;
    sync::WaitGroup birds;
    auto stand = [&] {
      StandInThePond(water);
      birds.Done();
    };
    std::array<int, 2> air{};
    ASSERT_EQ(pipe2(air.data(), O_CLOEXEC), 0);
    birds.Add(3);
    Go({.name = "swift"}, [&] {
      Blocking([&] {
        char byte;
        return read(air[0], &byte, 1);
      });
      birds.Done();
    });
    Go({.name = "swallow"}, [] { SleepFor(1h); });
    Go({.name = "stork"}, stand);
    said.ReadUntil("StandInThePond");
    Go({.name = "heron"}, stand);
    // It is told of at a later look than the stork.
    std::string text = said.ReadUntil("'heron'");
    EXPECT_THAT(text,
                ContainsRegex("warning fiber [0-9]+ 'stork' has been waiting for another fiber for [0-9]+\\.[0-9]+ s "
                              "\\(channel receive\\)\n"
                              "( +#[0-9]+ [^\n]*\n)*"
                              " +#[0-9]+ [^\n]*StandInThePond"));
    EXPECT_EQ(text.find("'stork'"), text.rfind("'stork'")) << "once for each wait";
    EXPECT_THAT(text, Not(HasSubstr("'swift'"))) << "it waits for the outside";
    EXPECT_THAT(text, Not(HasSubstr("'swallow'"))) << "it waits for time";
    water.Close();
    EXPECT_EQ(write(air[1], "x", 1), 1);
    birds.Wait();
    close(air[0]);
    close(air[1]);
  });
}

}  // namespace
}  // namespace millrace::rt
