#include "client/cli/json.h"

#include <gtest/gtest.h>

#include <limits>

#include "millrace/v1/job_service.pb.h"
#include "millrace/v1/pool_service.pb.h"

namespace millrace::cli {
namespace {

TEST(JsonString, EscapesWhatMustBeEscaped) {
  EXPECT_EQ(JsonString("plain"), "\"plain\"");
  EXPECT_EQ(JsonString("a\"b\\c\n\t\x01"), "\"a\\\"b\\\\c\\n\\t\\u0001\"");
  EXPECT_EQ(JsonString("größe €𝄞"), "\"größe €𝄞\"");
  EXPECT_EQ(JsonString("\xc2\x9b\xc2\x80\xc2\xa0"), "\"\\u009b\\u0080\xc2\xa0\"");
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

TEST(ToJson, HasNumbersAsNumbersAndTellsZeros) {
  v1::Pool pool;
  pool.set_name("a");
  pool.set_state(v1::Pool::STATE_ACTIVE);
  pool.set_queued_jobs(5);
  pool.set_capacity_bytes(int64_t{1} << 40);
  pool.add_bands()->set_band(v1::BAND_HIGH);
  pool.add_kinds("x");
  pool.add_kinds("y");
  EXPECT_EQ(
      ToJson(pool),
      R"({"name":"a","state":"ACTIVE","workers":0,"workersBusy":0,"capacityJobs":0,"capacityBytes":1099511627776,)"
      R"("queuedJobs":5,"queuedBytes":0,"bands":[{"band":"HIGH","queuedJobs":0}],"scheduledJobs":0,)"
      R"("kinds":["x","y"],"waitingSubmits":0})");
}

TEST(ToJson, LeavesOutWhatIsNotGivenAndHasWordsForEnums) {
  v1::Job job;
  job.set_id("j");
  job.set_state(v1::JOB_STATE_RUNNING);
  v1::JobSpec& spec = *job.mutable_spec();
  spec.set_payload("\xff");
  spec.mutable_delay()->set_nanos(500'000'000);
  spec.mutable_deadline()->set_seconds(1);
  spec.mutable_retry()->set_max_attempts(0);
  spec.mutable_unique_key()->set_scope(v1::UniqueKey::SCOPE_WHILE_QUEUED);
  (*spec.mutable_labels())["a\"b"] = "c";
  job.add_attempt_history()->set_result(v1::ATTEMPT_RESULT_TIMED_OUT);
  EXPECT_EQ(ToJson(job),
            R"({"id":"j","spec":{"payload":"/w==","delay":"0.500s","deadline":"1970-01-01T00:00:01Z",)"
            R"("retry":{"maxAttempts":0},"noRetryAfterStart":false,"labels":{"a\"b":"c"},)"
            R"("uniqueKey":{"scope":"WHILE_QUEUED"}},"state":"RUNNING","attempts":0,"losses":0,)"
            R"("attemptHistory":[{"number":0,"result":"TIMED_OUT","exitCode":0}],"logBytes":0,"cancelRequested":false,)"
            R"("checkpointBytes":0,"resultBytes":0})");
}

TEST(ToJson, OfAOneofHasOnlyWhatIsSet) {
  v1::JobEvent event;
  event.set_gap_events(0);
  EXPECT_EQ(ToJson(event), R"({"gapEvents":0,"attempt":0})");
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
