#include "runners/exec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>

#include "sync/wait_group.h"
#include "tests/runners/fake_attempt.h"
#include "tests/support/capability.h"
#include "tests/support/fibers.h"
#include "tests/support/leaks.h"

namespace millrace::runners {
namespace {

using dispatch::AttemptOutcome;
using namespace std::chrono_literals;
using testing::HasSubstr;

class Exec : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_TRUE(test::HasNoChildren()); }

  // What the kind "job" runs.
  void Script(std::string script, ExecOptions options = {}) {
    job_ = std::move(options);
    job_.argv = {"sh", "-c", std::move(script)};
  }
  AttemptOutcome Run(test::FakeAttempt& attempt) {
    io::ProcessHost host;
    ExecRunner runner(host);
    Status status = runner.Register({.name = "job"}, job_);
    EXPECT_TRUE(status.ok()) << status.ToString();
    AttemptOutcome outcome;
    test::OnProcs(2, [&] {
      outcome = runner.Run(attempt);
      host.Stop();
    });
    return outcome;
  }
  AttemptOutcome Run(std::string payload = "") {
    test::FakeAttempt attempt("job", std::move(payload));
    return Run(attempt);
  }
  std::string Refusal(ExecOptions options) {
    Status status = runner_.Register({.name = "bad"}, std::move(options));
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(runner_.FindKind("bad"), nullptr);
    return status.message();
  }

  ExecOptions job_;
  io::ProcessHost host_;
  ExecRunner runner_{host_};
};

