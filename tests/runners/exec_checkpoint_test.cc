#include "runners/exec_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "runners/exec.h"
#include "tests/runners/fake_attempt.h"
#include "tests/support/fibers.h"
#include "tests/support/leaks.h"

namespace millrace::runners {
namespace {

using dispatch::AttemptOutcome;
using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(CheckpointLines, ALineIsACheckpointOnceItsLineFeedIsThere) {
  CheckpointLines lines;
  EXPECT_EQ(lines.Add("4"), std::nullopt);
  EXPECT_EQ(lines.Add("2 of"), std::nullopt);
  EXPECT_EQ(lines.Add(" 99\n"), "42 of 99");
  EXPECT_EQ(lines.Add(""), std::nullopt);
  EXPECT_EQ(lines.Add("43\n"), "43");
  lines.End();
  EXPECT_EQ(lines.TakeComplaint(), "");
}

TEST(CheckpointLines, OfSeveralThatComeTogetherTheNewestWholeOneIsTaken) {
  CheckpointLines lines;
  EXPECT_EQ(lines.Add("1\n2\n3"), "2");
  EXPECT_EQ(lines.Add("4\n5"), "34");
  EXPECT_EQ(lines.Add("\n"), "5");
}

TEST(CheckpointLines, AnEmptyLineIsAnEmptyCheckpoint) {
  CheckpointLines lines;
  EXPECT_EQ(lines.Add("\n"), "");
  EXPECT_EQ(lines.Add("1\n\n"), "");
}

TEST(CheckpointLines, OneOfExactlyTheLimitIsTakenAndOneByteMoreIsNot) {
  const std::string most(kCheckpointBytesMax, 'x');
  CheckpointLines lines;
  EXPECT_EQ(lines.Add(most + "\n"), most);
  EXPECT_EQ(lines.Add(most), std::nullopt);
  EXPECT_EQ(lines.Add("\n"), most);
  EXPECT_EQ(lines.TakeComplaint(), "");

  EXPECT_EQ(lines.Add("small\n" + most + "y\n"), "small") << "what came before it is good";
  EXPECT_THAT(std::string(lines.TakeComplaint()), HasSubstr("more than 64 KiB; store it elsewhere"));
  EXPECT_EQ(lines.Add(most), std::nullopt);
  EXPECT_EQ(lines.Add("y"), std::nullopt);
  EXPECT_EQ(lines.Add(most), std::nullopt);
  EXPECT_EQ(lines.Add("tail\nnext\n"), "next") << "the end of a line that was dropped is no line";
  lines.End();
  EXPECT_EQ(lines.TakeComplaint(), "") << "a reason is told once";
}

TEST(CheckpointLines, ANulByteIsNotText) {
  CheckpointLines lines;
  EXPECT_EQ(lines.Add(std::string_view("a\0b\n", 4)), std::nullopt);
  EXPECT_EQ(lines.Add(std::string_view("1\na\0b\n", 6)), "1");
  EXPECT_THAT(std::string(lines.TakeComplaint()), HasSubstr("NUL byte"));
  EXPECT_EQ(lines.TakeComplaint(), "");
  EXPECT_EQ(lines.Add("2\n"), "2");
}

TEST(CheckpointLines, WhatIsCutOffIsToldAtTheEnd) {
  CheckpointLines lines;
  EXPECT_EQ(lines.Add("1\n2"), "1");
  EXPECT_EQ(lines.TakeComplaint(), "") << "its line feed may still come";
  lines.End();
  EXPECT_THAT(std::string(lines.TakeComplaint()), HasSubstr("does not end in a line feed"));
}

TEST(CheckpointLines, HoweverTheBytesAreCutTheNewestCheckpointIsTheSame) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string bytes, newest;
    for (int line = 0; line < 8; ++line) {
      const size_t size = random() % 4 == 0 ? random() % (2 * kCheckpointBytesMax) : random() % 20;
      const std::string text(size, static_cast<char>('a' + line));
      bytes += text + "\n";
      if (size <= kCheckpointBytesMax) newest = text;
    }
    std::string taken;
    CheckpointLines lines;
    for (std::string_view left = bytes; !left.empty();) {
      const std::string_view piece = left.substr(0, 1 + random() % (random() % 2 == 0 ? 10 : 100'000));
      if (std::optional<std::string> one = lines.Add(piece)) taken = *std::move(one);
      left.remove_prefix(piece.size());
    }
    ASSERT_EQ(taken, newest) << "round " << round;
  }
}

class ExecCheckpoint : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_TRUE(test::HasNoChildren()); }

  static AttemptOutcome Run(test::FakeAttempt& attempt, std::string script,
                            ExecOptions options = {.checkpoint = true}) {
    options.argv = {"sh", "-c", std::move(script)};
    io::ProcessHost host;
    ExecRunner runner(host);
    const Status status = runner.Register({.name = "job"}, std::move(options));
    EXPECT_TRUE(status.ok()) << status.ToString();
    AttemptOutcome outcome;
    test::OnProcs(2, [&] {
      outcome = runner.Run(attempt);
      host.Stop();
    });
    return outcome;
  }
};

