// The tests of the test: each kind of finding, planted in a run where all is well.
#include "tests/crash/checker.h"

#include <gtest/gtest.h>

#include "tests/crash/ledger.h"

namespace millrace::crash {
namespace {

constexpr uint64_t kSeed = 1;

// The first request of that kind.
Request RequestFor(Wish wish) {
  for (int64_t number = 0;; ++number) {
    if (Request request = RequestOf(kSeed, number, 1000); request.wish == wish) return request;
  }
}

std::string IdOf(const Request& request) { return "job-" + std::to_string(request.number); }

void AddAttempt(v1::Job& job, v1::AttemptResult result) {
  v1::Attempt& attempt = *job.add_attempt_history();
  attempt.set_number(job.attempt_history_size());
  attempt.set_result(result);
  if (result == v1::ATTEMPT_LOST) {
    job.set_losses(job.losses() + 1);
  } else {
    job.set_attempts(job.attempts() + 1);
  }
}

v1::Job JobFor(const Request& request, v1::JobState state) {
  v1::Job job;
  job.set_id(IdOf(request));
  *job.mutable_spec() = ToMessage(request).spec();
  job.set_state(state);
  if (state == v1::SUCCEEDED) job.set_result(request.payload);
  return job;
}

class CheckerTest : public testing::Test {
 protected:
  CheckerTest() {
    for (Wish wish : {Wish::kEcho, Wish::kSoon, Wish::kRecord, Wish::kSlow, Wish::kFailFirst, Wish::kOnce, Wish::kFail,
                      Wish::kFar}) {
      const Request request = RequestFor(wish);
      const v1::JobState state = wish == Wish::kFail ? v1::FAILED : wish == Wish::kFar ? v1::CANCELLED : v1::SUCCEEDED;
      v1::Job job = JobFor(request, state);
      if (wish == Wish::kSlow) AddAttempt(job, v1::ATTEMPT_LOST);
      if (wish == Wish::kFailFirst) AddAttempt(job, v1::ATTEMPT_FAILED);
      if (wish == Wish::kFail) AddAttempt(job, v1::ATTEMPT_FAILED);
      if (state == v1::SUCCEEDED) AddAttempt(job, v1::ATTEMPT_SUCCEEDED);
      for (const v1::Attempt& attempt : job.attempt_history()) {
        if (request.records()) facts.executions.push_back({job.id(), attempt.number()});
      }
      facts.requests[request.number] = {request, {.job = job.id(), .end = job}};
      facts.jobs.push_back(job);
    }
  }

  v1::Job& Job(Wish wish) {
    for (v1::Job& job : facts.jobs) {
      if (NumberOf(job) == RequestFor(wish).number) return job;
    }
    ADD_FAILURE() << "no such job";
    return facts.jobs[0];
  }
  Known& KnownOf(Wish wish) { return facts.requests.at(RequestFor(wish).number).second; }

  // What is found, told as "lost 1, changed 2".
  std::string Found() {
    const Findings findings = Check(facts, &totals);
    std::string text;
    for (int i = 0; i < static_cast<int>(Fault::kCount); ++i) {
      const auto fault = static_cast<Fault>(i);
      if (findings.count(fault) == 0) continue;
      text += (text.empty() ? "" : ", ") + std::string(ToString(fault)) + " " + std::to_string(findings.count(fault));
    }
    return text;
  }

