#include "config/differences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Between(const std::string& now, const std::string& next) {
  Loaded first = LoadText(now, "now.toml", {}), second = LoadText(next, "next.toml", {});
  EXPECT_THAT(first.problems, IsEmpty());
  EXPECT_THAT(second.problems, IsEmpty());
  return Differences(first.config, second.config);
}

const std::string kPool = "[pool.x]\nrunner = \"exec\"\n";
const std::string kKind = "[kind.k]\npool = \"x\"\nexec = [\"ls\"]\n";

TEST(Differences, ThereAreNoneInWhatSaysTheSame) {
  EXPECT_THAT(Between("", ""), IsEmpty());
  EXPECT_THAT(Between(kPool + kKind, kKind + "timeout = \"60s\"\n" + kPool).size(), 1u);
  EXPECT_THAT(Between("", "[jobs]\nlosses_max = 3\n[server]\ndrain_timeout = \"30000ms\"\n"), IsEmpty());
}

TEST(Differences, TellWhatASettingIsAndBecomes) {
  EXPECT_THAT(Between("[server]\ndrain_timeout = \"5s\"\n", "[jobs]\nlosses_max = 5\n[pool.default]\nworkers = 4\n"),
              ElementsAre("[server] drain_timeout = \"5s\" becomes \"30s\"", "[jobs] losses_max = 3 becomes 5",
                          "[pool.default] workers = 16 becomes 4"));
  EXPECT_THAT(Between(kPool + kKind + "retry = { max_attempts = 2 }\n", kPool + kKind + "timeout = \"1m\"\n"),
              ElementsAre("[kind.k] timeout becomes \"1m\", and was not set",
                          "[kind.k] retry = { max_attempts = 2 } is not set any more"));
}

TEST(Differences, NameThePoolsAndKindsThatComeAndGo) {
  EXPECT_THAT(Between(kPool, "[pool.y]\n"), ElementsAre("[pool.y] is new", "[pool.x] is gone"));
  EXPECT_THAT(Between(kPool + kKind, kPool), ElementsAre("[kind.k] is gone"));
}

TEST(Differences, DoNotShowSecrets) {
  EXPECT_THAT(Between(kPool + kKind + "env = { TOKEN = \"old\" }\n", kPool + kKind + "env = { TOKEN = \"new\" }\n"),
              ElementsAre("[kind.k] env = { TOKEN = \"(hidden)\" } changes in what is secret"));
  EXPECT_THAT(Between(kPool + kKind, kPool + kKind + "env = { TOKEN = \"new\" }\n"),
              ElementsAre("[kind.k] env becomes { TOKEN = \"(hidden)\" }, and was not set"));
}

}  // namespace
}  // namespace millrace::config