TEST_F(ExecCheckpoint, WhatAnAttemptSavedIsGivenToTheNextOne) {
  const std::string script =
      "n=${MILLRACE_CHECKPOINT:-0}; n=$((n + 1)); echo \"$n\" >&$MILLRACE_CHECKPOINT_FD; echo $n";
  test::FakeAttempt first("job", "");
  EXPECT_EQ(Run(first, script).output, "1\n");
  EXPECT_EQ(first.saved(), "1");
  test::FakeAttempt next("job", "");
  next.earlier = MakeBytes(*first.saved());
  EXPECT_EQ(Run(next, script).output, "2\n");
  EXPECT_EQ(next.saved(), "2");
  EXPECT_EQ(next.log(), "");
}

TEST_F(ExecCheckpoint, TheVariableIsNotSetWhereNothingWasSaved) {
  test::FakeAttempt attempt("job", "");
  EXPECT_EQ(Run(attempt, "env | grep CHECKPOINT").output, "MILLRACE_CHECKPOINT_FD=3\n");
  EXPECT_EQ(attempt.saved(), std::nullopt);
}

TEST_F(ExecCheckpoint, AKindWithoutTheOptionHasNeitherPipeNorVariables) {
  test::FakeAttempt attempt("job", "");
  attempt.earlier = MakeBytes("7");
  const AttemptOutcome outcome = Run(attempt, "env | grep CHECKPOINT; exec ls /proc/self/fd", {});
  EXPECT_EQ(outcome.output, "0\n1\n2\n3\n") << "3 is the folder that ls reads";
}

// The program waits for nothing but its end, which comes only once its checkpoint was saved.
TEST_F(ExecCheckpoint, ItIsSavedWhileTheProgramRuns) {
  test::FakeAttempt attempt("job", "");
  attempt.on_save = [&] { attempt.source.Cancel(Cancelled("TEST", "it was saved")); };
  const AttemptOutcome outcome = Run(attempt, "echo 7 >&3; exec sleep 1000");
  EXPECT_EQ(outcome.exit_code, -SIGTERM);
  EXPECT_EQ(attempt.saved(), "7");
}

TEST_F(ExecCheckpoint, OneThatWasCutOffByTheDeathOfTheProgramIsNotSaved) {
  test::FakeAttempt attempt("job", "");
  const AttemptOutcome outcome =
      Run(attempt, "printf 'no line feed' >&2; echo whole >&3; printf half >&3; kill -KILL $$");
  EXPECT_EQ(outcome.error, "killed by SIGKILL: no line feed") << "what the daemon adds to the log is not the reason";
  EXPECT_EQ(attempt.saved(), "whole");
  EXPECT_THAT(attempt.log(), HasSubstr("no line feed\nmillraced: the last checkpoint was not saved"));
}

TEST_F(ExecCheckpoint, TheLargestOneComesBackWholeAndALargerOneIsToldAndNotSaved) {
  test::FakeAttempt attempt("job", "");
  Run(attempt,
      "head -c 65536 /dev/zero | tr '\\0' x >&3; echo >&3; head -c 65537 /dev/zero | tr '\\0' y >&3; echo >&3");
  const std::string most(kCheckpointBytesMax, 'x');
  EXPECT_TRUE(attempt.saved() == most) << attempt.saved().value_or("nothing").size();
  EXPECT_THAT(attempt.log(), HasSubstr("it has more than 64 KiB"));

  test::FakeAttempt next("job", "");
  next.earlier = MakeBytes(most);
  EXPECT_EQ(Run(next, "printf %s \"$MILLRACE_CHECKPOINT\"").output, most);
}

TEST_F(ExecCheckpoint, AnEmptyLineRemovesIt) {
  test::FakeAttempt attempt("job", "");
  Run(attempt, "echo 1 >&3; echo >&3");
  EXPECT_EQ(attempt.saved(), "");
}

TEST_F(ExecCheckpoint, ATightLoopLosesOnlyWhatWasReplaced) {
  test::FakeAttempt attempt("job", "");
  Run(attempt, "seq 1 200000 >&3");
  EXPECT_EQ(attempt.saved(), "200000");
  EXPECT_LT(attempt.saves(), 200'000) << "one for each read of the pipe";
}

TEST_F(ExecCheckpoint, OneOfAnotherRunnerThatNoVariableCanHoldIsToldAndNotGiven) {
  test::FakeAttempt attempt("job", "");
  attempt.earlier = MakeBytes(std::string("a\0b", 3));
  EXPECT_EQ(Run(attempt, "echo ${MILLRACE_CHECKPOINT-none}").output, "none\n");
  EXPECT_THAT(attempt.log(), HasSubstr("the earlier checkpoint was not given to this attempt"));
}

TEST_F(ExecCheckpoint, RoomForItIsCountedWhereAKindIsConfigured) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_STACK, &before), 0);
  rlimit small = before;
  small.rlim_cur = size_t{1} << 20;  // 256 KiB for arguments and variables.
  ASSERT_EQ(setrlimit(RLIMIT_STACK, &small), 0);
  ExecOptions exec{.argv = {"sh", std::string(100'000, 'x'), std::string(100'000, 'x')}};
  const Status without = ExecRunner::Prepare({.name = "job"}, exec).status();
  exec.checkpoint = true;
  const Status with = ExecRunner::Prepare({.name = "job"}, exec).status();
  ASSERT_EQ(setrlimit(RLIMIT_STACK, &before), 0);
  EXPECT_TRUE(without.ok()) << without.ToString();
  EXPECT_THAT(with.message(), HasSubstr("system's limit"));
}

}  // namespace
}  // namespace millrace::runners
