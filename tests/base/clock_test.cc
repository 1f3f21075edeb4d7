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

TEST(AnyDuration, IsTheSameTimeInNanosecondsWhateverItsUnit) {
  EXPECT_EQ(AnyDuration(3h).nanos(), 3h);
  EXPECT_EQ(AnyDuration(-5ms).nanos(), -5ms);
  EXPECT_EQ((AnyDuration(std::chrono::duration<int, std::pico>(2500)).nanos()), 2ns);
  EXPECT_EQ((AnyDuration(std::chrono::duration<uint8_t, std::ratio<60>>(255)).nanos()), 255min);
  EXPECT_EQ(AnyDuration(Nanos::max()).nanos(), Nanos::max());
}

TEST(AnyDuration, IsTheGreatestOrTheLeastWhereNanosecondsHaveNoPlaceForIt) {
  using std::chrono::hours, std::chrono::seconds, std::chrono::milliseconds;
  EXPECT_EQ(AnyDuration(hours::max()).nanos(), Nanos::max());
  EXPECT_EQ(AnyDuration(hours::min()).nanos(), Nanos::min());
  EXPECT_EQ(AnyDuration(seconds::max()).nanos(), Nanos::max());
  EXPECT_EQ(AnyDuration(milliseconds::max()).nanos(), Nanos::max());
  EXPECT_EQ((AnyDuration(std::chrono::duration<uint64_t>(~uint64_t{0})).nanos()), Nanos::max());
  EXPECT_EQ(AnyDuration(24h * 365 * 293).nanos(), Nanos::max());
  EXPECT_EQ(AnyDuration(24h * 365 * 292).nanos(), 24h * 365 * 292);
}

TEST(Later, EndsWithTheClocksRange) {
  const MonoTime now(1h);
  EXPECT_EQ(Later(now, 1s), now + 1s);
  EXPECT_EQ(Later(now, -2h), MonoTime(-1h));
  EXPECT_EQ(Later(now, Nanos::max()), MonoTime::max());
  EXPECT_EQ(Later(now, Nanos::max() - 30min), MonoTime::max());
  EXPECT_EQ(Later(MonoTime(-1h), Nanos::min()), MonoTime::min());
  EXPECT_EQ(Later(WallTime::max(), 1ns), WallTime::max());
}

}  // namespace
}  // namespace millrace
