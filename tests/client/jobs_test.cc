#include "client/cli/jobs.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(ToFilter, JoinsTheWordsByAnd) {
  EXPECT_EQ(*ToFilter({}), "");
  EXPECT_EQ(*ToFilter({.state = "failed", .pool = "thumbs"}), "state = FAILED AND pool = \"thumbs\"");
  EXPECT_EQ(*ToFilter({.filter = "kind != \"noop\"", .band = "Low", .labels = {"team=web"}}),
            "kind != \"noop\" AND band = LOW AND labels.team = \"web\"");
}

TEST(ToFilter, QuotesWhatCouldEndAString) { EXPECT_EQ(*ToFilter({.kind = "a\"b\\c"}), "kind = \"a\\\"b\\\\c\""); }

TEST(ToFilter, NamesTheOptionAtFault) {
  EXPECT_TRUE(ToFilter({.state = "done"}).status().message().starts_with("--state: 'done' is not scheduled"));
  EXPECT_TRUE(ToFilter({.band = "top"}).status().message().starts_with("--band: 'top'"));
  EXPECT_TRUE(ToFilter({.labels = {"x"}}).status().message().starts_with("--label: 'x'"));
}

TEST(ToFilter, RefusesALabelWithTwoValues) {
  EXPECT_NE(ToFilter({.labels = {"a=1", "a=2"}}).status().message().find("'a' is given twice"), std::string::npos);
  EXPECT_TRUE(ToFilter({.labels = {"a=1", "b=1"}}).ok());
}

TEST(WantedBy, FindsTheValueOutsideOfQuotes) {
  EXPECT_EQ(WantedBy("pool = \"thumbs\" AND state = QUEUED", "pool"), "thumbs");
  EXPECT_EQ(WantedBy("state = QUEUED AND pool=thumbs", "pool"), "thumbs");
  EXPECT_EQ(WantedBy("kind = x AND pool = y", "kind"), "x");
  EXPECT_EQ(WantedBy("labels.a = \" pool = x \"", "pool"), std::nullopt);
  EXPECT_EQ(WantedBy("labels.pool = x", "pool"), std::nullopt);
  EXPECT_EQ(WantedBy("pool != x", "pool"), std::nullopt);
  EXPECT_EQ(WantedBy("", "pool"), std::nullopt);
}

}  // namespace
}  // namespace millrace::cli
