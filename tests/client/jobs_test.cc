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

}  // namespace
}  // namespace millrace::cli
