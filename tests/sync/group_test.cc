// Mirrors Go's errgroup (golang.org/x/sync/errgroup/errgroup_test.go).
#include "sync/group.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "sync/channel.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;

class GroupTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, GroupTest, test::kAnyProcs);

Status Failure(const std::string& reason) { return Unavailable(reason, "as the test wants it"); }

// TestZeroGroup
TEST_P(GroupTest, WaitReturnsWhenAllHaveEndedWell) {
  Run([] {
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> done{0};
      Group group;
      for (int i = 0; i < 20; ++i) {
        group.Go([&] {
          rt::Yield();
          ++done;
        });
        group.Go([&]() -> Status {
          ++done;
          return OkStatus();
        });
      }
      EXPECT_TRUE(group.Wait().ok());
      EXPECT_EQ(done, 40);
      EXPECT_TRUE(group.token().cancelled());
    }
    Group empty;
    EXPECT_TRUE(empty.Wait().ok());
  });
}

// TestWithContext
TEST_P(GroupTest, TheFirstFailureComesHomeAndStopsTheOthers) {
  Run([] {
    Group group;
    std::atomic<int> stopped{0};
    for (int i = 0; i < 5; ++i) {
      group.Go([&]() -> Status {
        group.token().Wait();
        ++stopped;
        return Failure("LATER");
      });
    }
    group.Go([&] { return Failure("FIRST"); });
    EXPECT_EQ(group.Wait().reason(), "FIRST");
    EXPECT_EQ(stopped, 5);
    EXPECT_EQ(group.token().reason().reason(), "FIRST");
  });
}

TEST_P(GroupTest, AnExceptionComesHomeAsItIs) {
  Run([] {
    Group group;
    std::string seen;
    group.Go([&] {
      group.token().Wait();
      seen = group.token().reason().message();
    });
    group.Go([] { throw std::out_of_range("too far"); });
    EXPECT_THROW(static_cast<void>(group.Wait()), std::out_of_range);
    EXPECT_EQ(seen, "a task of the group threw: too far");
  });
}

TEST_P(GroupTest, AnExceptionOfAnyTypeComesHome) {
  Run([] {
    Group group;
    group.Go([] { throw 42; });
    EXPECT_THROW(static_cast<void>(group.Wait()), int);
  });
}

TEST_P(GroupTest, TheParentsTokenStopsIt) {
  Run([] {
    CancelSource parent;
    Group group(parent.token());
    group.Go([&] { group.token().Wait(); });
    parent.Cancel(Failure("PARENT"));
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_EQ(group.token().reason().reason(), "PARENT");
  });
}

// TestGoLimit
TEST_P(GroupTest, NoMoreRunAtOnceThanTheLimitSays) {
  Run([] {
    Group group({.limit = 3});
    std::atomic<int> running{0}, most{0};
    for (int i = 0; i < 200; ++i) {
      group.Go([&] {
        int now = ++running;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        rt::Yield();
        --running;
      });
    }
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_LE(most, 3);
    EXPECT_GE(most, 1);
  });
}

// TestTryGo
TEST_P(GroupTest, TryGoFailsAtTheLimitAndLeavesTheTask) {
  Run([] {
    Group group({.limit = 1});
    Channel<Nothing> end;
    group.Go([&] { end.Receive(); });
    auto held = std::make_unique<int>(1);
    auto task = [held = std::move(held)] { EXPECT_EQ(*held, 1); };
    EXPECT_FALSE(group.TryGo(std::move(task)));
    end.Close();
    while (!group.TryGo(std::move(task))) rt::Yield();  // NOLINT(bugprone-use-after-move): a refused task stays
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_TRUE(Group().TryGo([] {}));
  });
}

TEST_P(GroupTest, ATaskMayStartOthers) {
  Run([] {
    Group group;
    std::atomic<int> tasks{0};
    struct Splits {
      Group& group;
      std::atomic<int>& tasks;
      int depth;
      void operator()() {
        ++tasks;
        if (depth == 0) return;
        group.Go(Splits{group, tasks, depth - 1});
        group.Go(Splits{group, tasks, depth - 1});
      }
    };
    group.Go(Splits{group, tasks, 6});
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_EQ(tasks, 127);
  });
}

TEST_P(GroupTest, WhatATaskHasCapturedIsGoneWhenWaitReturns) {
  Run([] {
    auto captured = std::make_shared<int>(1);
    Group group;
    for (int i = 0; i < 20; ++i) group.Go([captured] { rt::Yield(); });
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_EQ(captured.use_count(), 1);
  });
}

TEST_P(GroupTest, OneThatNobodyWaitedForIsCancelledAndWaitsForItsTasks) {
  Run([] {
    bool ended = false;
    try {
      Group group;
      group.Go([&] {
        group.token().Wait();
        ended = true;
      });
      throw std::runtime_error("before Wait");
    } catch (const std::runtime_error&) {
    }
    EXPECT_TRUE(ended);
  });
}

struct ThrowsWhenCopied {
  ThrowsWhenCopied() = default;
  ThrowsWhenCopied(const ThrowsWhenCopied&) { throw 42; }
  void operator()() const {}
};

TEST_P(GroupTest, ATaskWhoseCopyThrowsIsNoTaskOfTheGroup) {
  Run([] {
    const ThrowsWhenCopied task;
    bool ran = false;
    Group group({.limit = 1});
    EXPECT_THROW(group.Go(task), int);
    EXPECT_THROW((void)group.TryGo(task), int);
    EXPECT_TRUE(group.TryGo([&] { ran = true; })) << "there is room";
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_TRUE(ran);
  });
}

TEST(GroupDeathTest, ANegativeLimitIsFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Group({.limit = -1}), "GroupOptions::limit is -1; use 0 for no limit");
}

}  // namespace
}  // namespace millrace::sync