TEST_F(Exec, ThePayloadGoesInAndTheOutputIsTheResult) {
  Script("tr a-z A-Z; echo heard >&2");
  test::FakeAttempt attempt("job", std::string(300'000, 'x'));
  AttemptOutcome outcome = Run(attempt);
  EXPECT_EQ(outcome.result, AttemptResult::kSucceeded) << outcome.error;
  EXPECT_EQ(outcome.output, std::string(300'000, 'X'));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_GT(outcome.child_cpu, 0ns);
  EXPECT_EQ(attempt.log(), "heard\n");
}

TEST_F(Exec, AnExitStatusFailsWithTheLastLineOfTheLog) {
  Script("echo first >&2; printf 'cannot open \\377 file\\n\\n' >&2; echo partial; exit 3");
  test::FakeAttempt attempt("job", "");
  AttemptOutcome outcome = Run(attempt);
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_EQ(outcome.error, "exit status 3: cannot open ? file");
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.output, "");
  EXPECT_FALSE(outcome.do_not_retry);
  EXPECT_EQ(attempt.log(), "first\ncannot open \377 file\n\n");
}

TEST_F(Exec, AVeryLongLastLineIsCut) {
  Script("head -c 100000 /dev/zero | tr '\\0' y >&2; exit 1");
  AttemptOutcome outcome = Run();
  EXPECT_EQ(outcome.error, "exit status 1: " + std::string(512, 'y') + "...");
}

TEST_F(Exec, AFailureThatIsSilentOnStderrIsToldByTheEndOfStdout) {
  Script("head -c 5000 /dev/zero | tr '\\0' x; echo; echo cannot find it; exit 2");
  test::FakeAttempt attempt("job", "");
  AttemptOutcome outcome = Run(attempt);
  EXPECT_EQ(outcome.error, "exit status 2: cannot find it");
  EXPECT_EQ(attempt.log(), std::string(1024 - 16, 'x') + "\ncannot find it\n");
}

TEST_F(Exec, ASilentFailureIsNamedByItsStatusAlone) {
  Script("exit 1");
  EXPECT_EQ(Run().error, "exit status 1");
}

TEST_F(Exec, ASignalIsNamed) {
  Script("kill -SEGV $$");
  AttemptOutcome outcome = Run();
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_EQ(outcome.error, "killed by SIGSEGV");
  EXPECT_EQ(outcome.exit_code, -SIGSEGV);
  EXPECT_FALSE(outcome.do_not_retry);
}

TEST_F(Exec, SomeExitCodesAreFinal) {
  Script("exit $(cat)", {.no_retry_exit_codes = {64, 65}});
  EXPECT_TRUE(Run("65").do_not_retry);
  EXPECT_FALSE(Run("75").do_not_retry) << "EX_TEMPFAIL";
  EXPECT_FALSE(Run("1").do_not_retry);
}

TEST_F(Exec, TheEnvironmentTellsAboutTheJobAndNothingElse) {
  setenv("MILLRACE_SECRET", "of the daemon", 1);
  job_ = {.argv = {"env"}, .env = {{"COLOR", "green"}}};
  test::FakeAttempt attempt("job", "");
  EXPECT_EQ(Run(attempt).output, "COLOR=green\nPATH=/usr/local/bin:/usr/bin:/bin\nMILLRACE_KIND=job\nMILLRACE_JOB_ID=" +
                                     attempt.id().ToString() + "\nMILLRACE_ATTEMPT=3\n");
  unsetenv("MILLRACE_SECRET");
}

TEST_F(Exec, TheTraceOfAJobIsInItsEnvironmentAndComesBeforeTheConfigured) {
  job_ = {.argv = {"sh", "-c", "env | grep -E 'TRACE|BAG|COLOR' | sort"},
          .env = {{"COLOR", "green"}, {"TRACEPARENT", "configured"}, {"TRACESTATE", "configured"}}};
  test::FakeAttempt without("job", "");
  EXPECT_EQ(Run(without).output, "COLOR=green\nTRACEPARENT=configured\nTRACESTATE=configured\n");
  test::FakeAttempt attempt("job", "");
  attempt.SetTrace({.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", .baggage = "user=7"});
  EXPECT_EQ(Run(attempt).output,
            "BAGGAGE=user=7\nCOLOR=green\nTRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n")
      << "a tracestate of another trace is not its own";
}

TEST_F(Exec, AResultThatIsTooLongFailsWithTheLimit) {
  Script("head -c 1048577 /dev/zero; cat /dev/zero");
  AttemptOutcome outcome = Run();
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_EQ(outcome.error, "the program wrote more than the 1048576 bytes a result may have and was stopped");
  EXPECT_EQ(outcome.output, "");
}

TEST_F(Exec, CancelIsTermAndThenKill) {
  Script("trap '' TERM; echo ready >&2; while :; do sleep 1000; done", {.grace = 20ms});
  test::FakeAttempt attempt("job", "");
  attempt.on_log = [&] { attempt.source.Cancel(Cancelled("TEST", "enough")); };
  AttemptOutcome outcome = Run(attempt);
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_EQ(outcome.exit_code, -SIGKILL);
}

TEST_F(Exec, AProgramThatDisappearsIsAFailedAttempt) {
  std::string path = testing::TempDir() + "millrace_exec_test_" + std::to_string(getpid());
  std::ofstream(path) << "#!/bin/sh\nexit 0\n";
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  ASSERT_TRUE(runner_.Register({.name = "job"}, {.argv = {path}}).ok());
  test::FakeAttempt attempt("job", "");
  EXPECT_EQ(runner_.Run(attempt).result, AttemptResult::kSucceeded);
  ASSERT_EQ(unlink(path.c_str()), 0);
  AttemptOutcome outcome = runner_.Run(attempt);
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_FALSE(outcome.do_not_retry);
  EXPECT_EQ(outcome.error, "cannot start '" + path + "': No such file or directory");
}

TEST_F(Exec, AScriptWithTheLineEndsOfAnotherSystemIsCalledThat) {
  const std::string path = testing::TempDir() + "millrace_exec_script_" + std::to_string(getpid());
  const auto write = [&](const char* text) {
    std::ofstream(path) << text;
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  };
  write("#!/bin/sh\nexit 0\n");
  ASSERT_TRUE(runner_.Register({.name = "job"}, {.argv = {path}}).ok());
  write("#!/bin/sh\r\nexit 0\r\n");
  test::FakeAttempt attempt("job", "");
  EXPECT_THAT(runner_.Run(attempt).error, HasSubstr("its first line ends in CR LF"));
  EXPECT_THAT(Refusal({.argv = {path}}), HasSubstr("its first line ends in CR LF"));
  write("#! /no/such/interpreter -x\n");
  EXPECT_THAT(runner_.Run(attempt).error, HasSubstr("its interpreter '/no/such/interpreter' is not there"));
  EXPECT_THAT(Refusal({.argv = {path}}), HasSubstr("its interpreter '/no/such/interpreter' is not there"));
  write("#!\nexit 0\n");
  EXPECT_THAT(Refusal({.argv = {path}}), HasSubstr("names no interpreter"));
  ASSERT_EQ(unlink(path.c_str()), 0);
}

TEST_F(Exec, AnAttemptThatMeetsTheEndOfTheDaemonWasNotStarted) {
  ASSERT_TRUE(runner_.Register({.name = "job"}, {.argv = {"true"}}).ok());
  host_.Stop();
  test::FakeAttempt attempt("job", "");
  EXPECT_TRUE(runner_.Run(attempt).not_started);
}

TEST_F(Exec, AShortageOfOursSpendsNoAttempt) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  ASSERT_TRUE(runner_.Register({.name = "job"}, {.argv = {"true"}}).ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 3;
  testing::internal::CaptureStderr();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  for (int i = 0; i < 3; ++i) {
    test::FakeAttempt attempt("job", "");
    AttemptOutcome outcome = runner_.Run(attempt);
    EXPECT_TRUE(outcome.not_started);
    EXPECT_THAT(outcome.error, HasSubstr("Too many open files"));
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("spends no attempt"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  test::FakeAttempt attempt("job", "");
  EXPECT_EQ(runner_.Run(attempt).result, AttemptResult::kSucceeded);
}

TEST_F(Exec, WordsAndVariablesOfTheLargestSizeAreStarted) {
  const std::string word((size_t{128} << 10) - 5, 'x');
  job_ = {.argv = {"sh", "-c", "echo ${#1} ${#BIG}", "sh", word}, .env = {{"BIG", word}}};
  EXPECT_EQ(Run().output, "131067 131067\n");
}

TEST_F(Exec, ManyAttemptsRunInParallel) {
  ASSERT_TRUE(runner_.Register({.name = "job"}, {.argv = {"sh", "-c", "cat; echo done >&2"}}).ok());
  std::atomic<int> right{0};
  test::OnProcs(2, [&] {
    sync::WaitGroup all;
    for (int i = 0; i < 100; ++i) {
      all.Go([&, i] {
        test::FakeAttempt attempt("job", std::to_string(i));
        if (runner_.Run(attempt).output == std::to_string(i) && attempt.log() == "done\n") ++right;
      });
    }
    all.Wait();
    host_.Stop();
  });
  EXPECT_EQ(right, 100);
}

TEST_F(Exec, AKindThatNoJobCouldAskForIsRefused) {
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a\x1b[2J"), std::string(64, 'k')}) {
    const Status refused = runner_.Register({.name = name}, {.argv = {"true"}});
    EXPECT_EQ(refused.reason(), "BAD_EXEC_KIND") << name;
    EXPECT_THAT(refused.message(), HasSubstr("1 to 63 of A-Z a-z 0-9 . _ -"));
    EXPECT_EQ(refused.message().find('\x1b'), std::string::npos);
  }
}

TEST_F(Exec, ConfigurationErrorsNameTheKindAndTheThing) {
  EXPECT_EQ(Refusal({}), "exec kind 'bad': no program is named");
  EXPECT_EQ(Refusal({.argv = {"/no/such/program"}}),
            "exec kind 'bad': program '/no/such/program' cannot be run: No such file or directory");
  EXPECT_EQ(Refusal({.argv = {"/etc/passwd"}}),
            "exec kind 'bad': program '/etc/passwd' cannot be run: Permission denied");
  EXPECT_EQ(Refusal({.argv = {"/usr"}}), "exec kind 'bad': program '/usr' cannot be run: Permission denied");
  EXPECT_THAT(Refusal({.argv = {"bin/gzip"}}), HasSubstr("relative path"));
  EXPECT_EQ(Refusal({.argv = {"no-such-program"}}),
            "exec kind 'bad': program 'no-such-program' is not in PATH (/usr/local/bin:/usr/bin:/bin)");
  EXPECT_EQ(Refusal({.argv = {"sh"}, .env = {{"PATH", "/nowhere:relative:"}}}),
            "exec kind 'bad': program 'sh' is not in PATH (/nowhere:relative:)");
  EXPECT_THAT(Refusal({.argv = {"sh", std::string("a\0b", 3)}}), HasSubstr("NUL"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .env = {{"A=B", "c"}}}), HasSubstr("'A=B' cannot be set"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .env = {{"MILLRACE_KIND", "c"}}}), HasSubstr("'MILLRACE_KIND' cannot be set"));
  const std::string long_word(size_t{128} << 10, 'x');
  EXPECT_THAT(Refusal({.argv = {"sh", long_word}}), HasSubstr("word 1 of exec has 131072 bytes; 131071 bytes are"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .env = {{"BIG", long_word}}}), HasSubstr("the variable 'BIG' has 131076 bytes"));
  EXPECT_THAT(Refusal({.argv = std::vector<std::string>(100, long_word.substr(1))}), HasSubstr("system's limit"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .directory = "relative"}), HasSubstr("working directory 'relative'"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .directory = "/etc/passwd"}), HasSubstr("working directory '/etc/passwd'"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .limits = {.file_bytes = -1}}), HasSubstr("the limit -1 is negative"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .limits = {.open_files = 3}}), HasSubstr("open files"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .grace = -1s}), HasSubstr("grace"));
  EXPECT_THAT(Refusal({.argv = {"sh"}, .no_retry_exit_codes = {0}}), HasSubstr("exit code 0"));
}

