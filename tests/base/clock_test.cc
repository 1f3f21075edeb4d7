#include "base/clock.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

TEST(ManualClock, StandsStillUntilTold) {
  ManualClock clock;
  const MonoTime mono = clock.Mono();
  const WallTime wall = clock.Wall();
  EXPECT_EQ(clock.Mono(), mono);
  clock.Advance(5s);
  EXPECT_EQ(clock.Mono() - mono, 5s);
  EXPECT_EQ(clock.Wall() - wall, 5s);
}

TEST(ManualClock, AStepOfTheDateLeavesMonotonicTimeAlone) {
  ManualClock clock;
  const MonoTime mono = clock.Mono();
  const WallTime wall = clock.Wall();
  clock.StepWall(-1h);
  EXPECT_EQ(clock.Mono(), mono);
  EXPECT_EQ(clock.Wall() - wall, -1h);
}

TEST(SystemClock, NeverGoesBack) {
  SystemClock clock;
  MonoTime last = clock.Mono();
  for (int i = 0; i < 1000; ++i) {
    MonoTime now = clock.Mono();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(clock.Wall().time_since_epoch(), 24h * 365 * 50);
}

}  // namespace
}  // namespace millrace
