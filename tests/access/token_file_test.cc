#include "access/token_file.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"

namespace millrace::access {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

std::vector<Token> Some() {
  ManualClock clock;
  IdGenerator ids(clock, 1);
  std::vector<Token> tokens;
  for (const char* name : {"build server", "x", "name=hash= roles=admin"}) {
    Token token{.id = ids.Next(), .name = name, .roles = {Role::kView, Role::kWork}, .created = clock.Wall()};
    if (token.name == "x") token.expires = clock.Wall() + 1h;
    tokens.push_back(MakeToken(token)->token);
  }
  return tokens;
}

bool Same(const Token& a, const Token& b) {
  return a.id == b.id && a.name == b.name && a.roles == b.roles && a.created == b.created && a.expires == b.expires &&
         a.hash == b.hash;
}

TEST(TokenFile, WhatIsWrittenIsRead) {
  const std::vector<Token> tokens = Some();
  const Result<std::vector<Token>> read = ParseTokens(PrintTokens(tokens), "f");
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ASSERT_EQ(read->size(), tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) EXPECT_TRUE(Same((*read)[i], tokens[i])) << tokens[i].name;
  EXPECT_TRUE(ParseTokens(PrintTokens({}), "f")->empty());
}

TEST(TokenFile, OneOfVersion1IsRead) {
  const Result<std::vector<Token>> read = ParseTokens(
      "millrace tokens 1\n"
      "01HF7YAT00F9NK07WC8PCEJG6F roles=submit,view created=1700000000000 expires=1731536000000 "
      "hash=66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925 name=build server\n",
      "f");
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  const Token& token = read->at(0);
  EXPECT_EQ(token.id.ToString(), "01HF7YAT00F9NK07WC8PCEJG6F");
  EXPECT_EQ(token.roles.ToString(), "view,submit");
  EXPECT_EQ(token.created, WallTime(1700000000s));
  EXPECT_EQ(token.expires, WallTime(1731536000s));
  EXPECT_EQ(token.name, "build server");
}

TEST(TokenFile, AnythingElseIsRefusedWithItsLine) {
  const std::string good = PrintTokens(Some());
  const std::string head = "millrace tokens 1\n",
                    line = good.substr(head.size(), good.find('\n', head.size()) + 1 - head.size());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = line;
    changed.replace(changed.find(from), from.size(), to);
    return head + changed;
  };
  ASSERT_TRUE(ParseTokens(head + line, "f").ok());
  struct Row {
    std::string text;
    const char* line;
  };
  const Row rows[] = {
      {"", "line 1"},
      {"millrace tokens 2\n", "line 1"},
      {"millrace tokens 1", "line 1"},
      {head + "\n", "line 2"},
      {head + line + line, "line 3"},
      {head + line.substr(0, line.size() - 1), "line 2"},
      {with("roles=view,work", "roles="), "line 2"},
      {with("roles=view,work", "roles=view,root"), "line 2"},
      {with("created=", "created=-"), "line 2"},
      {with("created=17", "created=99999999999999917"), "line 2"},
      {with("created=17", "created=0x17"), "line 2"},
      {with("hash=", "hash=0"), "line 2"},
      {with(" hash=", " expires= hash="), "line 2"},
      {with("hash=", "hsah="), "line 2"},
      {with("name=build server", "name="), "line 2"},
      {with("name=build server", "name=a\tb"), "line 2"},
      {with("01", "O1!"), "line 2"},
  };
  for (const Row& row : rows) {
    const Result<std::vector<Token>> read = ParseTokens(row.text, "/data/tokens");
    ASSERT_FALSE(read.ok()) << row.text;
    EXPECT_EQ(read.status().reason(), "TOKENS_UNREADABLE");
    EXPECT_NE(read.status().message().find(std::string("/data/tokens, ") + row.line + ":"), std::string::npos)
        << read.status().message();
  }
}

// Bytes that nobody wrote: refused, or tokens that are written as they were read; never a crash.
TEST(TokenFile, FuzzedOnesAreRefusedOrReadAsTheyAre) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  const std::string good = PrintTokens(Some());
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (size_t times = 1 + below(3); times > 0 && !text.empty(); --times) {
      const size_t at = below(text.size()), length = below(std::min<size_t>(20, text.size() - at) + 1);
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(below(256));
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(below(text.size()), text.substr(at, length));
          break;
        default:
          text.resize(at);
      }
    }
    const Result<std::vector<Token>> read = ParseTokens(text, "f");
    if (!read.ok()) {
      ++refused;
      continue;
    }
    const Result<std::vector<Token>> again = ParseTokens(PrintTokens(*read), "f");
    ASSERT_TRUE(again.ok()) << text;
    ASSERT_EQ(again->size(), read->size());
    for (size_t k = 0; k < read->size(); ++k) ASSERT_TRUE(Same((*read)[k], (*again)[k])) << text;
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace millrace::access
