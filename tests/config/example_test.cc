// deploy/config.example.toml is documentation, so it is held to the truth.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/bindings.h"
#include "config/config.h"
#include "config/exec_kind.h"
#include "job/retry.h"

namespace millrace::config {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kPath = MILLRACE_EXAMPLE_CONFIG;  // Set by tests/CMakeLists.txt: __FILE__ may be relative.

std::string ReadExample() {
  std::ifstream file(kPath);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ExampleFile, PassesTheCheck) { EXPECT_THAT(Load({.config_file = kPath}).problems, IsEmpty()); }

TEST(ExampleFile, ShowsTheDefaults) {
  Config example = LoadText(ReadExample(), kPath, {}).config;  // Whatever memory this machine has.
  EXPECT_EQ(example.kinds.size(), 2u);
  ASSERT_EQ(example.pools.size(), 3u);
  example.kinds.clear();
  example.pools.resize(1);
  EXPECT_EQ(ToToml(example, Secrets::kShown), ToToml(LoadText("", "", {}).config, Secrets::kShown));

  RetryOverrides retry = Load({.config_file = kPath}).config.kinds[1].options.retry;
  EXPECT_EQ(ResolveRetry(retry, {}), RetryPolicy{});
}

TEST(ExampleFile, ExplainsEveryKey) {
  const std::string text = ReadExample();
  Config config;
  ConfigBinding binding(&config);
  dispatch::PoolOptions pool{.name = "default"};
  PoolBinding pools(&pool);
  KindConfig kind{.options = {.name = "count-words"}, .runs = runners::ExecOptions()};
  KindBinding kinds(&kind);
  std::vector<const Section*> sections{&pools.section, &kinds.section};
  for (const auto& section : binding.sections()) sections.push_back(section.get());
  for (const Section* section : sections) {
    EXPECT_THAT(text, HasSubstr("\n[" + section->path() + "]\n"));
    for (const std::string& key : section->Names())
      EXPECT_THAT(text, ContainsRegex("\n(# )?" + key + " = ")) << section->path();
  }
  auto& exec = *static_cast<KindSchema<runners::ExecOptions>*>(kinds.schema.get());
  for (const Section* table : {&exec.limits, &kinds.retry}) {
    for (const std::string& key : table->Names())
      EXPECT_THAT(text, ContainsRegex("[{,] " + key + " = ")) << table->path();
  }
}

}  // namespace
}  // namespace millrace::config
