#include "rpc/convert.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "job/spec_fields.h"
#include "tests/support/full_spec.h"

namespace millrace::rpc {
namespace {

v1::SubmitJobRequest Good() {
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("resize");
  return request;
}

// "REASON field" of what TakeSubmit says of the good request after `change`; "" when it is taken.
std::string Refusal(const std::function<void(v1::SubmitJobRequest&)>& change) {
  v1::SubmitJobRequest request = Good();
  change(request);
  dispatch::Submission::Item item;
  const Status status = TakeSubmit(std::move(request), &item);
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  return status.reason() + " " + status.field();
}

TEST(TakeSubmit, KeepsEveryFieldOfARequest) {
  v1::SubmitJobRequest request = Good();
  v1::JobSpec* spec = request.mutable_spec();
  spec->set_pool("thumbs");
  spec->set_payload("in");
  spec->set_band(v1::BAND_LOW);
  spec->mutable_delay()->set_nanos(5);
  spec->mutable_run_timeout()->set_seconds(3);
  spec->mutable_deadline()->set_seconds(1'700'000'000);
  spec->mutable_retry()->set_max_attempts(3);
  spec->mutable_retry()->mutable_initial_backoff()->set_seconds(2);
  spec->mutable_retry()->mutable_max_backoff()->set_seconds(9);
  spec->mutable_retry()->set_backoff_multiplier(1.5);
  spec->set_no_retry_after_start(true);
  (*spec->mutable_labels())["team.name"] = "a";
  spec->mutable_unique_key()->set_key("nightly");
  spec->mutable_unique_key()->set_scope(v1::UniqueKey::SCOPE_WHILE_QUEUED);
  spec->mutable_unique_key()->set_on_taken(v1::UniqueKey::ON_TAKEN_REJECT);
  (*spec->mutable_placement()->mutable_require())["gpu"] = "a100";
  (*spec->mutable_placement()->mutable_prefer())["worker"] = "w7";
  request.set_request_id("f00d");

  dispatch::Submission::Item item;
  item.spec.run_at = WallTime{};  // Left over from an earlier use.
  ASSERT_TRUE(TakeSubmit(std::move(request), &item).ok());
  EXPECT_EQ(item.request_id, "f00d");
  EXPECT_EQ(item.spec.pool, "thumbs");
  EXPECT_EQ(item.spec.kind, "resize");
  EXPECT_EQ(PayloadOf(item.spec), "in");
  EXPECT_EQ(item.spec.band, Band::kLow);
  EXPECT_EQ(item.spec.delay, Nanos(5));
  EXPECT_FALSE(item.spec.run_at.has_value());
  EXPECT_EQ(item.spec.run_timeout, std::chrono::seconds(3));
  EXPECT_EQ(item.spec.deadline, WallTime(std::chrono::seconds(1'700'000'000)));
  EXPECT_EQ(item.spec.retry.max_attempts, 3);
  EXPECT_EQ(item.spec.retry.initial_backoff, std::chrono::seconds(2));
  EXPECT_EQ(item.spec.retry.max_backoff, std::chrono::seconds(9));
  EXPECT_EQ(item.spec.retry.multiplier, 1.5);
  EXPECT_TRUE(item.spec.no_retry_after_start);
  EXPECT_EQ(item.spec.labels.at("team.name"), "a");
  EXPECT_EQ(item.spec.unique_key, (UniqueKey{"nightly", UniqueScope::kWhileQueued, OnTaken::kReject}));
  EXPECT_EQ(item.spec.placement, (Placement{.require = {{"gpu", "a100"}}, .prefer = {{"worker", "w7"}}}));

  // The job that a client reads back says the same.
  JobSnapshot job;
  job.spec = std::make_shared<JobSpec>(item.spec);
  v1::Job out;
  Fill(job, View::kFull, &out);
  EXPECT_EQ(out.spec().band(), v1::BAND_LOW);
  EXPECT_EQ(out.spec().payload(), "in");
  EXPECT_EQ(out.spec().delay().nanos(), 5);
  EXPECT_EQ(out.spec().deadline().seconds(), 1'700'000'000);
  EXPECT_EQ(out.spec().retry().backoff_multiplier(), 1.5);
  EXPECT_EQ(out.spec().labels().at("team.name"), "a");
  EXPECT_EQ(out.spec().unique_key().key(), "nightly");
  EXPECT_EQ(out.spec().unique_key().scope(), v1::UniqueKey::SCOPE_WHILE_QUEUED);
  EXPECT_EQ(out.spec().unique_key().on_taken(), v1::UniqueKey::ON_TAKEN_REJECT);
  EXPECT_EQ(out.spec().placement().require().at("gpu"), "a100");
  EXPECT_EQ(out.spec().placement().prefer().at("worker"), "w7");
}

TEST(TakeSubmit, AUniqueKeyIsOneWhileTheJobIsUnfinishedAndGivesItBackUnlessTheClientSaysOtherwise) {
  v1::SubmitJobRequest request = Good();
  request.mutable_spec()->mutable_unique_key()->set_key("k");
  dispatch::Submission::Item item;
  ASSERT_TRUE(TakeSubmit(std::move(request), &item).ok());
  EXPECT_EQ(item.spec.unique_key, (UniqueKey{"k", UniqueScope::kWhileUnfinished, OnTaken::kReturnExisting}));
  ASSERT_TRUE(TakeSubmit(Good(), &item).ok());
  EXPECT_FALSE(item.spec.unique_key.has_value()) << "nothing is left over from an earlier use";
  JobSnapshot job;
  job.spec = std::make_shared<JobSpec>(item.spec);
  v1::Job out;
  Fill(job, View::kFull, &out);
  EXPECT_FALSE(out.spec().has_unique_key());
  EXPECT_FALSE(out.spec().has_placement());
}

TEST(TakeSubmit, RefusesWhatNoValueOfOursCouldHoldAndNamesTheField) {
  using R = v1::SubmitJobRequest;
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Refusal([](R&) {}), "");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->set_band(static_cast<v1::Band>(9)); }), "UNKNOWN_BAND spec.band");
  EXPECT_EQ(
      Refusal([](R& r) { r.mutable_spec()->mutable_unique_key()->set_scope(static_cast<v1::UniqueKey::Scope>(3)); }),
      "UNKNOWN_SCOPE spec.unique_key.scope");
  EXPECT_EQ(Refusal([](R& r) {
              r.mutable_spec()->mutable_unique_key()->set_on_taken(static_cast<v1::UniqueKey::OnTaken>(-1));
            }),
            "UNKNOWN_ON_TAKEN spec.unique_key.on_taken");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_delay()->set_seconds(-1); }), "BAD_DURATION spec.delay");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_delay()->set_nanos(-1); }), "BAD_DURATION spec.delay");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_delay()->set_nanos(1'000'000'000); }),
            "BAD_DURATION spec.delay");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_delay()->set_seconds(kHuge); }), "BAD_DURATION spec.delay");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_run_timeout()->set_seconds(kHuge); }),
            "BAD_DURATION spec.run_timeout");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_retry()->mutable_max_backoff()->set_seconds(-1); }),
            "BAD_DURATION spec.retry.max_backoff");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_run_at()->set_seconds(kHuge); }), "BAD_TIME spec.run_at");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_run_at()->set_seconds(-kHuge); }), "BAD_TIME spec.run_at");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_deadline()->set_nanos(-5); }), "BAD_TIME spec.deadline");
  EXPECT_EQ(Refusal([](R& r) { r.mutable_spec()->mutable_run_at()->set_seconds(-1000); }), "") << "long ago is a time";
}

