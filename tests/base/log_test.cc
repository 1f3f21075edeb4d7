#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace millrace {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

template <typename F>
std::string Logged(LogLevel level, LogFormat format, F&& write) {
  ConfigureLog(level, format);
  ::testing::internal::CaptureStderr();
  write();
  std::string text = ::testing::internal::GetCapturedStderr();
  ConfigureLog(LogLevel::kInfo, LogFormat::kText);
  return text;
}

TEST(Log, WritesTimeLevelAndMessage) {
  std::string text =
      Logged(LogLevel::kInfo, LogFormat::kText, [] { LogInfo("pool '%s' has %d workers {}", "thumbs", 8); });
  EXPECT_THAT(text, MatchesRegex("[0-9-]+T[0-9:.]+Z info    pool 'thumbs' has 8 workers \\{\\}\n"));
  text = Logged(LogLevel::kInfo, LogFormat::kJson, [] { LogError("it said \"no\" \\ %d", 1); });
  EXPECT_THAT(text, MatchesRegex("\\{\"time\":\"[^\"]+Z\",\"level\":\"error\",\"message\":\".*\"\\}\n"));
  EXPECT_THAT(text, HasSubstr(R"("message":"it said \"no\" \\ 1"})"));
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  auto all = [] {
    LogDebug("d");
    LogInfo("i");
    LogWarning("w");
    LogError("e");
  };
  auto lines = [&](LogLevel level) {
    std::string text = Logged(level, LogFormat::kText, all);
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(lines(LogLevel::kDebug), 4);
  EXPECT_EQ(lines(LogLevel::kInfo), 3);
  EXPECT_EQ(lines(LogLevel::kWarning), 2);
  EXPECT_EQ(lines(LogLevel::kError), 1);
}

TEST(Log, AMessageCannotForgeALine) {
  const char* forged = "x\n2026-01-01T00:00:00.000Z error   \x1b[31mfire";
  EXPECT_THAT(Logged(LogLevel::kInfo, LogFormat::kText, [&] { LogInfo("%s", forged); }),
              EndsWith("info    x\n    2026-01-01T00:00:00.000Z error   \\u001b[31mfire\n"));
  EXPECT_THAT(Logged(LogLevel::kInfo, LogFormat::kJson, [&] { LogInfo("%s", forged); }),
              EndsWith("\"message\":\"x\\n2026-01-01T00:00:00.000Z error   \\u001b[31mfire\"}\n"));
}

TEST(Log, IsValidTextAndJsonWhateverBytesAMessageHas) {
  // A character of each length, bytes that are none, one too few, too long a form, half of a pair, and a control
  // character of C1.
  const char* bytes = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xff \xe2\x82 \xc0\x80 \xed\xa0\x80 \xc2\x9b";
  EXPECT_THAT(
      Logged(LogLevel::kInfo, LogFormat::kText, [&] { LogInfo("%s", bytes); }),
      EndsWith("info    \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\xff \\xe2\\x82 \\xc0\\x80 \\xed\\xa0\\x80 \\u009b\n"));
  EXPECT_THAT(Logged(LogLevel::kInfo, LogFormat::kJson, [&] { LogInfo("%s", bytes); }),
              EndsWith("\"message\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\\\xff \\\\xe2\\\\x82 \\\\xc0\\\\x80 "
                       "\\\\xed\\\\xa0\\\\x80 \\u009b\"}\n"));
}

TEST(Log, LongMessagesAreWhole) {
  std::string longer(10'000, 'x');
  EXPECT_THAT(Logged(LogLevel::kInfo, LogFormat::kText, [&] { LogInfo("%s", longer.c_str()); }),
              EndsWith(longer + "\n"));
}

}  // namespace
}  // namespace millrace
