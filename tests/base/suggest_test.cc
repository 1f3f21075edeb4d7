#include "base/suggest.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

const std::vector<std::string> kCommands = {"submit", "run", "jobs", "pools", "bench"};

TEST(Nearest, ForgivesOneMistakeInThree) {
  EXPECT_EQ(Nearest("sumbit", kCommands), "submit");
  EXPECT_EQ(Nearest("job", kCommands), "jobs");
  EXPECT_EQ(Nearest("pool", kCommands), "pools");
  EXPECT_EQ(Nearest("benhc", kCommands), "bench");
  EXPECT_EQ(Nearest("sub", kCommands), "submit");
}

TEST(Nearest, SaysNothingRatherThanNonsense) {
  EXPECT_EQ(Nearest("deploy", kCommands), "");
  EXPECT_EQ(Nearest("", kCommands), "");
  EXPECT_EQ(Nearest("x", {}), "");
  EXPECT_EQ(Nearest(std::string(10'000, 'a'), kCommands), "");
}

}  // namespace
}  // namespace millrace
