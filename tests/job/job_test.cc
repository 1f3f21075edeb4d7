#include "job/job.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Job, EveryNameCanBeReadBack) {
  for (int i = 0; i < kJobStates; ++i) {
    const JobState state = static_cast<JobState>(i);
    EXPECT_EQ(ParseJobState(ToString(state)), state);
    EXPECT_EQ(ParseJobState(Label(state)), state);
  }
  for (int i = 0; i < kBands; ++i) {
    const Band band = static_cast<Band>(i);
    EXPECT_EQ(ParseBand(ToString(band)), band);
    EXPECT_EQ(ParseBand(Label(band)), band);
  }
  EXPECT_EQ(ParseJobState("Queued"), JobState::kQueued);
  EXPECT_FALSE(ParseJobState("").has_value());
  EXPECT_FALSE(ParseBand("URGENT").has_value());
}

TEST(Job, FiveStatesAreTerminal) {
  using enum JobState;
  for (JobState state : {kSucceeded, kFailed, kCancelled, kExpired, kQuarantined}) EXPECT_TRUE(IsTerminal(state));
  for (JobState state : {kScheduled, kBlocked, kQueued, kRunning}) EXPECT_FALSE(IsTerminal(state));
}

TEST(Job, ResultsAndDurabilitiesHaveTheNamesOfTheProto) {
  EXPECT_STREQ(ToString(AttemptResult::kTimedOut), "TIMED_OUT");
  EXPECT_STREQ(Label(AttemptResult::kReleased), "released");
  EXPECT_STREQ(ToString(Durability::kFsync), "FSYNC");
}

}  // namespace
}  // namespace millrace
