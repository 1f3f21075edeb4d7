// What clients notice by themselves, and what the ledger makes of answers that never came.
#include "tests/crash/ledger.h"

#include <gtest/gtest.h>

#include "tests/crash/planted.h"

namespace millrace::crash {
namespace {

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
  v1::Job job = JobFor(request, v1::JOB_STATE_SUCCEEDED);
  ledger.Saw(job);
  ledger.Saw(job);
  EXPECT_TRUE(ledger.findings().none());
  job.set_state(v1::JOB_STATE_RUNNING);
  ledger.Saw(job);
  EXPECT_EQ(ledger.findings().count(Fault::kChanged), 1);
}

TEST(Ledger, ForgivesOnlyWhatWasToldAfterTheLastSync) {
  Ledger ledger({.seed = kSeed});
  const Request early = RequestOf(kSeed, 0, 1000), late = RequestOf(kSeed, 1, 1000);
  ledger.Answered({early}, {Answer("a", false)});
  const int64_t sync = MonotonicNow();
  ledger.Answered({late}, {Answer("b", false)});
  EXPECT_EQ(ledger.Forgive({.kept_until = sync}, {}).requests, 1);
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
    ledger.Forgive({}, {JobFor(requests[newest_is_lost ? 0 : 1], v1::JOB_STATE_SUCCEEDED)});
    EXPECT_EQ(ledger.findings().count(Fault::kLost), newest_is_lost ? 0 : 1);
    EXPECT_EQ(ledger.findings().count(Fault::kTwoJobs), 0);
  }
}

TEST(Ledger, AnErrorThatSaysMoreThanGoneIsAFinding) {
  Ledger ledger({.seed = kSeed});
  ledger.Unanswered({RequestOf(kSeed, 0, 1000)}, AlreadyExists("REQUEST_ID_REUSED", "other content"));
  EXPECT_EQ(ledger.findings().count(Fault::kAnswer), 1);
}

TEST(Ledger, ForgivesNothingThatShouldHaveHadItsSync) {
  for (const int64_t age_max : {50, 49}) {
    Ledger ledger({.seed = kSeed});
    const Request request = RequestOf(kSeed, 0, 1000);
    ledger.Answered({request}, {Answer("a", false)});
    const int64_t told_at = ledger.requests().at(0).second.acknowledged_at;
    ledger.Forgive({.cut_at = told_at + 50, .age_max = age_max}, {});
    EXPECT_EQ(ledger.findings().count(Fault::kLost), age_max == 50 ? 0 : 1);
  }
}

// ---- What ends, and is forgotten, deleted or retried

class LedgerOfOne : public testing::Test {
 protected:
  explicit LedgerOfOne(Wish wish = Wish::kEcho, bool forgets = false)
      : request(RequestFor(wish)), ledger({.seed = kSeed, .forgets = forgets}) {
    ledger.Answered({request}, {Answer(IdOf(request), false)});
  }
  void SeenTo(v1::JobState state) { ledger.Saw(JobFor(request, state)); }
  void Delete(const Status& status) { ledger.Changed(request.number, Ledger::Verb::kDelete, status); }
  void Retry(const Status& status) { ledger.Changed(request.number, Ledger::Verb::kRetry, status); }
  int Count(Fault fault) const { return ledger.findings().count(fault); }
  bool FindsNothing() const { return ledger.findings().none(); }
  Known KnownNow() const { return ledger.requests().at(request.number).second; }

  const Request request;
  Ledger ledger;
  const Status ok = OkStatus();
  const Status unanswered = Unavailable("UNREACHABLE", "it was killed");
  const Status unknown = NotFound("JOB_NOT_FOUND", "there is no such job");
};

class LedgerThatForgets : public LedgerOfOne {
 protected:
  LedgerThatForgets() : LedgerOfOne(Wish::kEcho, /*forgets=*/true) {}
};

class LedgerOfADeadLetter : public LedgerOfOne {
 protected:
  LedgerOfADeadLetter() : LedgerOfOne(Wish::kFail) {
    failed = JobFor(request, v1::JOB_STATE_FAILED);
    AddAttempt(failed, v1::ATTEMPT_RESULT_FAILED);
    ledger.Saw(failed);
    failed_again = failed;
    failed_again.mutable_finish_time()->set_seconds(1);
    AddAttempt(failed_again, v1::ATTEMPT_RESULT_FAILED);
  }
  v1::Job failed, failed_again;
};

TEST_F(LedgerOfOne, FindsThatAnAcknowledgedJobIsNotKnown) {
  ledger.Missed(request.number);
  EXPECT_EQ(Count(Fault::kLost), 1);
}

