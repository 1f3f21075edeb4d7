#include "runners/native.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/runners/fake_attempt.h"

namespace millrace::runners {
namespace {

using dispatch::AttemptContext;
using dispatch::AttemptOutcome;

NativeRunner::Handler Returns(std::string output) {
  return [output](AttemptContext&) { return AttemptOutcome::Succeeded(output); };
}

TEST(NativeRunner, FindsWhatWasRegistered) {
  NativeRunner runner;
  ASSERT_TRUE(runner.Register({.name = "b", .pool = "fast"}, Returns("")).ok());
  ASSERT_TRUE(runner.Register({.name = "a"}, Returns("")).ok());
  EXPECT_EQ(runner.name(), "native");
  EXPECT_THAT(runner.Kinds(), testing::ElementsAre("a", "b"));
  ASSERT_NE(runner.FindKind("b"), nullptr);
  EXPECT_EQ(runner.FindKind("b")->pool, "fast");
  EXPECT_EQ(runner.FindKind("c"), nullptr);
}

TEST(NativeRunner, RefusesNamesTwiceAndThingsThatCannotRun) {
  NativeRunner runner;
  ASSERT_TRUE(runner.Register({.name = "a"}, Returns("first")).ok());
  EXPECT_EQ(runner.Register({.name = "a"}, Returns("second")).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(runner.Register({}, Returns("")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(runner.Register({.name = "no name"}, Returns("")).reason(), "BAD_KIND");
  EXPECT_EQ(runner.Register({.name = "b"}, nullptr).code(), StatusCode::kInvalidArgument);
  test::FakeAttempt attempt("a", "");
  EXPECT_EQ(runner.Run(attempt).output, "first");
}

TEST(NativeRunner, AHandlerGoesOnWhenItsKindIsReplaced) {
  NativeRunner runner;
  const std::string word(100, 'o');
  NativeRunner::Handler first = [&runner, word](AttemptContext&) {
    runner.Replace({{.options = {.name = "a"}, .own = Returns("second")}});
    return AttemptOutcome::Succeeded(word);
  };
  ASSERT_TRUE(runner.Register({.name = "a"}, first).ok());
  test::FakeAttempt attempt("a", "");
  EXPECT_EQ(runner.Run(attempt).output, word);
  EXPECT_EQ(runner.Run(attempt).output, "second");
  runner.Replace({});
  EXPECT_EQ(runner.Run(attempt).error, "no native handler is registered for kind 'a'");
}

TEST(NativeRunner, WhatAHandlerThrowsIsAFailedAttempt) {
  NativeRunner runner;
  ASSERT_TRUE(
      runner
          .Register({.name = "throws"}, [](AttemptContext&) -> AttemptOutcome { throw std::runtime_error("no disk"); })
          .ok());
  ASSERT_TRUE(runner.Register({.name = "oddly"}, [](AttemptContext&) -> AttemptOutcome { throw 42; }).ok());
  test::FakeAttempt throws("throws", ""), oddly("oddly", "");
  AttemptOutcome outcome = runner.Run(throws);
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_EQ(outcome.error, "no disk");
  EXPECT_FALSE(outcome.do_not_retry);
  EXPECT_EQ(runner.Run(oddly).error, "the handler threw something that is no std::exception");
}

TEST(NativeRunner, AResultThatIsTooLongIsAFailedAttempt) {
  NativeRunner runner;
  ASSERT_TRUE(runner.Register({.name = "most"}, Returns(std::string(kResultBytesMax, 'x'))).ok());
  ASSERT_TRUE(runner.Register({.name = "more"}, Returns(std::string(kResultBytesMax + 1, 'x'))).ok());
  test::FakeAttempt most("most", ""), more("more", "");
  EXPECT_EQ(runner.Run(most).result, AttemptResult::kSucceeded);
  AttemptOutcome outcome = runner.Run(more);
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_EQ(outcome.error, "the result has 1048577 bytes; 1048576 is the limit");
  EXPECT_TRUE(outcome.output.empty());
}

TEST(NativeRunner, ErrorsAreTextWhateverTheHandlerPutIn) {
  NativeRunner runner;
  ASSERT_TRUE(
      runner.Register({.name = "raw"}, [](AttemptContext&) { return AttemptOutcome::Failed("\xff\x1b[31m"); }).ok());
  test::FakeAttempt raw("raw", "");
  EXPECT_EQ(runner.Run(raw).error, "??[31m");
}

}  // namespace
}  // namespace millrace::runners
