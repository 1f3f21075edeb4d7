#include "runtime/share_group.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>

#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

// Fibers by letter, in one group, the other, or none.
class Line : public ::testing::Test {
 protected:
  void Push(char name, ShareGroup* group, bool stopped = true) {
    Fiber& fiber = fibers_[static_cast<size_t>(name - 'a')];
    fiber.share_group = group;
    fiber.account.since = ++now_;
    line_.Push(&fiber, stopped);
  }
  char NameOf(const Fiber* fiber) { return fiber == nullptr ? '-' : static_cast<char>('a' + (fiber - fibers_.data())); }
  std::string PopAll() {
    std::string names;
    while (const Fiber* fiber = line_.Pop()) names += NameOf(fiber);
    return names;
  }

  HogLine line_;
  ShareGroup one_, other_;
  std::array<Fiber, 26> fibers_;
  uint64_t now_ = 0;
};

TEST_F(Line, GroupsTakeTurnsHoweverManyTheyAre) {
  for (char name : std::string("abcde")) Push(name, &one_);
  for (char name : std::string("vw")) Push(name, &other_);
  for (char name : std::string("yz")) Push(name, nullptr);
  EXPECT_EQ(PopAll(), "avybwzcde");
}

TEST_F(Line, OneThatComesBackWaitsForATurnOfEachOtherGroup) {
  for (char name : std::string("abc")) Push(name, &one_);
  Push('z', &other_);
  std::string turns;
  for (int i = 0; i < 6; ++i) {
    const char name = NameOf(line_.Pop());
    turns += name;
    Push(name, name == 'z' ? &other_ : &one_);
  }
  EXPECT_EQ(turns, "azbzcz");
  while (line_.Pop() != nullptr) {
  }
}

TEST_F(Line, InAGroupTheOldestComesFirstWhetherItWasStoppedOrGaveWay) {
  Push('a', &one_, /*stopped=*/false);
  Push('b', &one_, /*stopped=*/true);
  Push('c', &one_, /*stopped=*/false);
  Push('d', &one_, /*stopped=*/true);
  EXPECT_EQ(PopAll(), "abcd");
}

TEST_F(Line, AStoppedOneIsFoundBehindGroupsThatHaveNone) {
  Push('a', &one_, /*stopped=*/false);
  Push('b', nullptr, /*stopped=*/true);
  Push('z', &other_, /*stopped=*/true);
  Push('y', &other_, /*stopped=*/false);
  EXPECT_EQ(NameOf(line_.PopStopped()), 'b');
  EXPECT_EQ(NameOf(line_.PopStopped()), 'z');
  EXPECT_EQ(NameOf(line_.PopStopped()), '-');
  EXPECT_EQ(PopAll(), "ay");
  Push('c', &one_, /*stopped=*/true);
  EXPECT_EQ(NameOf(line_.PopStopped()), 'c') << "the line goes on after it was empty";
  EXPECT_EQ(NameOf(line_.Pop()), '-');
}

class Share : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, Share, test::kAnyProcs);

// By how much a group of many got more than a fiber that is a group of its own, while that one computed for 20 turns.
TEST_P(Share, AFiberBesideAGroupOfManyGetsATurnForEachOfTheirs) {
  if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  const int count = 20 * GetParam();
  ShareGroup many, one;
  Run([&] {
    std::atomic<int> begun{0};
    std::atomic<bool> stop{false};
    std::atomic<int64_t> theirs{0};
    // More from one look at the account to the next is a pause of the machine, which counts as running.
    constexpr Nanos kStepMax = std::chrono::milliseconds(1);
    const auto compute = [&](std::atomic<int64_t>& sum, auto until) {
      Nanos last = CurrentFiberTimes().running;
      while (!until()) {
        const Nanos now = CurrentFiberTimes().running;
        sum.fetch_add(std::min(now - last, kStepMax).count(), std::memory_order_relaxed);
        last = now;
      }
    };
    sync::WaitGroup all;
    for (int i = 0; i < count; ++i) {
      all.Add(1);
      Go({.name = "many", .share_group = &many}, [&] {
        begun.fetch_add(1);
        compute(theirs, [&] { return stop.load(std::memory_order_relaxed); });
        all.Done();
      });
    }
    while (begun.load() < count) SleepFor(std::chrono::milliseconds(1));
    int64_t ratio = 0;
    all.Add(1);
    Go({.name = "one", .share_group = &one}, [&] {
      std::atomic<int64_t> mine{0};
      const int64_t before = theirs.load();
      compute(mine, [&] { return mine.load() >= Nanos(std::chrono::milliseconds(200)).count(); });
      ratio = (theirs.load() - before) / mine.load();
      stop = true;
      all.Done();
    });
    all.Wait();
    // It is one in each turn of theirs, and the other processors are theirs alone.
    EXPECT_LE(ratio, 4 * GetParam()) << "beside " << count;
  });
}

}  // namespace
}  // namespace millrace::rt