TEST_F(Exec, ALimitAboveTheHardLimitIsRefusedWithItsName) {
  const test::WithoutCapability unprivileged(CAP_SYS_RESOURCE);
  rlimit own{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &own), 0);
  const auto highest = static_cast<int64_t>(own.rlim_max);
  EXPECT_THAT(
      Refusal({.argv = {"sh"}, .limits = {.open_files = highest + 1}}),
      HasSubstr("its limit of " + std::to_string(highest + 1) + " open files (the hard limit of this process is " +
                std::to_string(highest) + ", see ulimit -Hn) cannot be set"));
  EXPECT_TRUE(ExecRunner::Prepare({.name = "job"}, {.argv = {"sh"}, .limits = {.open_files = highest}}).ok());
}

TEST_F(Exec, AKindThatIsReplacedRunsItsNewProgram) {
  ASSERT_TRUE(runner_.Register({.name = "job"}, {.argv = {"echo", "old"}}).ok());
  Result<ExecRunner::Kind> next = ExecRunner::Prepare({.name = "job"}, {.argv = {"echo", "new"}});
  ASSERT_TRUE(next.ok()) << next.status().ToString();
  auto output = [&] {
    test::FakeAttempt attempt("job", "");
    const AttemptOutcome outcome = runner_.Run(attempt);
    return outcome.output + outcome.error;
  };
  test::OnProcs(2, [&] {
    EXPECT_EQ(output(), "old\n");
    runner_.Replace({*next});
    EXPECT_EQ(output(), "new\n");
    runner_.Replace({});
    EXPECT_THAT(output(), HasSubstr("no program is configured for kind 'job'"));
    host_.Stop();
  });
}

TEST_F(Exec, FindsItsKinds) {
  ASSERT_TRUE(runner_.Register({.name = "b", .pool = "slow"}, {.argv = {"true"}}).ok());
  ASSERT_TRUE(runner_.Register({.name = "a"}, {.argv = {"/bin/true"}}).ok());
  EXPECT_EQ(runner_.Register({.name = "a"}, {.argv = {"/bin/true"}}).code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(runner_.Kinds(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(runner_.FindKind("b")->pool, "slow");
  EXPECT_EQ(runner_.FindKind("c"), nullptr);
}

}  // namespace
}  // namespace millrace::runners
