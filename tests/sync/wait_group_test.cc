// Mirrors Go's sync/waitgroup_test.go.
#include "sync/wait_group.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <thread>

#include "runtime/preempt.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"
#include "tests/support/patience.h"
#include "tests/support/tormentor.h"

namespace millrace::sync {
namespace {

using test::OnProcs;
using test::WatchedFiber;

class WaitGroupTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, WaitGroupTest, test::kAnyProcs);

TEST_P(WaitGroupTest, WaitReturnsWhenAllAreDone) {
  Run([] {
    std::array<int, 100> results{};
    WaitGroup done;
    for (int& result : results) done.Go([&result] { rt::Yield(), result = 1; });
    done.Wait();
    for (int result : results) EXPECT_EQ(result, 1);
    EXPECT_EQ(done.count(), 0);
  });
}

TEST_P(WaitGroupTest, WaitReturnsAtOnceWhenThereIsNothingToWaitFor) {
  Run([] {
    WaitGroup done;
    done.Wait();
    done.Add(2), done.Add(-2);
    done.Wait();
  });
}

TEST_P(WaitGroupTest, SeveralMayWait) {
  Run([] {
    WaitGroup done;
    done.Add(1);
    std::array<std::unique_ptr<WatchedFiber>, 10> waiters;
    for (auto& waiter : waiters) {
      waiter = std::make_unique<WatchedFiber>([&] { done.Wait(); });
      waiter->AwaitParked();
    }
    for (auto& waiter : waiters) EXPECT_FALSE(waiter->finished());
    done.Done();
  });
}

TEST_P(WaitGroupTest, MayBeUsedAgainAfterWait) {
  Run([] {
    WaitGroup done;
    std::atomic<int> total{0};
    for (int round = 0; round < 200; ++round) {
      for (int i = 0; i < 8; ++i) done.Go([&] { ++total; });
      done.Wait();
      EXPECT_EQ(total, 8 * (round + 1));
    }
  });
}

TEST_P(WaitGroupTest, MayAddWhileOthersAreUnderWay) {
  Run([] {
    WaitGroup done;
    std::atomic<int> leaves{0};
    struct Tree {
      static void Grow(WaitGroup& group, std::atomic<int>& count, int depth) {
        if (depth == 0) {
          ++count;
          return;
        }
        for (int i = 0; i < 2; ++i) group.Go([&group, &count, depth] { Grow(group, count, depth - 1); });
      }
    };
    done.Go([&] { Tree::Grow(done, leaves, 8); });
    done.Wait();
    EXPECT_EQ(leaves, 256);
  });
}

TEST_P(WaitGroupTest, MayLiveInTheFrameOfWait) {
  Run([] {
    const int rounds = test::kSlowBuild ? 500 : 10'000;
    for (int round = 0; round < rounds; ++round) {
      auto done = std::make_unique<WaitGroup>();
      for (int i = 0; i < 2; ++i) done->Go([] {});
      done->Wait();
    }
  });
}

TEST_P(WaitGroupTest, WhatATaskHasCapturedIsGoneWhenWaitReturns) {
  Run([] {
    for (int i = 0; i < 200; ++i) {
      auto captured = std::make_shared<int>(i);
      WaitGroup done;
      done.Go([captured] { rt::Yield(); });
      done.Wait();
      EXPECT_EQ(captured.use_count(), 1);
    }
  });
}

TEST_P(WaitGroupTest, ATaskWhoseCopyThrowsIsNotWaitedFor) {
  struct ThrowsWhenCopied {
    ThrowsWhenCopied() = default;
    ThrowsWhenCopied(const ThrowsWhenCopied&) { throw 42; }
    void operator()() const {}
  };
  Run([] {
    const ThrowsWhenCopied task;
    WaitGroup group;
    EXPECT_THROW(group.Go(task), int);
    EXPECT_EQ(group.count(), 0);
    group.Wait();
  });
}

TEST_P(WaitGroupTest, APlainThreadMayBeDone) {
  Run([] {
    WaitGroup done;
    done.Add(1);
    std::thread thread([&] { done.Done(); });
    done.Wait();
    thread.join();
  });
}

class WaitGroupDeathTest : public ::testing::Test {
 protected:
  WaitGroupDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(WaitGroupDeathTest, ANegativeCountIsFatal) {
  WaitGroup group;
  EXPECT_DEATH(group.Done(), "fatal error: sync: negative WaitGroup counter");
  group.Add(1);
  EXPECT_DEATH(group.Add(-2), "fatal error: sync: negative WaitGroup counter");
}

TEST_F(WaitGroupDeathTest, ReuseBeforeWaitHasReturnedIsFatal) {
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         WaitGroup group;
                         group.Add(1);
                         WatchedFiber waits([&] { group.Wait(); });
                         waits.AwaitParked();
                         group.Done();
                         group.Add(1);  // The waiter is ready but has not returned.
                         waits.Join();
                       }),
               "fatal error: sync: WaitGroup is reused before previous Wait has returned");
}

// Add is caught between the count's coming to zero and the release of those who wait, which are some instructions of
// the last Done. One fiber does nothing but such Dones and is stopped by signals all the time, sooner or later in
// there; the other one then adds to that very group, and takes it back at once, before anybody could call it reuse.
[[noreturn]] void AddWhileTheLastDoneIsStopped() {
  rt::Runtime runtime({.procs = 1});
  test::Tormentor tormentor(runtime, {.pause_max = std::chrono::microseconds(50), .takes = false});
  runtime.Run([&] {
    const test::Patience patience;
    std::atomic<WaitGroup*> at{nullptr};
    std::atomic<bool> over{false};
    WaitGroup adder;
    adder.Go([&] {
      for (; !over; rt::Yield()) {
        rt::DisablePreemption();  // Else this fiber might be stopped between the two.
        if (WaitGroup* group = at) {
          group->Add(1);
          group->Done();
        }
        rt::EnablePreemption();
      }
    });
    while (!patience.Ended()) {
      std::deque<WaitGroup> groups(200);
      WaitGroup waiters;
      std::atomic<int> waiting{0};
      for (WaitGroup& group : groups) {
        group.Add(1);
        waiters.Go([&] {
          ++waiting;
          group.Wait();
        });
      }
      while (waiting < static_cast<int>(groups.size())) rt::Yield();
      for (WaitGroup& group : groups) {
        at = &group;
        group.Done();
      }
      at = nullptr;
      waiters.Wait();
    }
    over = true;
    adder.Wait();
    if (patience.HadItsTime()) return;
    fprintf(stderr, "%s\n", patience.Excuse().c_str());
    _exit(1);
  });
  fprintf(stderr, "Add never met a Done, MILLRACE_SEED=%lu\n", static_cast<unsigned long>(test::TestSeed()));
  _exit(0);
}

TEST_F(WaitGroupDeathTest, AddAtTheSameTimeAsTheLastDoneThatSomebodyWaitsForIsFatal) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  EXPECT_DEATH(AddWhileTheLastDoneIsStopped(),
               "fatal error: sync: WaitGroup misuse: Add called concurrently with Wait|the machine had no time");
}

}  // namespace
}  // namespace millrace::sync
