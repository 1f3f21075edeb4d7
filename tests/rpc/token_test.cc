#include "rpc/token.h"

#include <gtest/gtest.h>

namespace millrace::rpc {
namespace {

const PageQuery kQuery{"pool = x", true, View::kBasic};

TEST(PageToken, BringsBackTheLastJobOfThePage) {
  const Id last{0x0123456789ABCDEF, 0xFEDCBA9876543210};
  const std::string token = MakePageToken(kQuery, last);
  EXPECT_EQ(token.find_first_of("+/ "), std::string::npos) << token << " goes into URLs as it is";
  const auto parsed = ParsePageToken(kQuery, token);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, last);
}

TEST(PageToken, OfAnotherQueryIsRefused) {
  const std::string token = MakePageToken(kQuery, Id{1, 2});
  for (const PageQuery& other : {PageQuery{"pool = y", true, View::kBasic}, PageQuery{"pool = x", false, View::kBasic},
                                 PageQuery{"pool = x", true, View::kFull}}) {
    EXPECT_EQ(ParsePageToken(other, token).status().reason(), "PAGE_TOKEN_MISMATCH");
  }
}

TEST(PageToken, AnythingElseIsMalformed) {
  const std::string good = MakePageToken(kQuery, Id{1, 2});
  for (const std::string& bad : {std::string("x"), std::string("%%%"), good.substr(1), good + "AAAA",
                                 std::string(100'000, 'A'), MakeResumeToken(7), std::string("\0\xff", 2)}) {
    const auto parsed = ParsePageToken(kQuery, bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.status().reason(), "PAGE_TOKEN_MALFORMED");
    EXPECT_EQ(parsed.status().field(), "page_token");
  }
}

TEST(ResumeToken, BringsBackTheEventAndNothingElseDoes) {
  for (const uint64_t sequence : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    const auto parsed = ParseResumeToken(MakeResumeToken(sequence));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, sequence);
  }
  EXPECT_EQ(ParseResumeToken("later").status().reason(), "RESUME_TOKEN_MALFORMED");
  EXPECT_EQ(ParseResumeToken(MakePageToken(kQuery, Id{1, 2})).status().reason(), "RESUME_TOKEN_MALFORMED");
}

}  // namespace
}  // namespace millrace::rpc
