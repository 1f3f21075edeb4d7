#include "access/tokens.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "tests/support/temp_folder.h"

namespace millrace::access {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

class TokensTest : public testing::Test {
 protected:
  std::unique_ptr<Tokens> Open() {
    Result<std::unique_ptr<Tokens>> tokens = Tokens::Open(path, clock);
    MR_CHECK(tokens.ok(), "%s", tokens.status().ToString().c_str());
    return *std::move(tokens);
  }
  std::string Content() const {
    std::ifstream file(path);
    return (std::ostringstream() << file.rdbuf()).str();
  }

  test::TempFolder folder;
  std::string path = folder.path() + "/tokens";
  ManualClock clock;
};

TEST_F(TokensTest, ATokenIsGoodUntilItIsRevoked) {
  auto tokens = Open();
  EXPECT_TRUE(tokens->empty());
  const NewToken made = *tokens->Create({.name = "ci", .roles = {Role::kSubmit}});
  auto found = tokens->Check(made.text);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ((*found)->id, made.token.id);
  EXPECT_EQ((*found)->roles, Roles({Role::kSubmit}));
  ASSERT_TRUE(tokens->Revoke(made.token.id).ok());
  EXPECT_EQ(tokens->Check(made.text).status().reason(), "TOKEN_UNKNOWN");
  EXPECT_EQ((*found)->name, "ci") << "whoever was let in before keeps what it looked at";
  EXPECT_EQ(tokens->Revoke(made.token.id).reason(), "TOKEN_NOT_FOUND");
}

TEST_F(TokensTest, ATokenExpires) {
  auto tokens = Open();
  const NewToken made = *tokens->Create({.name = "ci", .roles = {Role::kView}, .expires = clock.Wall() + 1h});
  clock.Advance(1h - 1ns);
  EXPECT_TRUE(tokens->Check(made.text).ok());
  clock.Advance(1ns);
  EXPECT_EQ(tokens->Check(made.text).status().reason(), "TOKEN_EXPIRED");
  EXPECT_EQ(tokens->List().size(), 1u) << "its operator still sees it";
}

TEST_F(TokensTest, TheRightIdWithAnotherSecretIsUnknownInTheSameWords) {
  auto tokens = Open();
  const NewToken one = *tokens->Create({.name = "one", .roles = {Role::kView}});
  const NewToken two = *tokens->Create({.name = "two", .roles = {Role::kAdmin}});
  const Status mixed = tokens->Check(two.text.substr(0, 30) + one.text.substr(30)).status();
  EXPECT_EQ(mixed.code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(mixed.reason(), "TOKEN_UNKNOWN");
  ASSERT_TRUE(tokens->Revoke(two.token.id).ok());
  EXPECT_EQ(tokens->Check(two.text).status().message(), mixed.message());
}

TEST_F(TokensTest, NoMessageRepeatsASecret) {
  auto tokens = Open();
  const NewToken made = *tokens->Create({.name = "ci", .roles = {Role::kView}, .expires = clock.Wall() + 1h});
  const std::string secret = made.text.substr(30);
  clock.Advance(2h);
  for (const std::string& text : {made.text, made.text + "0", "mr_" + secret}) {
    EXPECT_EQ(tokens->Check(text).status().ToString().find(secret), std::string::npos);
  }
  EXPECT_EQ(Content().find(secret), std::string::npos);
}

TEST_F(TokensTest, TheyAreKeptInAFileOfTheirOwnerOnly) {
  const NewToken made = *Open()->Create({.name = "ci", .roles = {Role::kWork}});
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  auto later = Open();
  EXPECT_TRUE(later->Check(made.text).ok());
  ASSERT_TRUE(later->Revoke(made.token.id).ok());
  EXPECT_TRUE(Open()->empty());
}

TEST_F(TokensTest, AFileThatOthersMayReadOrWriteIsRefused) {
  Open()->Create({.name = "ci", .roles = {Role::kWork}}).status().ok();
  for (const mode_t mode : {0640u, 0604u, 0620u, 0602u}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const Result<std::unique_ptr<Tokens>> opened = Tokens::Open(path, clock);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.status().reason(), "TOKENS_UNREADABLE");
    EXPECT_NE(opened.status().message().find("chmod 600"), std::string::npos);
  }
}

TEST_F(TokensTest, ADamagedFileIsRefusedAndLeftAsItIs) {
  Open()->Create({.name = "ci", .roles = {Role::kWork}}).status().ok();
  std::ofstream(path, std::ios::app) << "and more";
  const std::string before = Content();
  EXPECT_EQ(Tokens::Open(path, clock).status().reason(), "TOKENS_UNREADABLE");
  EXPECT_EQ(Content(), before);
}

TEST_F(TokensTest, ADiskThatTakesNothingChangesNothing) {
  auto tokens = Open();
  const NewToken made = *tokens->Create({.name = "ci", .roles = {Role::kView}});
  // A folder stands where the new file would be written: the same for root, who may write anywhere.
  ASSERT_TRUE(std::filesystem::create_directory(path + ".new"));
  EXPECT_EQ(tokens->Create({.name = "two", .roles = {Role::kView}}).status().reason(), "TOKENS_NOT_WRITTEN");
  EXPECT_EQ(tokens->Revoke(made.token.id).reason(), "TOKENS_NOT_WRITTEN");
  EXPECT_TRUE(tokens->Check(made.text).ok());
  EXPECT_EQ(tokens->List().size(), 1u);
  std::filesystem::remove(path + ".new");
  EXPECT_TRUE(tokens->Revoke(made.token.id).ok());
}

TEST_F(TokensTest, WhatMakesNoSenseIsRefusedByName) {
  auto tokens = Open();
  EXPECT_EQ(tokens->Create({.name = "", .roles = {Role::kView}}).status().reason(), "BAD_TOKEN_NAME");
  EXPECT_EQ(tokens->Create({.name = "a", .roles = {}}).status().reason(), "BAD_ROLE");
  EXPECT_EQ(tokens->Create({.name = "a", .roles = {Role::kView}, .expires = clock.Wall()}).status().reason(),
            "BAD_EXPIRY");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(TokensTest, ListsTheOldestFirstAlsoWhereTheClockWasSetBack) {
  const NewToken first = *Open()->Create({.name = "first", .roles = {Role::kView}});
  clock.StepWall(-100h);
  auto tokens = Open();
  tokens->Create({.name = "second", .roles = {Role::kView}}).status().ok();
  const std::vector<Token> all = tokens->List();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "first");
  EXPECT_EQ(all[1].name, "second");
}

TEST_F(TokensTest, ThreadsCheckWhileOthersMakeAndRevoke) {
  auto tokens = Open();
  const NewToken stays = *tokens->Create({.name = "stays", .roles = {Role::kView}});
  std::atomic<bool> over{false};
  std::thread checker([&] {
    while (!over) EXPECT_TRUE(tokens->Check(stays.text).ok());
  });
  for (int i = 0; i < 20; ++i) {
    const NewToken made = *tokens->Create({.name = "goes", .roles = {Role::kView}});
    EXPECT_TRUE(tokens->Check(made.text).ok());
    EXPECT_TRUE(tokens->Revoke(made.token.id).ok());
    EXPECT_FALSE(tokens->Check(made.text).ok());
  }
  over = true;
  checker.join();
}

}  // namespace
}  // namespace millrace::access
