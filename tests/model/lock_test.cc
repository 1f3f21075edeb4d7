// server/runtime/lock.cc and spin_lock.cc, the real ones: one at a time, nobody sleeps for ever, each sees what the
// last one wrote.
#include "runtime/lock.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/spin_lock.h"
#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

// Each of `rounds` enters that many times.
template <typename L>
Result Sections(Options options, const std::vector<int>& rounds) {
  return Explore(options, [=](Scene& scene) {
    L lock;
    Plain<int> entered;
    int all = 0;
    for (int own : rounds) {
      all += own;
      scene.Thread(all == own ? "first" : "other", [&lock, &entered, own] {
        for (int i = 0; i < own; ++i) {
          lock.lock();
          entered.Set(entered.Get() + 1);
          lock.unlock();
        }
      });
    }
    scene.Run();
    Check(entered.Get() == all, "a section is lost");
  });
}

Options For(const char* name, const std::vector<Mutation>& mutations) {
  return {.name = name, .spin_outs = 2, .mutations = mutations, .quiet = !mutations.empty()};
}

Result TwoOnLock(const std::vector<Mutation>& mutations) {
  Options options = For("Lock: 2 | 1", mutations);
  options.early_returns = 1;
  return Sections<rt::Lock>(options, {2, 1});
}
Result ThreeOnLock(const std::vector<Mutation>& mutations) {
  Options options = For("Lock: 1 | 1 | 1", mutations);
  options.preemptions = 2;
  return Sections<rt::Lock>(options, {1, 1, 1});
}
// Long enough for a sleeper to lose its patience, and newcomers to wait until it has had its turn.
Result PatienceOnLock(const std::vector<Mutation>& mutations) {
  Options options = For("Lock: 6 | 1, impatient", mutations);
  options.preemptions = 4;
  options.outdated_reads = 0;
  return Sections<rt::Lock>(options, {6, 1});
}
const std::vector<Program> kLock = {&TwoOnLock, &ThreeOnLock, &PatienceOnLock};

TEST(LockModel, KeepsOthersOutAndLosesNoWakeUp) {
  for (const Program& program : kLock) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

// To miscount those who starve takes two who begin to at once and a third who comes later: too large a case.
TEST(LockModel, WithoutItsOrderingsItFails) {
  EXPECT_EQ(Survivors("lock.h", kLock), std::set<std::string>{});
  EXPECT_EQ(Survivors("lock.cc", kLock), std::set<std::string>{"Lock::LockSlow: add split"});
}

// ---- SpinLock -----------------------------------------------------------------------------------------------------

Result TwoOnSpinLock(const std::vector<Mutation>& mutations) {
  return Sections<rt::SpinLock>(For("SpinLock: 2 | 2", mutations), {2, 2});
}
Result ThreeOnSpinLock(const std::vector<Mutation>& mutations) {
  return Sections<rt::SpinLock>(For("SpinLock: 1 | 1 | 1", mutations), {1, 1, 1});
}
// The next holder may destroy what the lock is part of (spin_lock.h).
Result LastHolderDestroys(const std::vector<Mutation>& mutations) {
  return Explore(For("SpinLock: the last holder destroys it", mutations), [](Scene& scene) {
    std::optional<rt::SpinLock> lock(std::in_place);
    int left = 2;
    for (const char* name : {"one", "other"}) {
      scene.Thread(name, [&] {
        lock->lock();
        bool last = --left == 0;
        lock->unlock();
        if (last) lock.reset();
      });
    }
    scene.Run();
  });
}

const std::vector<Program> kSpinLock = {&TwoOnSpinLock, &ThreeOnSpinLock, &LastHolderDestroys};

TEST(SpinLockModel, KeepsOthersOutAndIsNotTouchedAfterUnlock) {
  for (const Program& program : kSpinLock) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

TEST(SpinLockModel, WithoutItsOrderingsItFails) {
  EXPECT_EQ(Survivors("spin_lock.h", kSpinLock), std::set<std::string>{});
}

}  // namespace
}  // namespace millrace::model
