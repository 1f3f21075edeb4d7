#include "client/cli/units.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseDuration("250ms"), 250ms);
  EXPECT_EQ(ParseDuration("90s"), 90s);
  EXPECT_EQ(ParseDuration("1m30s"), 90s);
  EXPECT_EQ(ParseDuration("1.5h"), 90min);
  EXPECT_EQ(ParseDuration("2d"), 48h);
  EXPECT_EQ(ParseDuration("7"), 7s);
  EXPECT_EQ(ParseDuration("0.5"), 500ms);
  EXPECT_EQ(ParseDuration("0s"), 0s);
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text :
       {"", "s", "-1s", "1 s", "1y", "1s2", "1sec", "inf", "nan", "0x10", "1e400s", "300000d", "1h-5m", "+3s"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(FormatDuration, KeepsThreeDigitsBelowAMinuteAndTwoUnitsAbove) {
  EXPECT_EQ(FormatDuration(0ns), "0 ns");
  EXPECT_EQ(FormatDuration(380ns), "380 ns");
  EXPECT_EQ(FormatDuration(12'340ns), "12.3 us");
  EXPECT_EQ(FormatDuration(4'561us), "4.56 ms");
  EXPECT_EQ(FormatDuration(999'600ns), "1.00 ms");
  EXPECT_EQ(FormatDuration(7'890ms), "7.89 s");
  EXPECT_EQ(FormatDuration(125s), "2m 5s");
  EXPECT_EQ(FormatDuration(200min), "3h 20m");
  EXPECT_EQ(FormatDuration(102h), "4d 6h");
  EXPECT_EQ(FormatDuration(-5ms), "-5.00 ms");
}

TEST(ParseTime, ReadsUtcAndOffsets) {
  const auto noon = ParseTime("2026-01-31T12:00:00Z");
  ASSERT_TRUE(noon);
  EXPECT_EQ(noon->time_since_epoch(), 1'769'860'800s);
  EXPECT_EQ(ParseTime("2026-01-31T14:00:00+02:00"), noon);
  for (const char* text : {"", "tomorrow", "2026-01-31", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(Bytes, AreReadAndWrittenInPowersOf1024) {
  EXPECT_EQ(ParseBytes("4096"), 4096);
  EXPECT_EQ(ParseBytes("64k"), 65536);
  EXPECT_EQ(ParseBytes("1.5MiB"), 1'572'864);
  EXPECT_EQ(ParseBytes("2GB"), int64_t{2} << 30);
  for (const char* text : {"", "k", "-1", "1x", "1kk", "1 k"}) EXPECT_EQ(ParseBytes(text), std::nullopt) << text;

  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(int64_t{3} << 30), "3.0 GiB");
}

TEST(FormatCount, GroupsThousands) {
  EXPECT_EQ(FormatCount(7), "7");
  EXPECT_EQ(FormatCount(123), "123");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(-123456), "-123,456");
}

TEST(Proto, KeepsNanoseconds) {
  EXPECT_EQ(FromProto(ToProto(nanoseconds(1'234'567'890'123))), nanoseconds(1'234'567'890'123));
  const WallNanos time{nanoseconds(1'700'000'000'123'456'789)};
  EXPECT_EQ(FromProto(ToProto(time)), time);
}

}  // namespace
}  // namespace millrace::cli
