#include "access/token.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/clock.h"

namespace millrace::access {
namespace {

NewToken Made() {
  ManualClock clock;
  IdGenerator ids(clock, 1);
  return *MakeToken({.id = ids.Next(), .name = "n", .roles = {Role::kView}});
}

TEST(Token, ItsTextIsAPrefixAnIdAndASecret) {
  const NewToken made = Made();
  ASSERT_EQ(made.text.size(), 3u + 26 + 1 + 64);
  EXPECT_EQ(made.text.substr(0, 30), "mr_" + made.token.id.ToString() + "_");
  const auto text = TokenText::Parse(made.text);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->id, made.token.id);
  EXPECT_TRUE(IsSecretOf(text->secret, made.token));
}

TEST(Token, ItsHashIsNotItsSecret) {
  const NewToken made = Made();
  EXPECT_EQ(made.text.find(ToHex(made.token.hash)), std::string::npos);
}

// FIPS 180-2, of 32 zero bytes: so a file of tokens can be read by another version.
TEST(Token, TheHashIsSha256) {
  Token token;
  token.hash = *FromHex("66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
  EXPECT_TRUE(IsSecretOf({}, token));
}

TEST(Token, NoTwoHaveTheSameSecret) {
  std::set<std::string> secrets;
  for (int i = 0; i < 1000; ++i) secrets.insert(Made().text.substr(30));
  EXPECT_EQ(secrets.size(), 1000u);
}

TEST(Token, ASecretWithOneBitChangedIsAnother) {
  const NewToken made = Made();
  const auto text = *TokenText::Parse(made.text);
  for (size_t bit = 0; bit < 8 * kSecretBytes; ++bit) {
    auto changed = text.secret;
    changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(IsSecretOf(changed, made.token)) << bit;
  }
}

TEST(Token, WhatIsNoTextOfATokenIsSeen) {
  const std::string good = Made().text;
  ASSERT_TRUE(TokenText::Parse(good).has_value());
  std::string no_prefix = good.substr(3), upper = good, other_prefix = "mx_" + no_prefix, not_hex = good;
  upper[40] = 'A';
  not_hex.back() = 'g';
  for (const std::string& wrong :
       {std::string(), std::string("mr_"), no_prefix, other_prefix, upper, not_hex, good + "0", good + "\n",
        good.substr(0, good.size() - 1), good.substr(0, 29), good.substr(0, 30), std::string(1 << 20, 'a')}) {
    EXPECT_FALSE(TokenText::Parse(wrong).has_value()) << wrong.substr(0, 100);
  }
}

TEST(Token, NamesAreForPeople) {
  for (const char* good : {"a", "build server", "Änne's laptop", "=roles"}) EXPECT_TRUE(CheckTokenName(good).ok());
  EXPECT_TRUE(CheckTokenName(std::string(128, 'x')).ok());
  for (const std::string& bad :
       {std::string(), std::string("a\nb"), std::string("a\x7f"), std::string(129, 'x'), std::string("a\0b", 3)}) {
    EXPECT_EQ(CheckTokenName(bad).reason(), "BAD_TOKEN_NAME");
  }
}

}  // namespace
}  // namespace millrace::access
