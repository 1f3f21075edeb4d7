#include "client/cli/bench_done.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

// A job sent at 100 and acknowledged at 200 of our clock, accepted at `accepted` of the server's.
DoneSample Sample(int64_t accepted, int64_t sent = 100, int64_t acknowledged = 200) {
  return {sent, sent, acknowledged, accepted, 1};
}

TEST(ClockOffset, IsNoneWhenTheStampsFit) { EXPECT_EQ(ClockOffset({Sample(150), Sample(101), Sample(199)}), 0); }

TEST(ClockOffset, IsNoneWithoutSamples) { EXPECT_EQ(ClockOffset({}), 0); }

TEST(ClockOffset, LiesBetweenTheBoundsOfEverySample) {
  // The server is between 850 and 900 ahead by the first, between 800 and 860 by the second.
  EXPECT_EQ(ClockOffset({Sample(1000, 100, 150), Sample(1060, 200, 260)}), 855);
}

TEST(ClockOffset, LeavesOutJobsThatAreNotKnown) { EXPECT_EQ(ClockOffset({Sample(0), Sample(150)}), 0); }

}  // namespace
}  // namespace millrace::cli