TEST(TakeSubmit, TellsTheLimitOfATimeAsValidationDoes) {
  const auto words = [](auto change) {
    v1::SubmitJobRequest request = Good();
    change(*request.mutable_spec());
    dispatch::Submission::Item item;
    return TakeSubmit(std::move(request), &item).message();
  };
  EXPECT_EQ(words([](v1::JobSpec& s) { s.mutable_delay()->set_seconds(400 * 86400); }),
            "spec.delay is 34560000 s; give a time from 0 s to 366 days");
  EXPECT_EQ(words([](v1::JobSpec& s) { s.mutable_run_timeout()->set_nanos(1); }),
            "spec.run_timeout is 0 s and 1 ns; give a time from 1 ms to 31 days");
}

TEST(Convert, EveryJobStateHasItsWireName) {
  for (int state = 0; state < kJobStates; ++state) {
    const auto each = static_cast<JobState>(state);
    EXPECT_EQ(v1::JobState_Name(ToProto(each)), std::string("JOB_STATE_") + ToString(each));
  }
}

TEST(Convert, EveryDurabilityHasItsWord) {
  EXPECT_EQ(WordFor(Durability::kNone), "none");
  EXPECT_EQ(WordFor(Durability::kInterval), "interval");
  EXPECT_EQ(WordFor(Durability::kFsync), "fsync");
}

TEST(Convert, EveryFieldOfASpecGoesToAClientAndBack) {
  JobSpec full = test::FullSpec();
  JobSnapshot job;
  job.spec = std::make_shared<JobSpec>(full);
  v1::Job out;
  Fill(job, View::kFull, &out);
  // A job that is kept has `deadline` instead, so no client ever reads it.
  EXPECT_FALSE(out.spec().has_deadline_after());
  out.mutable_spec()->mutable_deadline_after()->set_seconds(8);

  v1::SubmitJobRequest request;
  *request.mutable_spec() = out.spec();
  dispatch::Submission::Item item;
  ASSERT_TRUE(TakeSubmit(std::move(request), &item).ok());
  EXPECT_EQ(PayloadOf(item.spec), PayloadOf(full));
  item.spec.payload = full.payload;
  ForEachField(kSpecFields,
               [&](const auto& field) { EXPECT_TRUE(item.spec.*field.member == full.*field.member) << field.name; });
}

