#include "base/rfc3339.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

int64_t SecondsOf(std::string_view text) {
  std::optional<WallTime> time = ParseRfc3339(text);
  EXPECT_TRUE(time.has_value()) << text;
  return time ? time->time_since_epoch() / std::chrono::seconds(1) : -1;
}

TEST(Rfc3339, ReadsWhatTheStandardAllows) {
  EXPECT_EQ(SecondsOf("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(SecondsOf("2026-11-23T17:53:01Z"), 1795456381);
  EXPECT_EQ(SecondsOf("2026-11-23t17:53:01z"), 1795456381);
  EXPECT_EQ(SecondsOf("2026-11-23T19:23:01+01:30"), 1795456381);
  EXPECT_EQ(SecondsOf("2026-11-22T23:53:01-18:00"), 1795456381);
  EXPECT_EQ(SecondsOf("2024-02-29T00:00:00Z"), 1709164800);
  EXPECT_EQ(ParseRfc3339("1970-01-01T00:00:00.000000001Z"), WallTime(Nanos(1)));
  EXPECT_EQ(ParseRfc3339("1970-01-01T00:00:00.5Z"), WallTime(Nanos(500'000'000)));
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text : {"",
                           "yesterday",
                           "2026-11-23",
                           "2026-11-23T17:53:01",
                           "2026-11-23 17:53:01Z",
                           "2026-02-30T00:00:00Z",
                           "2023-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-11-23T24:00:00Z",
                           "2026-11-23T17:60:00Z",
                           "2026-11-23T17:53:61Z",
                           "2026-11-23T17:53:01.Z",
                           "2026-11-23T17:53:01.0123456789Z",
                           "2026-11-23T17:53:01+1:00",
                           "2026-11-23T17:53:01+24:00",
                           "2026-11-23T17:53:01Zx",
                           "0000-01-01T00:00:00Z",
                           "9999-12-31T23:59:59Z",
                           "-026-11-23T17:53:01Z"}) {
    EXPECT_FALSE(ParseRfc3339(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace millrace
