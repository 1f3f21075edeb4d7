// The tests of the test: each kind of finding, planted in a run where all is well.
#include "tests/crash/checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/crash/planted.h"

namespace millrace::crash {
namespace {

class CheckerTest : public testing::Test {
 protected:
  // As they end; all but kFail are finished.
  static constexpr std::array kInOrder = {Wish::kEcho,      Wish::kSoon, Wish::kRecord, Wish::kSlow,
                                          Wish::kFailFirst, Wish::kOnce, Wish::kFail,   Wish::kFar};

  CheckerTest() {
    for (Wish wish : kInOrder) {
      const Request request = RequestFor(wish);
      const v1::JobState state = wish == Wish::kFail  ? v1::JOB_STATE_FAILED
                                 : wish == Wish::kFar ? v1::JOB_STATE_CANCELLED
                                                      : v1::JOB_STATE_SUCCEEDED;
      v1::Job job = JobFor(request, state);
      if (wish == Wish::kSlow) AddAttempt(job, v1::ATTEMPT_RESULT_LOST);
      if (wish == Wish::kFailFirst) AddAttempt(job, v1::ATTEMPT_RESULT_FAILED);
      if (wish == Wish::kFail) AddAttempt(job, v1::ATTEMPT_RESULT_FAILED);
      if (state == v1::JOB_STATE_SUCCEEDED) AddAttempt(job, v1::ATTEMPT_RESULT_SUCCEEDED);
      job.mutable_finish_time()->set_seconds(std::ssize(facts.jobs) + 1);
      for (const v1::Attempt& attempt : job.attempt_history()) {
        if (!request.records()) continue;
        facts.executions.push_back({job.id(), attempt.number()});
        if (attempt.result() == v1::ATTEMPT_RESULT_SUCCEEDED)
          facts.executions.push_back({job.id(), attempt.number(), true});
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
  void Erase(Wish wish) {
    std::erase_if(facts.jobs, [&](const v1::Job& job) { return NumberOf(job) == RequestFor(wish).number; });
  }
  // It and those that ended before it are forgotten, and what is left is as many as may be.
  void ForgetUntil(Wish last) {
    for (const Wish wish : kInOrder) {
      KnownOf(wish).repeated = Job(wish).state();
      Erase(wish);
      if (wish == last) break;
    }
    facts.finished.jobs_max = std::count_if(facts.jobs.begin(), facts.jobs.end(),
                                            [](const v1::Job& job) { return !IsDeadLetter(job.state()); });
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
  Erase(Wish::kEcho);
  EXPECT_EQ(Found(), "lost 1");
}

TEST_F(CheckerTest, FindsAnExecutedJobThatIsGone) {
  KnownOf(Wish::kRecord) = {};
  Erase(Wish::kRecord);
  EXPECT_EQ(Found(), "lost 1");
  facts.starts_may_be_lost = true;
  EXPECT_EQ(Found(), "");
}

TEST_F(CheckerTest, FindsAJobThatNeverEnded) {
  Job(Wish::kEcho).set_state(v1::JOB_STATE_QUEUED);
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
  Job(Wish::kEcho).set_state(v1::JOB_STATE_FAILED);
  Job(Wish::kSoon).set_state(v1::JOB_STATE_CANCELLED);
  Job(Wish::kFar).set_state(v1::JOB_STATE_QUARANTINED);
  Job(Wish::kFail).set_state(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Found(), "wrong end 4");
}

TEST_F(CheckerTest, AcceptsWhatLossesExplain) {
  for (auto& [number, request] : facts.requests) request.second.end.reset();
  v1::Job& once = Job(Wish::kOnce);
  once = JobFor(RequestFor(Wish::kOnce), v1::JOB_STATE_FAILED);
  AddAttempt(once, v1::ATTEMPT_RESULT_LOST);
  v1::Job& poison = Job(Wish::kEcho);
  poison = JobFor(RequestFor(Wish::kEcho), v1::JOB_STATE_QUARANTINED);
  for (int i = 0; i < 3; ++i) AddAttempt(poison, v1::ATTEMPT_RESULT_LOST);
  EXPECT_EQ(Found(), "");
}

TEST_F(CheckerTest, FindsAJobThatSucceededTwice) {
  AddAttempt(Job(Wish::kEcho), v1::ATTEMPT_RESULT_SUCCEEDED);
  KnownOf(Wish::kEcho).end.reset();
  EXPECT_EQ(Found(), "finished twice 1");
}

TEST_F(CheckerTest, FindsAnAttemptThatWasExecutedTwice) {
  // There is room for it among the attempts and losses, since another left no trace.
  std::erase_if(facts.executions,
                [&](const Execution& each) { return each.job == Job(Wish::kSlow).id() && each.attempt == 1; });
  EXPECT_EQ(Found(), "") << "a loss before the program ran";
  facts.executions.push_back({Job(Wish::kSlow).id(), 2});
  EXPECT_EQ(Found(), "ran again 1");
}

TEST_F(CheckerTest, FindsAnExecutionThatNoAttemptExplains) {
  facts.executions.push_back({Job(Wish::kRecord).id(), 2});
  EXPECT_EQ(Found(), "ran again 2") << "one too many, and of an attempt that nobody knows";
}

TEST_F(CheckerTest, FindsASuccessWhoseProgramNeverCameToItsEnd) {
  std::erase_if(facts.executions, [&](const Execution& each) { return each.ended && each.attempt == 1; });
  EXPECT_EQ(Found(), "wrong end 2") << "of kRecord and kOnce";
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

// ---- Jobs that may be forgotten

TEST_F(CheckerTest, AcceptsThatTheOldestAreForgottenWhereThereAreTooMany) {
  ForgetUntil(Wish::kOnce);
  EXPECT_EQ(Found(), "");
  EXPECT_EQ(totals.forgotten, 6);
  EXPECT_EQ(totals.unseen, 0);
  for (auto& [number, request] : facts.requests) request.second.end.reset();
  totals = {};
  EXPECT_EQ(Found(), "");
  EXPECT_EQ(totals.unseen, 2) << "the others have come to their ends outside";
}

TEST_F(CheckerTest, FindsAJobThatWasLostBeforeItEnded) {
  ForgetUntil(Wish::kSoon);
  KnownOf(Wish::kSoon).end.reset();
  KnownOf(Wish::kSoon).repeated = v1::JOB_STATE_QUEUED;
  EXPECT_EQ(Found(), "lost 1") << "it is to run, and is not there";
  KnownOf(Wish::kSoon).repeated = v1::JOB_STATE_UNSPECIFIED;
  EXPECT_EQ(Found(), "lost 1") << "its repeat was taken for a new one";
  KnownOf(Wish::kSoon).gone = true;
  EXPECT_EQ(Found(), "lost 1");
}

TEST_F(CheckerTest, FindsAJobThatIsGoneWhereThereIsRoom) {
  ForgetUntil(Wish::kEcho);
  ++facts.finished.jobs_max;
  EXPECT_EQ(Found(), "lost 1");
  facts.finished.removed = 1;
  EXPECT_EQ(Found(), "") << "when it was forgotten, there was one more";
}

TEST_F(CheckerTest, FindsADeadLetterThatHadToMakeRoomForFinishedJobs) {
  ForgetUntil(Wish::kOnce);
  KnownOf(Wish::kFail).repeated = v1::JOB_STATE_FAILED;
  Erase(Wish::kFail);
  EXPECT_EQ(Found(), "lost 1");
}

TEST_F(CheckerTest, FindsAJobThatIsForgottenBeforeAnOlderOne) {
  ForgetUntil(Wish::kSoon);
  facts.jobs.push_back(*KnownOf(Wish::kEcho).end);
  facts.finished.jobs_max = 5;
  EXPECT_EQ(Found(), "lost 1, kept 1");
  facts.finished.jobs_max = 6;
  EXPECT_EQ(Found(), "lost 1");
}

TEST_F(CheckerTest, FindsMoreThanMayBeRemembered) {
  facts.finished.jobs_max = 6;
  facts.dead_letters.jobs_max = 0;
  EXPECT_EQ(Found(), "kept 2");
}

TEST_F(CheckerTest, FindsAForgottenSuccessThatNobodySawOutside) {
  ForgetUntil(Wish::kRecord);
  std::erase_if(facts.executions, [&](const Execution& each) { return each.job == KnownOf(Wish::kRecord).job; });
  EXPECT_EQ(Found(), "wrong end 1");
}

TEST_F(CheckerTest, FindsAForgottenJobThatEndedAsItCannot) {
  ForgetUntil(Wish::kEcho);
  KnownOf(Wish::kEcho).end.reset();
  KnownOf(Wish::kEcho).repeated = v1::JOB_STATE_CANCELLED;
  EXPECT_EQ(Found(), "wrong end 1");
}

TEST_F(CheckerTest, FindsThatTheEndOfAForgottenJobChanged) {
  ForgetUntil(Wish::kEcho);
  KnownOf(Wish::kEcho).heard = v1::JOB_STATE_SUCCEEDED;
  EXPECT_EQ(Found(), "");
  KnownOf(Wish::kEcho).heard = v1::JOB_STATE_QUARANTINED;
  EXPECT_EQ(Found(), "changed 1");
  KnownOf(Wish::kEcho).end->set_state(v1::JOB_STATE_QUARANTINED);
  KnownOf(Wish::kEcho).end->set_losses(3);
  EXPECT_EQ(Found(), "changed 2");
}

TEST_F(CheckerTest, FindsAForgottenJobThatRanAgainAfterItsEndWasSeen) {
  ForgetUntil(Wish::kRecord);
  facts.executions.push_back({KnownOf(Wish::kRecord).job, 2});
  EXPECT_EQ(Found(), "ran again 2") << "one too many, and of an attempt that nobody knows";
}

TEST_F(CheckerTest, FindsAForgottenJobThatRanAgainThoughNobodySawItsEnd) {
  ForgetUntil(Wish::kRecord);
  Known& known = KnownOf(Wish::kRecord);
  known.end.reset();
  for (int attempt : {2, 3}) facts.executions.push_back({known.job, attempt});
  EXPECT_EQ(Found(), "") << "the others may have been lost";
  facts.executions.push_back({known.job, 3});
  EXPECT_EQ(Found(), "ran again 2") << "once more than losses can tell, and the same attempt";
}

TEST_F(CheckerTest, FindsAnAttemptThatBeganAfterAClientKnewOfTheSuccess) {
  ForgetUntil(Wish::kRecord);
  Known& known = KnownOf(Wish::kRecord);
  known.end.reset();
  known.over_at = 100;
  facts.executions.push_back({known.job, 2, false, 100});
  EXPECT_EQ(Found(), "");
  facts.executions.back().at = 101;
  EXPECT_EQ(Found(), "ran again 1");
}

TEST_F(CheckerTest, AcceptsALostAttemptWhoseProgramBeginsLate) {
  ForgetUntil(Wish::kSlow);
  KnownOf(Wish::kSlow).over_at = 100;
  for (Execution& each : facts.executions) {
    if (each.job == KnownOf(Wish::kSlow).job && each.attempt == 1) each.at = 200;
  }
  EXPECT_EQ(Found(), "");
}

TEST_F(CheckerTest, FindsAJobThatStartsOnceAndStartedTwice) {
  ForgetUntil(Wish::kOnce);
  KnownOf(Wish::kOnce).end.reset();
  facts.executions.push_back({KnownOf(Wish::kOnce).job, 2});
  EXPECT_EQ(Found(), "ran again 1");
}

TEST_F(CheckerTest, FindsAJobThatWasGoneAndCameBack) {
  KnownOf(Wish::kEcho).gone = true;
  EXPECT_EQ(Found(), "changed 1");
}

TEST_F(CheckerTest, FindsASecondJobInThePlaceOfAForgottenOne) {
  ForgetUntil(Wish::kEcho);
  v1::Job second = *KnownOf(Wish::kEcho).end;
  second.set_id("another");
  facts.jobs.push_back(second);
  ++facts.finished.jobs_max;
  EXPECT_EQ(Found(), "two jobs 1");
}

TEST_F(CheckerTest, FindsAJobThatAStopAndAStartForgot) {
  for (const v1::Job& job : facts.jobs) facts.at_rest.insert(job.id());
  EXPECT_EQ(Found(), "");
  ForgetUntil(Wish::kEcho);
  EXPECT_EQ(Found(), "lost 1");
}

// ---- Jobs that clients delete and retry

TEST_F(CheckerTest, AcceptsThatADeletedJobIsGone) {
  Known& known = KnownOf(Wish::kSoon);
  Erase(Wish::kSoon);
  known.deleted = known.gone = true;
  known.repeated = v1::JOB_STATE_SUCCEEDED;
  EXPECT_EQ(Found(), "");
  known.repeated = v1::JOB_STATE_RUNNING;
  EXPECT_EQ(Found(), "lost 1") << "its request must be known still";
}

TEST_F(CheckerTest, FindsADeletedJobThatRanAgain) {
  Known& known = KnownOf(Wish::kRecord);
  Erase(Wish::kRecord);
  known.deleted = known.gone = true;
  known.repeated = v1::JOB_STATE_SUCCEEDED;
  facts.executions.push_back({known.job, 1});
  EXPECT_EQ(Found(), "ran again 2");
}

TEST_F(CheckerTest, AcceptsThatWhatIsFarSucceedsWhereItWasRetried) {
  v1::Job& far = Job(Wish::kFar);
  KnownOf(Wish::kFar).end.reset();
  far = JobFor(RequestFor(Wish::kFar), v1::JOB_STATE_SUCCEEDED);
  AddAttempt(far, v1::ATTEMPT_RESULT_SUCCEEDED);
  EXPECT_EQ(Found(), "wrong end 1");
  KnownOf(Wish::kFar).retried = true;
  EXPECT_EQ(Found(), "");
}

TEST_F(CheckerTest, FindsAForgottenJobThatWasRetriedAndNeverRan) {
  Known& known = KnownOf(Wish::kFar);
  Erase(Wish::kFar);
  facts.finished.jobs_max = 6;
  known.repeated = v1::JOB_STATE_CANCELLED;
  known.retried = true;
  known.retry = Known::Retry{.before = *known.end, .told = false};
  known.end.reset();
  EXPECT_EQ(Found(), "");
  known.retry->told = true;
  EXPECT_EQ(Found(), "lost 1");
}

}  // namespace
}  // namespace millrace::crash
