#include "job/validate.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace millrace {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

constexpr size_t kPayloadMax = 100;

JobSpec Good() {
  JobSpec spec;
  spec.kind = "resize";
  return spec;
}

TEST(ValidateSpec, AcceptsWhatIsAllowed) {
  JobSpec spec = Good();
  EXPECT_TRUE(ValidateSpec(spec, kPayloadMax).ok());
  spec.pool = "thumbs-2_x";
  spec.kind = "Image.Resize-v2_x";
  spec.payload = MakeBytes(std::string(kPayloadMax, 'x'));
  spec.delay = 0s;
  spec.run_timeout = 1ms;
  spec.retry = {.max_attempts = 1000, .initial_backoff = 0s, .max_backoff = 1h, .multiplier = 1};
  spec.unique_key = UniqueKey{.key = std::string(128, 'u')};
  spec.labels = {{"app.kubernetes.io-name", ""}, {"k", std::string(255, 'v')}};
  EXPECT_TRUE(ValidateSpec(spec, kPayloadMax).ok());
}

TEST(ValidateSpec, NamesTheFieldOfEachMistake) {
  struct Case {
    std::function<void(JobSpec&)> spoil;
    const char* reason;
    const char* field;
  };
  for (const Case& c : std::initializer_list<Case>{
           {[](JobSpec& s) { s.kind = ""; }, "KIND_MISSING", "spec.kind"},
           {[](JobSpec& s) { s.kind = "rm -rf"; }, "BAD_KIND", "spec.kind"},
           {[](JobSpec& s) { s.kind = std::string(64, 'k'); }, "BAD_KIND", "spec.kind"},
           {[](JobSpec& s) { s.pool = "Upper"; }, "BAD_POOL", "spec.pool"},
           {[](JobSpec& s) { s.pool = "a/b"; }, "BAD_POOL", "spec.pool"},
           {[](JobSpec& s) { s.payload = MakeBytes(std::string(kPayloadMax + 1, 'x')); }, "PAYLOAD_TOO_LARGE",
            "spec.payload"},
           {[](JobSpec& s) { s.delay = -1ns; }, "BAD_DURATION", "spec.delay"},
           {[](JobSpec& s) { s.delay = Nanos::max(); }, "BAD_DURATION", "spec.delay"},
           {[](JobSpec& s) { s.delay = 1s, s.run_at = WallTime{}; }, "DELAY_AND_RUN_AT", "spec.delay"},
           {[](JobSpec& s) { s.run_timeout = 0s; }, "BAD_DURATION", "spec.run_timeout"},
           {[](JobSpec& s) { s.run_timeout = Nanos::min(); }, "BAD_DURATION", "spec.run_timeout"},
           {[](JobSpec& s) { s.retry.max_attempts = 0; }, "BAD_RETRY", "spec.retry.max_attempts"},
           {[](JobSpec& s) { s.retry.max_attempts = 1001; }, "BAD_RETRY", "spec.retry.max_attempts"},
           {[](JobSpec& s) { s.retry.initial_backoff = -1s; }, "BAD_DURATION", "spec.retry.initial_backoff"},
           {[](JobSpec& s) { s.retry.max_backoff = Nanos::max(); }, "BAD_DURATION", "spec.retry.max_backoff"},
           {[](JobSpec& s) { s.retry.multiplier = 0.5; }, "BAD_RETRY", "spec.retry.backoff_multiplier"},
           {[](JobSpec& s) { s.retry.multiplier = std::numeric_limits<double>::quiet_NaN(); }, "BAD_RETRY",
            "spec.retry.backoff_multiplier"},
           {[](JobSpec& s) { s.retry.multiplier = std::numeric_limits<double>::infinity(); }, "BAD_RETRY",
            "spec.retry.backoff_multiplier"},
           {[](JobSpec& s) { s.run_at = s.deadline = WallTime(1s); }, "DEADLINE_BEFORE_RUN_AT", "spec.deadline"},
           {[](JobSpec& s) { s.delay = s.deadline_after = 1s; }, "DEADLINE_BEFORE_RUN_AT", "spec.deadline_after"},
           {[](JobSpec& s) { s.deadline = WallTime(1s), s.deadline_after = 1s; }, "DEADLINE_TWICE",
            "spec.deadline_after"},
           {[](JobSpec& s) { s.deadline_after = 0s; }, "BAD_DURATION", "spec.deadline_after"},
           {[](JobSpec& s) { s.deadline_after = kDelayMax + 1ns; }, "BAD_DURATION", "spec.deadline_after"},
           {[](JobSpec& s) {
              for (int i = 0; i < 33; ++i) s.labels["k" + std::to_string(i)] = "";
            },
            "TOO_MANY_LABELS", "spec.labels"},
           {[](JobSpec& s) { s.labels[""] = "x"; }, "BAD_LABEL", "spec.labels"},
           {[](JobSpec& s) { s.labels["a b"] = "x"; }, "BAD_LABEL", "spec.labels"},
           {[](JobSpec& s) { s.labels["k"] = std::string(256, 'v'); }, "BAD_LABEL", "spec.labels"},
           {[](JobSpec& s) { s.labels["k"] = "line\nbreak"; }, "BAD_LABEL", "spec.labels"},
           {[](JobSpec& s) { s.unique_key = UniqueKey{}; }, "BAD_UNIQUE_KEY", "spec.unique_key.key"},
           {[](JobSpec& s) { s.unique_key = UniqueKey{.key = std::string(129, 'u')}; }, "BAD_UNIQUE_KEY",
            "spec.unique_key.key"},
           {[](JobSpec& s) { s.unique_key = UniqueKey{.key = "a\nb"}; }, "BAD_UNIQUE_KEY", "spec.unique_key.key"},
       }) {
    JobSpec spec = Good();
    c.spoil(spec);
    Status status = ValidateSpec(spec, kPayloadMax);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.reason(), c.reason);
    EXPECT_EQ(status.field(), c.field);
  }
}

