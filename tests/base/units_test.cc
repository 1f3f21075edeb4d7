#include "base/units.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(Durations, AreReadWithTheirUnits) {
  EXPECT_EQ(ParseDuration("30s"), Nanos(30s));
  EXPECT_EQ(ParseDuration("250ms"), Nanos(250ms));
  EXPECT_EQ(ParseDuration("1h30m"), Nanos(90min));
  EXPECT_EQ(ParseDuration("1d2h3m4s5ms6us"), Nanos(24h + 2h + 3min + 4s + 5ms + 6us));
  EXPECT_EQ(ParseDuration("0s"), Nanos(0));
}

TEST(Durations, MayHaveFractionsAndAnyOrder) {
  EXPECT_EQ(ParseDuration("1.5h"), Nanos(90min));
  EXPECT_EQ(ParseDuration("1.5s"), Nanos(1500ms));
  EXPECT_EQ(ParseDuration(".5s"), Nanos(500ms));
  EXPECT_EQ(ParseDuration("1.s"), Nanos(1s));
  EXPECT_EQ(ParseDuration("0.1d"), Nanos(144min));
  EXPECT_EQ(ParseDuration("1.000000001s"), Nanos(1s + 1ns));
  EXPECT_EQ(ParseDuration("2.6ns"), Nanos(3));
  EXPECT_EQ(ParseDuration("0." + std::string(500, '0') + "1h"), Nanos(0));
  EXPECT_EQ(ParseDuration("30s1m"), Nanos(90s));
  EXPECT_EQ(ParseDuration("1s1s"), Nanos(2s));
}

TEST(Durations, WithoutUnitOrWithSignAreRefused) {
  for (const char* text :
       {"",           "30",          "0",      "1.5", "s",   ".s",   ".",           "-1s",
        "+1s",        "1m-1s",       "1 s",    " 1s", "1s ", "1x",   "1sec",        "1S",
        "1e3s",       "0x1s",        "1.5.2s", "1s2", "inf", "nans", "9999999999d", "99999999999999999999s",
        "106751d24h", "106751.99d1d"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Durations, ReadBackAsTheyWereWritten) {
  for (const char* text : {"0s", "30s", "1m30s", "1d", "2h5ms", "1us", "1us500ns"}) {
    EXPECT_EQ(FormatDuration(ParseDuration(text).value()), text);
  }
  EXPECT_EQ(FormatDuration(Nanos(90s)), "1m30s");
}

TEST(Sizes, AreReadWithTheirUnits) {
  EXPECT_EQ(ParseSize("0B"), 0);
  EXPECT_EQ(ParseSize("512B"), 512);
  EXPECT_EQ(ParseSize("64KiB"), 64 << 10);
  EXPECT_EQ(ParseSize("1TiB"), int64_t{1} << 40);
}

TEST(Sizes, WithoutUnitOrBeyondTheRangeAreRefused) {
  for (const char* text : {"", "64", "64MB", "64 MiB", "-1B", "1.5GiB", "1KiB1B", "KiB", "9999999999TiB"}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

TEST(Sizes, ReadBackInTheLargestUnitThatFits) {
  EXPECT_EQ(FormatSize(0), "0B");
  EXPECT_EQ(FormatSize(1 << 20), "1MiB");
  EXPECT_EQ(FormatSize(1536), "1536B");
  EXPECT_EQ(FormatSize(5 << 10), "5KiB");
}

TEST(Seconds, CountWithTheirFraction) {
  EXPECT_EQ(Seconds(1500ms), 1.5);
  EXPECT_EQ(Seconds(-1ms), -0.001);
}

}  // namespace
}  // namespace millrace