TEST(Convert, ABasicViewLeavesTheHeavyPartsOut) {
  JobSnapshot job;
  JobSpec spec;
  spec.kind = "k";
  spec.payload = MakeBytes("in");
  job.spec = std::make_shared<JobSpec>(spec);
  job.result = MakeBytes("out");
  job.log_tail = "log";
  job.history.resize(2);
  v1::Job basic, full;
  Fill(job, View::kBasic, &basic);
  Fill(job, View::kFull, &full);
  EXPECT_TRUE(basic.spec().payload().empty() && basic.result().empty() && basic.log_tail().empty() &&
              basic.attempt_history().empty());
  EXPECT_EQ(basic.spec().kind(), "k");
  EXPECT_EQ(full.spec().payload() + full.result() + full.log_tail(), "inoutlog");
  EXPECT_EQ(full.attempt_history_size(), 2);
}

TEST(Convert, AViewOfTheResultLeavesOutThePayloadOnly) {
  JobSnapshot job;
  JobSpec spec;
  spec.kind = "k";
  spec.payload = MakeBytes("in");
  job.spec = std::make_shared<JobSpec>(spec);
  job.result = MakeBytes("out");
  job.log_tail = "log";
  job.history.resize(2);
  v1::Job whole, result;
  Fill(job, View::kFull, &whole);
  Fill(job, View::kResult, &result);
  EXPECT_TRUE(result.spec().payload().empty());
  result.mutable_spec()->set_payload("in");
  EXPECT_EQ(result.SerializeAsString(), whole.SerializeAsString());
}

TEST(Convert, WhyAJobWaitsIsToldWhereItIsKnown) {
  JobSnapshot job;
  job.checkpoint_bytes = 7;
  v1::Job out;
  Fill(job, View::kBasic, &out);
  EXPECT_EQ(out.checkpoint_bytes(), 7);
  EXPECT_FALSE(out.has_waiting());
  const std::vector<std::pair<Waiting::Reason, v1::Waiting::Reason>> reasons = {
      {Waiting::Reason::kTime, v1::Waiting::REASON_TIME},
      {Waiting::Reason::kRetry, v1::Waiting::REASON_RETRY},
      {Waiting::Reason::kLimit, v1::Waiting::REASON_LIMIT},
      {Waiting::Reason::kShutdown, v1::Waiting::REASON_SHUTDOWN},
      {Waiting::Reason::kPool, v1::Waiting::REASON_POOL},
      {Waiting::Reason::kDisk, v1::Waiting::REASON_DISK},
      {Waiting::Reason::kNoWorker, v1::Waiting::REASON_NO_WORKER},
      {Waiting::Reason::kNoLabels, v1::Waiting::REASON_NO_LABELS},
      {Waiting::Reason::kNoSlot, v1::Waiting::REASON_NO_SLOT},
      {Waiting::Reason::kQueue, v1::Waiting::REASON_QUEUE}};
  for (const auto& [reason, told] : reasons) {
    job.waiting = Waiting{.reason = reason, .message = "behind others", .jobs_ahead = 3};
    Fill(job, View::kBasic, &out);
    EXPECT_EQ(out.waiting().reason(), told);
  }
  EXPECT_EQ(out.waiting().message(), "behind others");
  EXPECT_EQ(out.waiting().jobs_ahead(), 3);
}

TEST(Convert, AnErrorThatIsNotUtf8StillReachesTheClient) {
  JobSnapshot job;
  job.error = "bad \xff\xfe byte";
  v1::Job sent, received;
  Fill(job, View::kFull, &sent);
  ASSERT_TRUE(received.ParseFromString(sent.SerializeAsString()));
  EXPECT_EQ(received.error(), "bad ?? byte");
}

TEST(Convert, TimesBeforeTheEpochRoundDown) {
  google::protobuf::Timestamp out;
  Fill(WallTime(Nanos(-1)), &out);
  EXPECT_EQ(out.seconds(), -1);
  EXPECT_EQ(out.nanos(), 999'999'999);
}

TEST(Convert, AFieldIsNamedFromTheRequestDown) {
  const Status status = InField("requests[3].", InvalidArgument("X", "x").Field("spec.kind").With("n", 3));
  EXPECT_EQ(status.field(), "requests[3].spec.kind");
  EXPECT_EQ(status.metadata().at("n"), "3");
  EXPECT_EQ(InField("a.", NotFound("X", "x")).field(), "");
}

}  // namespace
}  // namespace millrace::rpc