  Facts facts;
  Totals totals;
};

TEST_F(CheckerTest, FindsNothingWhereAllIsWell) {
  EXPECT_EQ(Found(), "");
  EXPECT_EQ(totals.acknowledged, 8);
  EXPECT_EQ(totals.executed, 6);
  EXPECT_EQ(totals.executed_again, 2) << "the lost attempt and the failed one";
  EXPECT_EQ(totals.losses, 1);
}

TEST_F(CheckerTest, FindsAnAcknowledgedJobThatIsGone) {
  std::erase_if(facts.jobs, [](const v1::Job& job) { return NumberOf(job) == RequestFor(Wish::kEcho).number; });
  EXPECT_EQ(Found(), "lost 1");
}

TEST_F(CheckerTest, FindsAnExecutedJobThatIsGone) {
  KnownOf(Wish::kRecord) = {};
  std::erase_if(facts.jobs, [](const v1::Job& job) { return NumberOf(job) == RequestFor(Wish::kRecord).number; });
  EXPECT_EQ(Found(), "lost 1");
  facts.starts_may_be_lost = true;
  EXPECT_EQ(Found(), "");
}

TEST_F(CheckerTest, FindsAJobThatNeverEnded) {
  Job(Wish::kEcho).set_state(v1::QUEUED);
  KnownOf(Wish::kEcho).end.reset();
  EXPECT_EQ(Found(), "lost 1");
}

TEST_F(CheckerTest, FindsASecondJobOfTheSameRequest) {
  v1::Job second = Job(Wish::kEcho);
  second.set_id("another");
  facts.jobs.push_back(second);
  EXPECT_EQ(Found(), "two jobs 1");
}

TEST_F(CheckerTest, FindsAnEndThatChangedAfterItWasSeen) {
  Job(Wish::kEcho).mutable_finish_time()->set_nanos(1);
  EXPECT_EQ(Found(), "changed 1");
  KnownOf(Wish::kFail).end->set_log_tail("a line");
  EXPECT_EQ(Found(), "changed 2");
}

TEST_F(CheckerTest, FindsAResultThatIsWrong) {
  Job(Wish::kEcho).set_result("?");
  KnownOf(Wish::kEcho).end.reset();
  EXPECT_EQ(Found(), "wrong end 1");
}

TEST_F(CheckerTest, FindsEndsThatNobodyAskedFor) {
  for (auto& [number, request] : facts.requests) request.second.end.reset();
  Job(Wish::kEcho).set_state(v1::FAILED);
  Job(Wish::kSoon).set_state(v1::CANCELLED);
  Job(Wish::kFar).set_state(v1::QUARANTINED);
  Job(Wish::kFail).set_state(v1::SUCCEEDED);
  EXPECT_EQ(Found(), "wrong end 4");
}

TEST_F(CheckerTest, AcceptsWhatLossesExplain) {
  for (auto& [number, request] : facts.requests) request.second.end.reset();
  v1::Job& once = Job(Wish::kOnce);
  once = JobFor(RequestFor(Wish::kOnce), v1::FAILED);
  AddAttempt(once, v1::ATTEMPT_LOST);
  v1::Job& poison = Job(Wish::kEcho);
  poison = JobFor(RequestFor(Wish::kEcho), v1::QUARANTINED);
  for (int i = 0; i < 3; ++i) AddAttempt(poison, v1::ATTEMPT_LOST);
  EXPECT_EQ(Found(), "");
}

TEST_F(CheckerTest, FindsAJobThatSucceededTwice) {
  AddAttempt(Job(Wish::kEcho), v1::ATTEMPT_SUCCEEDED);
  KnownOf(Wish::kEcho).end.reset();
  EXPECT_EQ(Found(), "finished twice 1");
}

TEST_F(CheckerTest, FindsAnAttemptThatWasExecutedTwice) {
  // There is room for it among the attempts and losses, since another left no trace.
  std::erase_if(facts.executions, [&](const Execution& each) { return each.job == Job(Wish::kSlow).id(); });
  facts.executions.push_back({Job(Wish::kSlow).id(), 2});
  EXPECT_EQ(Found(), "") << "a loss before the program ran";
  facts.executions.push_back({Job(Wish::kSlow).id(), 2});
  EXPECT_EQ(Found(), "ran again 1");
}

TEST_F(CheckerTest, FindsAnExecutionThatNoAttemptExplains) {
  facts.executions.push_back({Job(Wish::kRecord).id(), 2});
  EXPECT_EQ(Found(), "ran again 2") << "one too many, and of an attempt that nobody knows";
}

TEST_F(CheckerTest, FindsASuccessThatWasNeverExecuted) {
  std::erase_if(facts.executions, [&](const Execution& each) { return each.job == Job(Wish::kRecord).id(); });
  EXPECT_EQ(Found(), "wrong end 1");
}

TEST_F(CheckerTest, FindsAJobThatNobodySent) {
  facts.requests.erase(RequestFor(Wish::kEcho).number);
  Job(Wish::kSoon).mutable_spec()->set_payload("?");
  KnownOf(Wish::kSoon).end.reset();
  EXPECT_EQ(Found(), "stranger 2");
}

// ---- What clients notice by themselves

v1::SubmitJobResponse Answer(const std::string& id, bool existing) {
  v1::SubmitJobResponse answer;
  answer.set_id(id);
  answer.set_existing(existing);
  return answer;
}

TEST(Ledger, RepeatsTogetherWhatWasNotAnswered) {
  Ledger ledger({.seed = kSeed});
  Random random(1);
  ledger.Allow(100);
  const auto batch = ledger.Next(Ledger::Form::kBatch, random);
  ASSERT_TRUE(batch && batch->size() > 1);
  ledger.Unanswered(*batch, Unavailable("UNREACHABLE", "it was killed"));
  const auto again = ledger.NextUnanswered();
  ASSERT_TRUE(again);
  ASSERT_EQ(again->size(), batch->size());
  EXPECT_EQ((*again)[1].number, (*batch)[1].number);
  EXPECT_FALSE(ledger.NextUnanswered());
  EXPECT_TRUE(ledger.findings().none());
}

TEST(Ledger, FindsHalfABatchAndASecondJob) {
  Ledger ledger({.seed = kSeed});
  const Ledger::Group two = {RequestOf(kSeed, 0, 1000), RequestOf(kSeed, 1, 1000)};
  ledger.Answered(two, {Answer("a", false), Answer("b", true)});
  EXPECT_EQ(ledger.findings().count(Fault::kHalfABatch), 1);
  ledger.Answered({two[0]}, {Answer("a", true)});
  EXPECT_EQ(ledger.findings().count(Fault::kTwoJobs), 0);
  ledger.Answered({two[0]}, {Answer("c", true)});
  ledger.Answered({two[1]}, {Answer("b", false)});
  EXPECT_EQ(ledger.findings().count(Fault::kTwoJobs), 2);
}

TEST(Ledger, FindsAnEndThatChangesOrGoesAway) {
  Ledger ledger({.seed = kSeed});
  const Request request = RequestOf(kSeed, 0, 1000);
  ledger.Answered({request}, {Answer(IdOf(request), false)});
  v1::Job job = JobFor(request, v1::SUCCEEDED);
  ledger.Saw(job);
  ledger.Saw(job);
  EXPECT_TRUE(ledger.findings().none());
  job.set_state(v1::RUNNING);
  ledger.Saw(job);
  EXPECT_EQ(ledger.findings().count(Fault::kChanged), 1);
}

TEST(Ledger, ForgivesOnlyWhatWasToldAfterTheLastSync) {
  Ledger ledger({.seed = kSeed});
  const Request early = RequestOf(kSeed, 0, 1000), late = RequestOf(kSeed, 1, 1000);
  ledger.Answered({early}, {Answer("a", false)});
  const int64_t sync = MonotonicNow();
  ledger.Answered({late}, {Answer("b", false)});
  EXPECT_EQ(ledger.Forgive(sync, {}).requests, 1);
  const auto requests = ledger.requests();
  EXPECT_EQ(requests.at(0).second.job, "a") << "it stays acknowledged, and is lost";
  EXPECT_EQ(requests.at(1).second.job, "") << "to be sent again";
  EXPECT_EQ(ledger.NextUnanswered()->at(0).number, 1);
}

TEST(Ledger, ForgivesTheNewestOnly) {
  for (const bool newest_is_lost : {true, false}) {
    Ledger ledger({.seed = kSeed});
    Random random(1);
    std::vector<Request> requests;
    while (requests.size() < 2) {
      ledger.Allow(1);
      const Request request = ledger.Next(Ledger::Form::kSingle, random)->at(0);
      ledger.Answered({request}, {Answer(IdOf(request), request.number < std::ssize(requests))});
      if (request.number == std::ssize(requests)) requests.push_back(request);
    }
    ledger.Forgive(0, {JobFor(requests[newest_is_lost ? 0 : 1], v1::SUCCEEDED)});
    EXPECT_EQ(ledger.findings().count(Fault::kLost), newest_is_lost ? 0 : 1);
    EXPECT_EQ(ledger.findings().count(Fault::kTwoJobs), 0);
  }
}

TEST(Ledger, AnErrorThatSaysMoreThanGoneIsAFinding) {
  Ledger ledger({.seed = kSeed});
  ledger.Unanswered({RequestOf(kSeed, 0, 1000)}, AlreadyExists("REQUEST_ID_REUSED", "other content"));
  EXPECT_EQ(ledger.findings().count(Fault::kAnswer), 1);
}

}  // namespace
}  // namespace millrace::crash
