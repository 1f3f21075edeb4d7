#include "job/lifecycle.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace millrace {
namespace {

using enum JobState;

// The picture of lifecycle.h, written a second time.
const std::map<JobState, std::set<JobState>> kArrows = {
    {kScheduled, {kBlocked, kQueued, kCancelled, kExpired}},
    {kBlocked, {kScheduled, kQueued, kCancelled, kExpired}},
    {kQueued, {kRunning, kBlocked, kCancelled, kExpired}},
    {kRunning, {kScheduled, kBlocked, kQueued, kSucceeded, kFailed, kCancelled, kExpired, kQuarantined}},
    {kSucceeded, {}},
    {kFailed, {kQueued, kBlocked}},
    {kCancelled, {kQueued, kBlocked}},
    {kExpired, {kQueued, kBlocked}},
    {kQuarantined, {kQueued, kBlocked}},
};

TEST(Lifecycle, EveryArrowIsLegalAndEveryOtherMoveIsRefused) {
  const JobId job{1, 2};
  for (int f = 0; f < kJobStates; ++f) {
    for (int t = 0; t < kJobStates; ++t) {
      const JobState from = static_cast<JobState>(f), to = static_cast<JobState>(t);
      const bool legal = kArrows.at(from).contains(to);
      EXPECT_EQ(IsLegal(from, to), legal) << ToString(from) << " to " << ToString(to);
      Lifecycle life{from, {3, 33}};
      Status moved = Transition(job, &life, to, {3, 33}, 44);
      EXPECT_EQ(moved.ok(), legal);
      EXPECT_EQ(life.state, legal ? to : from);
      if (!legal) {
        EXPECT_EQ(moved.code(), StatusCode::kFailedPrecondition);
        EXPECT_EQ(moved.reason(), "WRONG_STATE");
      }
    }
  }
}

TEST(Lifecycle, AStartIsANewAttemptWithANewToken) {
  Lifecycle life{kQueued, {1, 10}};
  ASSERT_TRUE(Transition({}, &life, kRunning, {1, 10}, 20).ok());
  EXPECT_EQ(life.claim, (Claim{2, 20}));
  ASSERT_TRUE(Transition({}, &life, kSucceeded, {2, 20}).ok());
  EXPECT_EQ(life.claim, (Claim{2, 20})) << "only a start changes it";
}

TEST(Lifecycle, ALateAttemptIsRefusedWhateverItWants) {
  for (Claim late : {Claim{1, 10}, Claim{2, 10}, Claim{1, 20}, Claim{}}) {
    for (int t = 0; t < kJobStates; ++t) {
      Lifecycle life{kRunning, {2, 20}};
      Status moved = Transition({}, &life, static_cast<JobState>(t), late);
      EXPECT_EQ(moved.reason(), "LEASE_LOST");
      EXPECT_EQ(life.state, kRunning);
    }
  }
}

}  // namespace
}  // namespace millrace
