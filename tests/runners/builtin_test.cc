#include "runners/builtin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "runtime/runtime.h"
#include "tests/runners/fake_attempt.h"
#include "tests/support/fibers.h"

namespace millrace::runners {
namespace {

using dispatch::AttemptOutcome;
using namespace std::chrono_literals;

class Builtin : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(RegisterBuiltins(runner_).ok()); }

  AttemptOutcome Run(test::FakeAttempt& attempt) {
    AttemptOutcome outcome;
    test::OnProcs(2, [&] { outcome = runner_.Run(attempt); });
    return outcome;
  }
  AttemptOutcome Run(std::string kind, std::string payload) {
    test::FakeAttempt attempt(std::move(kind), std::move(payload));
    return Run(attempt);
  }
  std::string OutputOf(std::string kind, std::string payload) {
    AttemptOutcome outcome = Run(std::move(kind), std::move(payload));
    EXPECT_EQ(outcome.result, AttemptResult::kSucceeded) << outcome.error;
    return outcome.output;
  }

  NativeRunner runner_;
};

TEST_F(Builtin, KindsAreThese) {
  EXPECT_THAT(runner_.Kinds(), testing::ElementsAre("echo", "fail", "noop", "sha256", "sleep", "spin"));
  EXPECT_EQ(RegisterBuiltins(runner_).code(), StatusCode::kAlreadyExists);
}

TEST_F(Builtin, NoopDoesNothingAndEchoAnswers) {
  EXPECT_EQ(OutputOf("noop", "whatever"), "");
  std::string bytes("a\0\xff", 3);
  EXPECT_EQ(OutputOf("echo", bytes), bytes);
}

TEST_F(Builtin, SleepTakesItsTime) {
  SystemClock clock;
  MonoTime start = clock.Mono();
  OutputOf("sleep", "20ms");
  EXPECT_GE(clock.Mono() - start, 20ms);
}

TEST_F(Builtin, SleepAndSpinStopWhenCancelled) {
  for (const char* kind : {"sleep", "spin"}) {
    test::FakeAttempt attempt(kind, "1h");
    AttemptOutcome outcome;
    test::OnProcs(1, [&] {
      rt::Go([&] { attempt.source.Cancel(Cancelled("TEST", "enough")); });
      outcome = runner_.Run(attempt);
    });
    EXPECT_EQ(outcome.result, AttemptResult::kFailed) << kind;
    EXPECT_EQ(outcome.error, "stopped: enough") << kind;
  }
}

TEST_F(Builtin, SpinComputesForItsTimeAndLetsOthersRun) {
  auto processor_time = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + Nanos(now.tv_nsec);
  };
  test::FakeAttempt attempt("spin", "30ms");
  test::OnProcs(1, [&] {
    std::atomic<bool> over{false};
    std::atomic<int> turns{0};
    rt::Go([&] {
      for (; !over; rt::Yield()) ++turns;
    });
    // The best of some rounds: a pause of the machine counts as computing, and the rest may be less than ten turns
    // long.
    int most = 0;
    for (int round = 0; round < 5; ++round) {
      turns = 0;
      const Nanos start = processor_time();
      EXPECT_EQ(runner_.Run(attempt).result, AttemptResult::kSucceeded);
      EXPECT_GE(processor_time() - start, 30ms);
      most = std::max(most, turns.load());
    }
    EXPECT_GT(most, 10);
    over = true;
    rt::Yield();
  });
}

TEST_F(Builtin, FailSaysWhatItIsToldTo) {
  AttemptOutcome outcome = Run("fail", "disk on fire");
  EXPECT_EQ(outcome.result, AttemptResult::kFailed);
  EXPECT_EQ(outcome.error, "disk on fire");
  EXPECT_FALSE(outcome.do_not_retry);
  outcome = Run("fail", "permanent: no such user");
  EXPECT_EQ(outcome.error, "no such user");
  EXPECT_TRUE(outcome.do_not_retry);
  EXPECT_EQ(Run("fail", "").error, "failed as asked");
}

TEST_F(Builtin, Sha256IsTheOneOfTheStandard) {
  EXPECT_EQ(OutputOf("sha256", ""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(OutputOf("sha256", "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // FIPS 180-2, B.3: a million times "a", here in several chunks.
  EXPECT_EQ(OutputOf("sha256", std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_F(Builtin, APayloadThatIsNoDurationFailsForGood) {
  for (const char* kind : {"sleep", "spin"}) {
    AttemptOutcome outcome = Run(kind, "soon\x01");
    EXPECT_EQ(outcome.result, AttemptResult::kFailed);
    EXPECT_TRUE(outcome.do_not_retry);
    EXPECT_EQ(outcome.error, "the payload 'soon?' is no duration; write for instance 250ms, 1.5s or 2m, up to 24h");
  }
}

TEST(DurationOfPayload, KnowsUnitsAndFractions) {
  EXPECT_EQ(DurationOfPayload("250ms"), 250ms);
  EXPECT_EQ(DurationOfPayload(" 1.5s\n"), 1500ms);
  EXPECT_EQ(DurationOfPayload("7ns"), 7ns);
  EXPECT_EQ(DurationOfPayload("8us"), 8us);
  EXPECT_EQ(DurationOfPayload("2m"), 2min);
  EXPECT_EQ(DurationOfPayload("24h"), 24h);
  EXPECT_EQ(DurationOfPayload("0s"), 0ns);
  EXPECT_EQ(DurationOfPayload("1m30s"), 90s);
  EXPECT_EQ(DurationOfPayload(".5s"), 500ms);
  EXPECT_EQ(DurationOfPayload("1d"), 24h);
}

TEST(DurationOfPayload, RefusesEverythingElse) {
  for (const char* text : {"", " ", "5", "s", "ms", "-1s", "1 s", "1e3s", "0x1s", "25h", "99999999999999999999h",
                           "nans", "infs", "inf", "1.5.2s", "1sec", "1S"}) {
    EXPECT_EQ(DurationOfPayload(text), std::nullopt) << "'" << text << "'";
  }
}

}  // namespace
}  // namespace millrace::runners
