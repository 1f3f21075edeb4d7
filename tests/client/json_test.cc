#include "client/cli/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace::cli {
namespace {

TEST(JsonString, EscapesWhatMustBeEscaped) {
  EXPECT_EQ(JsonString("plain"), "\"plain\"");
  EXPECT_EQ(JsonString("a\"b\\c\n\t\x01"), "\"a\\\"b\\\\c\\n\\t\\u0001\"");
  EXPECT_EQ(JsonString("größe €𝄞"), "\"größe €𝄞\"");
}

TEST(JsonString, StaysUtf8WhateverAFileIsCalled) {
  EXPECT_EQ(JsonString("\xff.txt"), "\"\\ufffd.txt\"");
  EXPECT_EQ(JsonString("cut \xe2\x82"), "\"cut \\ufffd\\ufffd\"");
}

TEST(IsUtf8, RefusesOverlongFormsAndSurrogates) {
  EXPECT_TRUE(IsUtf8("größe €𝄞"));
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_FALSE(IsUtf8("\xc0\x80"));
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80"));
  EXPECT_FALSE(IsUtf8("\xf5\x80\x80\x80"));
  EXPECT_FALSE(IsUtf8("\x80"));
}

TEST(Base64, MatchesTheExamplesOfRfc4648) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
}

TEST(JsonObject, KeepsTheOrderOfItsMembers) {
  EXPECT_EQ(JsonObject().Add("id", "x").Add("count", 3).Add("rate", 0.5).Add("ok", true).Take(),
            R"({"id":"x","count":3,"rate":0.5,"ok":true})");
  EXPECT_EQ(JsonObject().Take(), "{}");
}

TEST(JsonObject, NamesTheFormOfBytes) {
  EXPECT_EQ(JsonObject().AddBytes("result", "text").Take(), R"({"resultText":"text"})");
  EXPECT_EQ(JsonObject().AddBytes("result", "\xff").Take(), R"({"resultBase64":"/w=="})");
}

TEST(JsonObject, HasNoWordForInfinity) {
  EXPECT_EQ(JsonObject().Add("rate", std::numeric_limits<double>::infinity()).Take(), R"({"rate":null})");
}

}  // namespace
}  // namespace millrace::cli