TEST(ValidateSpec, TellsTheNumbersOfAPayloadThatIsTooLarge) {
  JobSpec spec = Good();
  spec.payload = MakeBytes(std::string(kPayloadMax + 1, 'x'));
  Status status = ValidateSpec(spec, kPayloadMax);
  EXPECT_EQ(status.message(), "the payload has 101 bytes, the limit is 100; store it elsewhere and send a reference");
  EXPECT_EQ(status.metadata().at("bytes"), "101");
}

TEST(ValidateRequestId, IsShortAndPrintable) {
  EXPECT_TRUE(ValidateRequestId("").ok());
  EXPECT_TRUE(ValidateRequestId("7b9f2c1e-0000-4000-8000-000000000000").ok());
  EXPECT_EQ(ValidateRequestId(std::string(129, 'r')).field(), "request_id");
  EXPECT_EQ(ValidateRequestId("a\tb").reason(), "BAD_REQUEST_ID");
}

TEST(Validate, TellsTheLimitOfATimeExactly) {
  const auto words = [](auto change) {
    JobSpec spec;
    spec.kind = "k";
    change(spec);
    return ValidateSpec(spec, 1).message();
  };
  EXPECT_EQ(words([](JobSpec& s) { s.delay = kDelayMax + 1ns; }),
            "spec.delay is 31622400000000001 ns; give a time from 0 s to 366 days");
  EXPECT_EQ(words([](JobSpec& s) { s.delay = 367 * 24h; }), "spec.delay is 367 days; give a time from 0 s to 366 days");
  EXPECT_EQ(words([](JobSpec& s) { s.run_timeout = 1ns; }),
            "spec.run_timeout is 1 ns; give a time from 1 ms to 31 days");
}

}  // namespace
}  // namespace millrace
