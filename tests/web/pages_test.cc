#include "web/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::web {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(StatusPage, ShowsItsFactsTableAndLinks) {
  Response page = Render({.title = "Millrace",
                          .facts = {{"store", "memory"}},
                          .columns = {"pool", "queued"},
                          .rows = {{"thumbs", "3"}},
                          .links = {"/metrics"}});
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body,
              AllOf(HasSubstr("<dt>store</dt><dd>memory</dd>"), HasSubstr("<tr><th>pool</th><th>queued</th></tr>"),
                    HasSubstr("<tr><td>thumbs</td><td>3</td></tr>"), HasSubstr("<a href=\"/metrics\">/metrics</a>")));
}

TEST(StatusPage, LeavesNoMarkupInWhatItShows) {
  Response page = Render({.title = "<b>", .facts = {{"a&b", "\"q\""}}, .rows = {{"<script>'"}}});
  EXPECT_THAT(page.body, AllOf(HasSubstr("<h1>&lt;b&gt;</h1>"), HasSubstr("<dt>a&amp;b</dt><dd>&quot;q&quot;</dd>"),
                               HasSubstr("<td>&lt;script&gt;&#39;</td>"), Not(HasSubstr("<script>"))));
}

}  // namespace
}  // namespace millrace::web