TEST_F(LedgerThatForgets, LeavesToTheCheckerWhetherItMayBeGone) {
  ledger.Missed(request.number);
  EXPECT_TRUE(FindsNothing());
  EXPECT_TRUE(KnownNow().gone);
  EXPECT_GT(KnownNow().over_at, 0);
}

TEST_F(LedgerThatForgets, FindsAJobThatComesBack) {
  ledger.Missed(request.number);
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Count(Fault::kChanged), 1);
}

TEST_F(LedgerOfOne, KnowsFromAnEventThatAJobHasEnded) {
  v1::JobEvent event;
  event.set_job_id(IdOf(request));
  event.set_state(v1::JOB_STATE_RUNNING);
  ledger.Heard(event);
  EXPECT_EQ(KnownNow().over_at, 0);
  event.set_state(v1::JOB_STATE_SUCCEEDED);
  ledger.Heard(event);
  EXPECT_EQ(KnownNow().heard, v1::JOB_STATE_SUCCEEDED);
  EXPECT_GT(KnownNow().over_at, 0);
  EXPECT_FALSE(KnownNow().end);
}

TEST_F(LedgerOfOne, KnowsWhatTheNewestRepeatWasTold) {
  v1::SubmitJobResponse answer = Answer(IdOf(request), true);
  answer.set_state(v1::JOB_STATE_SUCCEEDED);
  ledger.Answered(ledger.Acknowledged().at(0), {answer});
  EXPECT_EQ(KnownNow().repeated, v1::JOB_STATE_SUCCEEDED);
  answer.set_id("another");
  ledger.Answered({request}, {answer});
  EXPECT_EQ(KnownNow().repeated, v1::JOB_STATE_UNSPECIFIED) << "that of another job says nothing";
  EXPECT_EQ(Count(Fault::kTwoJobs), 1);
}

TEST_F(LedgerOfOne, FindsADeletedJobThatIsThereLater) {
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  Delete(ok);
  ledger.Missed(request.number);
  EXPECT_TRUE(FindsNothing());
  EXPECT_EQ(ledger.removed(/*dead_letters=*/false), 1);
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Count(Fault::kChanged), 1);
}

TEST_F(LedgerOfOne, ADeleteThatWasNotAnsweredWasDone) {
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  Delete(unanswered);
  EXPECT_TRUE(KnownNow().deleted);
  ledger.Missed(request.number);
  EXPECT_TRUE(FindsNothing());
}

TEST_F(LedgerOfOne, ADeleteThatWasNotAnsweredWasNotDoneWhereTheJobIsSeenAgain) {
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  Delete(unanswered);
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  EXPECT_TRUE(FindsNothing());
  ledger.Missed(request.number);
  EXPECT_EQ(Count(Fault::kLost), 1);
}

TEST_F(LedgerOfOne, FindsThatAJobThatEndedIsNotThereToBeDeleted) {
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  Delete(unknown);
  EXPECT_EQ(Count(Fault::kLost), 1);
}

TEST_F(LedgerOfOne, FindsThatAJobThatEndedCannotBeDeleted) {
  SeenTo(v1::JOB_STATE_SUCCEEDED);
  Delete(FailedPrecondition("WRONG_STATE", "it has not ended"));
  EXPECT_EQ(Count(Fault::kAnswer), 1);
}

TEST_F(LedgerOfADeadLetter, ARetriedJobRunsAgainAndEndsAnew) {
  Retry(ok);
  EXPECT_EQ(ledger.removed(/*dead_letters=*/true), 1);
  v1::Job queued = failed;
  queued.set_state(v1::JOB_STATE_QUEUED);
  ledger.Saw(queued);
  ledger.Saw(failed_again);
  EXPECT_TRUE(FindsNothing());
  ledger.Saw(failed);
  EXPECT_EQ(Count(Fault::kChanged), 1) << "nobody retried it a second time";
}

TEST_F(LedgerOfADeadLetter, FindsARetriedJobThatDidNotRunAgain) {
  Retry(ok);
  ledger.Saw(failed);
  EXPECT_EQ(Count(Fault::kLost), 1);
}

TEST_F(LedgerOfADeadLetter, ARetryThatWasNotAnsweredWasDoneOrNot) {
  Retry(unanswered);
  ledger.Saw(failed);
  EXPECT_TRUE(FindsNothing());
  Retry(unanswered);
  ledger.Saw(failed_again);
  EXPECT_TRUE(FindsNothing());
}

TEST_F(LedgerOfADeadLetter, FindsAnEndThatNoRetryExplains) {
  Retry(unanswered);
  v1::Job other = failed;
  other.mutable_finish_time()->set_seconds(1);
  ledger.Saw(other);
  EXPECT_EQ(Count(Fault::kChanged), 1);
}

}  // namespace
}  // namespace millrace::crash
