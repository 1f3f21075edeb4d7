// server/sync/mutex.cc, the real one, in its normal and its starving mode: one fiber at a time, and none is left
// asleep.
#include "sync/mutex.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

// Each of `rounds` enters that many times.
Result Sections(Options options, const std::vector<Mutation>& mutations, const std::vector<int>& rounds) {
  options.mutations = mutations;
  options.quiet = !mutations.empty();
  options.steps_max = 5000;
  return Explore(options, [=](Scene& scene) {
    sync::Mutex mutex;
    Plain<int> entered;
    int all = 0;
    for (int own : rounds) {
      all += own;
      scene.Fiber(all == own ? "first" : "other", [&mutex, &entered, own] {
        for (int i = 0; i < own; ++i) {
          mutex.lock();
          entered.Set(entered.Get() + 1);
          mutex.unlock();
        }
      });
    }
    scene.Run();
    Check(entered.Get() == all, "a section is lost");
  });
}

Result Two(const std::vector<Mutation>& mutations) {
  return Sections({.name = "Mutex: 2 | 1", .preemptions = 3, .outdated_reads = 1, .spin_outs = 2}, mutations, {2, 1});
}
Result Three(const std::vector<Mutation>& mutations) {
  return Sections({.name = "Mutex: 1 | 1 | 1", .preemptions = 2, .outdated_reads = 0, .spin_outs = 2}, mutations,
                  {1, 1, 1});
}
// A waiter for whom more than a millisecond has passed gets the mutex from hand to hand.
Result Starving(const std::vector<Mutation>& mutations) {
  return Sections(
      {.name = "Mutex: 3 | 1 | 1, starving", .preemptions = 2, .outdated_reads = 0, .spin_outs = 3, .clock_jumps = 1},
      mutations, {3, 1, 1});
}

const std::vector<Program> kPrograms = {&Two, &Three, &Starving};

TEST(MutexModel, KeepsOthersOutAndLeavesNobodyAsleep) {
  for (const Program& program : kPrograms) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

// Two survive in UnlockSlow, where under queue_lock_ nothing can come in between but a spinner's mark, and a lost mark
// costs a wake-up too many.
TEST(MutexModel, WithoutItsOrderingsItFails) {
  EXPECT_EQ(Survivors("mutex.h", {&Two}), std::set<std::string>{});
  const std::set<std::string> expected = {"Mutex::UnlockSlow: add split", "Mutex::UnlockSlow: cas split"};
  EXPECT_EQ(Survivors("mutex.cc", kPrograms), expected);
}

}  // namespace
}  // namespace millrace::model
