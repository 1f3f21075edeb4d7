#include "dispatch/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sync/wait_group.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::AttemptOutcome;
using dispatch::Filter;

TEST(Dispatcher, RunsAJobAndKeepsItsResult) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("echo", "hello");
    JobSnapshot job = d.Await(id);
    EXPECT_EQ(job.state, JobState::kSucceeded);
    EXPECT_EQ(*job.result, "hello");
    EXPECT_EQ(job.attempts, 1);
    ASSERT_EQ(job.history.size(), 1u);
    EXPECT_EQ(job.history[0].number, 1);
    EXPECT_EQ(job.history[0].worker, "default/0");
    EXPECT_EQ(job.history[0].result, AttemptResult::kSucceeded);
    EXPECT_TRUE(job.finished.has_value());
    EXPECT_EQ(job.spec->pool, "default");
  });
}

TEST(Dispatcher, AnAttemptsTimesSumUpToItsRun) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    rt::Yield();
    attempt.Succeed();
    AttemptTimings t = d.Await(id).history.at(0).timings;
    EXPECT_GT(t.run, 0ns);
    EXPECT_EQ(t.run, t.cpu + t.runnable + t.blocked_inside + t.blocked_outside);
    EXPECT_GT(t.blocked_inside, 0ns) << "it waited on a channel for the test";
  });
}

TEST(Dispatcher, RetriesAFailedJobAfterItsBackoff) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.initial_backoff = 10s;
    JobId id = d.Submit(spec);
    d.runner.Next().Fail("first");
    d.AwaitState(id, JobState::kScheduled);
    EXPECT_EQ(d.Get(id).error, "first");
    EXPECT_LE(*d.Get(id).due - d.clock.Wall(), 10s);
    d.Advance(10s);
    FakeRunner::Held second = d.runner.Next();
    EXPECT_EQ(second.number(), 2);
    second.Succeed("done");
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    EXPECT_EQ(d.History(id), "FAILED, SUCCEEDED");
    EXPECT_EQ(d.Get(id).error, "");
  });
}

TEST(Dispatcher, AJobOutOfAttemptsIsADeadLetter) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 2;
    JobId id = d.Submit(spec);
    d.runner.Next().Fail("one");
    d.AwaitState(id, JobState::kScheduled);
    d.Advance(1s);
    d.runner.Next().Fail("two");
    EXPECT_EQ(d.Await(id).state, JobState::kFailed);
    EXPECT_EQ(d.Get(id).error, "two");
    EXPECT_EQ(d.dispatcher.Stats().dead_letter_jobs, 1);
  });
}

TEST(Dispatcher, AHandlerMaySayDoNotRetryOrRetryAfter) {
  WithDispatcher([](DispatchFixture& d) {
    JobId never = d.Submit("hold");
    AttemptOutcome outcome = AttemptOutcome::Failed("bad input");
    outcome.do_not_retry = true;
    d.runner.Next().Finish(outcome);
    EXPECT_EQ(d.Await(never).state, JobState::kFailed);

    JobId later = d.Submit("hold");
    outcome = AttemptOutcome::Failed("busy");
    outcome.retry_after = 5min;
    d.runner.Next().Finish(outcome);
    d.AwaitState(later, JobState::kScheduled);
    EXPECT_EQ(*d.Get(later).due, d.clock.Wall() + 5min);
  });
}

TEST(Dispatcher, KeepsTheNewestTenAttempts) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 12;
    JobId id = d.Submit(spec);
    for (int i = 1; i <= 12; ++i) {
      d.runner.Next().Fail();
      d.AwaitIdle();
      d.Advance(1h);
    }
    JobSnapshot job = d.Await(id);
    EXPECT_EQ(job.attempts, 12);
    ASSERT_EQ(job.history.size(), 10u);
    EXPECT_EQ(job.history.front().number, 3);
  });
}

TEST(Dispatcher, ADelayedJobWaitsForItsTime) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.delay = 10s;
    dispatch::SubmitAck ack;
    ASSERT_TRUE(d.TrySubmit(spec, &ack).ok());
    EXPECT_EQ(ack.state, JobState::kScheduled);
    EXPECT_EQ(d.Pool().scheduled_jobs, 1);
    d.clock.StepWall(24h);  // Somebody sets the date: a delay does not care.
    d.Advance(10s - 1ns);
    EXPECT_EQ(d.State(ack.id), JobState::kScheduled);
    d.Advance(1ns);
    d.runner.Next().Succeed();
    EXPECT_EQ(d.Await(ack.id).state, JobState::kSucceeded);
  });
}

TEST(Dispatcher, ARunAtFollowsTheWallClock) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop");
    spec.run_at = d.clock.Wall() + 1h;
    JobId id = d.Submit(spec);
    d.Advance(1s);
    EXPECT_EQ(d.State(id), JobState::kScheduled);
    d.clock.StepWall(1h);
    d.dispatcher.RunDue();
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    spec.run_at = d.clock.Wall() - 1h;
    EXPECT_EQ(d.Await(d.Submit(spec)).state, JobState::kSucceeded) << "a run_at in the past runs at once";
  });
}

TEST(Dispatcher, RunDueTellsWhenToCallAgain) {
  WithDispatcher([](DispatchFixture& d) {
    EXPECT_EQ(d.dispatcher.RunDue(), MonoTime::max());
    JobSpec spec = d.Spec("noop");
    spec.delay = 10s;
    d.Submit(spec);
    EXPECT_EQ(d.dispatcher.RunDue(), d.clock.Mono() + 10s);
    spec.delay.reset();
    spec.run_at = d.clock.Wall() + 5s;
    d.Submit(spec);
    EXPECT_EQ(d.dispatcher.RunDue(), d.clock.Mono() + 1s) << "the wall clock may be set at any time";
  });
}

TEST(Dispatcher, ARunTimeoutStopsTheAttemptAndCountsAsFailure) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.run_timeout = 30s;
    JobId id = d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    d.Advance(30s);
    EXPECT_EQ(attempt.AwaitStop(), "RUN_TIMEOUT");
    EXPECT_EQ(d.State(id), JobState::kRunning) << "until the handler has returned";
    attempt.Succeed("too late");
    d.AwaitState(id, JobState::kScheduled);
    EXPECT_EQ(d.History(id), "TIMED_OUT");
    EXPECT_EQ(d.Get(id).error, "the attempt ran longer than its run_timeout of 30 s");
  });
}

TEST(Dispatcher, TheKindsRunTimeoutHoldsWhereTheJobHasNone) {
  DispatchSetup setup;
  setup.prepare = [](FakeRunner& runner) { runner.AddKind({.name = "limited", .run_timeout = 5s}); };
  WithDispatcher(setup, [](DispatchFixture& d) {
    d.Submit("limited");
    FakeRunner::Held attempt = d.runner.Next();
    d.Advance(5s);
    EXPECT_EQ(attempt.AwaitStop(), "RUN_TIMEOUT");
    attempt.Fail();
  });
}

TEST(Dispatcher, AnAttemptThatEndsInTimeIsNotTimedOutLater) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.run_timeout = 30s;
    JobId id = d.Submit(spec);
    d.runner.Next().Succeed();
    d.Await(id);
    d.Advance(1h);
    EXPECT_EQ(d.History(id), "SUCCEEDED");
  });
}

TEST(Dispatcher, ADeadlineExpiresAJobWhereverItIs) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.deadline = d.clock.Wall() + 10s;
    JobId running = d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    JobId queued = d.Submit(spec);
    spec.delay = 20s;
    JobId scheduled = d.Submit(spec);
    d.Advance(10s);
    EXPECT_EQ(d.State(queued), JobState::kExpired);
    EXPECT_EQ(d.State(scheduled), JobState::kExpired);
    EXPECT_EQ(attempt.AwaitStop(), "DEADLINE");
    attempt.Fail();
    EXPECT_EQ(d.Await(running).state, JobState::kExpired);
    EXPECT_EQ(d.Pool().queued_jobs, 0);
    EXPECT_EQ(d.Pool().scheduled_jobs, 0);
    EXPECT_EQ(d.dispatcher.Stats().process_bytes, 0);
  });
}

TEST(Dispatcher, CancelsAQueuedOrScheduledJobAtOnce) {
  WithDispatcher([](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    JobId queued = d.Submit("hold");
    JobSpec spec = d.Spec("hold");
    spec.delay = 1h;
    JobId scheduled = d.Submit(spec);
    EXPECT_EQ(d.dispatcher.Cancel(queued, "not needed")->state, JobState::kCancelled);
    EXPECT_EQ(d.dispatcher.Cancel(scheduled, "")->state, JobState::kCancelled);
    EXPECT_EQ(d.Get(queued).error, "cancelled: not needed");
    EXPECT_EQ(d.Get(scheduled).error, "cancelled");
    EXPECT_EQ(d.Pool().queued_jobs, 0) << "its place is free at once";
    busy.Succeed();
  });
}

TEST(Dispatcher, CancelsARunningJobThroughItsToken) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    JobSnapshot job = *d.dispatcher.Cancel(id, "wrong input");
    EXPECT_EQ(job.state, JobState::kRunning);
    EXPECT_TRUE(job.cancel_requested);
    EXPECT_EQ(attempt.AwaitStop(), "CANCEL_REQUESTED");
    attempt.Fail("stopped");
    job = d.Await(id);
    EXPECT_EQ(job.state, JobState::kCancelled);
    EXPECT_EQ(job.error, "cancelled: wrong input");
    EXPECT_EQ(d.History(id), "CANCELLED");
  });
}

TEST(Dispatcher, ACancelOutweighsATimeout) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.run_timeout = 1s;
    JobId id = d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_FALSE(attempt.context().cancel().cancelled());
    d.Advance(1s);
    ASSERT_TRUE(d.dispatcher.Cancel(id, "").ok());
    EXPECT_EQ(attempt.AwaitStop(), "RUN_TIMEOUT") << "the handler is told the first reason";
    attempt.Fail();
    EXPECT_EQ(d.Await(id).state, JobState::kCancelled);
    EXPECT_EQ(d.Get(id).error, "cancelled");
  });
}

TEST(Dispatcher, AJobThatEndedCannotBeCancelled) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("noop");
    d.Await(id);
    Status status = d.dispatcher.Cancel(id, "").status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.reason(), "WRONG_STATE");
    EXPECT_EQ(status.metadata().at("state"), "SUCCEEDED");
  });
}

TEST(Dispatcher, RetryGivesADeadLetterFreshAttempts) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 1;
    JobId id = d.Submit(spec);
    d.runner.Next().Fail();
    EXPECT_EQ(d.Await(id).state, JobState::kFailed);
    ASSERT_TRUE(d.dispatcher.Retry(id).ok());
    FakeRunner::Held again = d.runner.Next();
    EXPECT_EQ(again.number(), 2) << "attempts are numbered on";
    EXPECT_EQ(d.Get(id).attempts, 1) << "and counted afresh";
    again.Succeed();
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    EXPECT_EQ(d.dispatcher.Stats().dead_letter_jobs, 0);
    EXPECT_EQ(d.dispatcher.Retry(id).status().reason(), "WRONG_STATE") << "a success is final";
  });
}

TEST(Dispatcher, RetryMakesAScheduledJobDueNow) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop");
    spec.delay = 1h;
    JobId id = d.Submit(spec);
    ASSERT_TRUE(d.dispatcher.Retry(id).ok());
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
  });
}

TEST(Dispatcher, DeleteForgetsAJobThatEnded) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(d.dispatcher.Delete(id).reason(), "WRONG_STATE");
    attempt.Succeed();
    d.Await(id);
    EXPECT_TRUE(d.dispatcher.Delete(id).ok());
    EXPECT_EQ(d.dispatcher.Get(id).status().reason(), "JOB_NOT_FOUND");
    EXPECT_EQ(d.dispatcher.Delete(id).reason(), "JOB_NOT_FOUND");
    EXPECT_EQ(d.journal.size(), 0u);
  });
}

TEST(Dispatcher, BulkVerbsSkipWhatTheyDoNotApplyTo) {
  WithDispatcher([](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    for (int i = 0; i < 5; ++i) d.Submit("noop");
    Filter noops = *Filter::Parse("kind = noop");
    dispatch::BulkResult counted = d.dispatcher.CancelAll(noops, "", /*count_only=*/true);
    EXPECT_EQ(counted.matched, 5);
    EXPECT_EQ(counted.changed, 0);
    EXPECT_EQ(d.dispatcher.CancelAll(noops, "all", false).changed, 5);
    EXPECT_EQ(d.dispatcher.CancelAll(noops, "again", false).changed, 0);
    EXPECT_EQ(d.dispatcher.DeleteAll(Filter(), false).matched, 6);
    EXPECT_EQ(d.dispatcher.List({}).size(), 1u);
    busy.Succeed();
  });
}

TEST(Dispatcher, ListsPagesInEitherDirection) {
  WithDispatcher([](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    std::vector<JobId> ids;
    for (int i = 0; i < 7; ++i) ids.push_back(d.Submit("noop"));
    std::vector<JobSnapshot> page = d.dispatcher.List({.limit = 3});
    ASSERT_EQ(page.size(), 3u);
    EXPECT_EQ(page[2].id, ids[2]);
    page = d.dispatcher.List({.limit = 10, .after = ids[2]});
    ASSERT_EQ(page.size(), 4u);
    EXPECT_EQ(page[0].id, ids[3]);
    page = d.dispatcher.List({.limit = 2, .newest_first = true});
    EXPECT_EQ(page[0].id, ids[6]);
    page = d.dispatcher.List({.limit = 10, .after = ids[1], .newest_first = true});
    ASSERT_EQ(page.size(), 1u);
    EXPECT_EQ(page[0].id, ids[0]);
    EXPECT_TRUE(page[0].history.empty());
  });
}

TEST(Dispatcher, AWaiterHearsOfTheEndOnceAndMayLeaveBefore) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    WaitCall stays, leaves;
    ASSERT_TRUE(d.dispatcher.Wait(id, &stays).ok());
    ASSERT_TRUE(d.dispatcher.Wait(id, &leaves).ok());
    EXPECT_TRUE(d.dispatcher.AbandonWait(id, &leaves));
    EXPECT_FALSE(d.dispatcher.AbandonWait(id, &leaves));
    attempt.Succeed("x");
    EXPECT_EQ(*stays.Await().result, "x");
    EXPECT_FALSE(leaves.told.load());
    EXPECT_FALSE(d.dispatcher.AbandonWait(id, &stays));
    WaitCall late;
    ASSERT_TRUE(d.dispatcher.Wait(id, &late).ok());
    EXPECT_EQ(late.Await().state, JobState::kSucceeded);
    EXPECT_EQ(d.dispatcher.Wait(JobId{1, 2}, &late).reason(), "JOB_NOT_FOUND");
  });
}

TEST(Dispatcher, ShowsProgressAndLogWhileAJobRunsAndAfter) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    attempt.context().SetProgress(0.5, "half");
    attempt.context().Log("line 1\n");
    attempt.context().Log(std::string(kLogTailBytes, 'x'));
    JobSnapshot job = d.Get(id);
    EXPECT_EQ(job.progress->fraction, 0.5);
    EXPECT_EQ(job.progress->message, "half");
    EXPECT_EQ(job.log_tail, std::string(kLogTailBytes, 'x'));
    EXPECT_EQ(job.log_bytes, static_cast<int64_t>(kLogTailBytes) + 7);
    attempt.context().Log("end\n");
    attempt.Succeed();
    job = d.Await(id);
    EXPECT_EQ(job.log_tail.size(), kLogTailBytes);
    EXPECT_TRUE(job.log_tail.ends_with("xend\n"));
    EXPECT_EQ(job.progress->message, "half");
    EXPECT_EQ(d.dispatcher.Get(id, /*full=*/false)->log_tail, "");
  });
}

TEST(Dispatcher, ARetriedJobsLogGoesOn) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 1;
    JobId id = d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    attempt.context().Log("first ");
    attempt.Fail();
    d.Await(id);
    ASSERT_TRUE(d.dispatcher.Retry(id).ok());
    EXPECT_EQ(d.Get(id).log_tail, "first ");
    attempt = d.runner.Next();
    attempt.context().Log("second");
    attempt.Succeed();
    EXPECT_EQ(d.Await(id).log_tail, "first second");
    EXPECT_EQ(d.Get(id).log_bytes, 12);
  });
}

TEST(Dispatcher, AResultOverTheLimitFailsTheJobWithoutRetry) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    d.runner.Next().Succeed(std::string(kResultBytesMax + 1, 'r'));
    JobSnapshot job = d.Await(id);
    EXPECT_EQ(job.state, JobState::kFailed);
    EXPECT_THAT(job.error, testing::HasSubstr("the limit is 1048576"));
  });
}

TEST(Dispatcher, AJobLostTooOftenIsQuarantined) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    for (int loss = 1; loss <= 3; ++loss) {
      AttemptOutcome lost;
      lost.result = AttemptResult::kLost;
      lost.error = "killed by signal 11";
      d.runner.Next().Finish(lost);
    }
    JobSnapshot job = d.Await(id);
    EXPECT_EQ(job.state, JobState::kQuarantined);
    EXPECT_EQ(job.losses, 3);
    EXPECT_EQ(job.attempts, 0) << "a loss burns no attempt";
  });
}

TEST(Dispatcher, AJobStartedAtMostOnceIsNotStartedAgain) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.no_retry_after_start = true;
    JobId id = d.Submit(spec);
    d.runner.Next().Fail("once");
    EXPECT_EQ(d.Await(id).state, JobState::kFailed);
  });
}

TEST(Dispatcher, FinishedJobsAreForgottenByNumberAndAge) {
  DispatchSetup setup;
  setup.options.finished_jobs_max = 3;
  setup.options.finished_age_max = 1h;
  WithDispatcher(setup, [](DispatchFixture& d) {
    std::vector<JobId> ids;
    for (int i = 0; i < 5; ++i) {
      ids.push_back(d.Submit("noop"));
      d.Await(ids.back());
    }
    EXPECT_FALSE(d.dispatcher.Get(ids[1]).ok());
    EXPECT_TRUE(d.dispatcher.Get(ids[2]).ok());
    EXPECT_EQ(d.dispatcher.Stats().trimmed_finished, 2u);
    EXPECT_EQ(d.dispatcher.RunDue(), d.clock.Mono() + 1h);
    d.Advance(1h);
    EXPECT_TRUE(d.dispatcher.List({}).empty());
    EXPECT_EQ(d.journal.size(), 0u);
  });
}

TEST(Dispatcher, FinishedJobsAreForgottenByTheirBytes) {
  DispatchSetup setup;
  setup.options.finished_bytes_max = 3 * (dispatch::kJobOverheadBytes + 1000);
  WithDispatcher(setup, [](DispatchFixture& d) {
    std::vector<JobId> ids;
    for (int i = 0; i < 5; ++i) {
      JobSpec spec = d.Spec("noop");
      spec.payload = MakeBytes(std::string(1000, 'x'));
      ids.push_back(d.Submit(spec));
      d.Await(ids.back());
    }
    EXPECT_FALSE(d.dispatcher.Get(ids[1]).ok());
    EXPECT_TRUE(d.dispatcher.Get(ids[2]).ok());
    EXPECT_EQ(d.dispatcher.Stats().trimmed_finished, 2u);
  });
}

TEST(Dispatcher, DeadLettersHaveARetentionOfTheirOwn) {
  DispatchSetup setup;
  setup.options.finished_age_max = 1h;
  setup.options.dead_letter_age_max = 48h;
  WithDispatcher(setup, [](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 1;
    JobId id = d.Submit(spec);
    d.runner.Next().Fail();
    d.Await(id);
    d.Advance(47h);
    EXPECT_TRUE(d.dispatcher.Get(id).ok());
    d.Advance(1h);
    EXPECT_FALSE(d.dispatcher.Get(id).ok());
    EXPECT_EQ(d.dispatcher.Stats().trimmed_dead_letters, 1u);
  });
}

TEST(Dispatcher, WatchersSeeTheStoryInOrder) {
  WithDispatcher([](DispatchFixture& d) {
    uint64_t cursor = d.dispatcher.events().End();
    JobSpec spec = d.Spec("hold");
    spec.labels = {{"team", "a"}};
    JobId id = d.Submit(spec);
    d.runner.Next().Fail("no");
    d.AwaitState(id, JobState::kScheduled);
    d.Advance(1s);
    d.runner.Next().Succeed();
    d.Await(id);
    std::vector<dispatch::JobEvent> events;
    d.dispatcher.events().Read(&cursor, 100, &events);
    std::string story;
    for (const auto& event : events) story += std::string(ToString(event.state)) + " ";
    EXPECT_EQ(story, "QUEUED RUNNING SCHEDULED QUEUED RUNNING SUCCEEDED ");
    EXPECT_EQ(events[2].error, "no");
    EXPECT_EQ(events[2].attempt, 1);
    EXPECT_EQ(events[0].labels->at("team"), "a");
    EXPECT_EQ(events[0].kind, "hold");
  });
}

TEST(Dispatcher, StopLetsRunningAttemptsEndByThemselves) {
  WithDispatcher([](DispatchFixture& d) {
    JobId running = d.Submit("hold");
    JobId queued = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    sync::WaitGroup stopping;
    dispatch::Dispatcher::DrainReport report;
    stopping.Go([&] { report = d.Stop(1h); });
    while (!d.dispatcher.Stats().draining) rt::Yield();
    EXPECT_EQ(d.TrySubmit(d.Spec("noop")).reason(), "DRAINING");
    attempt.Succeed();
    stopping.Wait();
    EXPECT_EQ(report.finished, 1);
    EXPECT_EQ(report.released, 0);
    EXPECT_EQ(report.queued, 1);
    EXPECT_EQ(d.State(running), JobState::kSucceeded);
    EXPECT_EQ(d.State(queued), JobState::kQueued) << "no worker takes another job";
  });
}

TEST(Dispatcher, StopHandsBackWhatDoesNotEndInTimeAndBurnsNoAttempt) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    sync::WaitGroup stopping;
    dispatch::Dispatcher::DrainReport report;
    stopping.Go([&] { report = d.Stop(0s); });
    EXPECT_EQ(attempt.AwaitStop(), "DRAINING");
    attempt.Fail("interrupted");
    stopping.Wait();
    EXPECT_EQ(report.released, 1);
    EXPECT_EQ(report.queued, 1);
    EXPECT_EQ(d.State(id), JobState::kQueued);
    EXPECT_EQ(d.Get(id).attempts, 0);
    EXPECT_EQ(d.History(id), "RELEASED");
  });
}

TEST(Dispatcher, ASuccessWhileBeingReleasedStaysASuccess) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    sync::WaitGroup stopping;
    stopping.Go([&] { d.Stop(0s); });
    attempt.AwaitStop();
    attempt.Succeed("just in time");
    stopping.Wait();
    EXPECT_EQ(d.State(id), JobState::kSucceeded);
  });
}

TEST(Dispatcher, StopAnswersSubmitsThatWait) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    d.Submit("hold");
    d.runner.Next();
    d.Submit("noop");
    SubmitCall waits;
    waits.items.push_back({d.Spec("noop"), ""});
    waits.on_full = dispatch::OnFull::kWait;
    d.dispatcher.Submit(&waits);
    EXPECT_FALSE(waits.answered());
    d.runner.LetGo();
    d.Stop(1h);
    waits.Await();
    EXPECT_EQ(waits.status.code(), StatusCode::kUnavailable);
  });
}

TEST(Dispatcher, ASecondDispatcherGoesOnWhereTheFirstOneDied) {
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    store::MemoryJournal journal(store::MemoryJournal::Keep::kRecords);
    DispatchSetup setup;
    setup.journal = &journal;
    JobId running, queued, scheduled, finished, at_most_once;
    store::MemoryJournal image(store::MemoryJournal::Keep::kRecords);
    {
      DispatchFixture d(runtime, setup);
      finished = d.Submit("echo", "kept");
      d.Await(finished);
      running = d.Submit("hold");
      d.runner.Next();
      queued = d.Submit("noop");
      JobSpec spec = d.Spec("noop");
      spec.delay = 1h;
      scheduled = d.Submit(spec);
      // What a crash at this moment leaves.
      DispatchFixture::Require(journal.Load([&](dispatch::JobRecord record) {
        const dispatch::JobRecord* one = &record;
        image.Append(std::span(&one, 1), dispatch::Journal::Accepting::kNo, nullptr);
      }));
    }
    setup.journal = &image;
    DispatchFixture d(runtime, setup);
    EXPECT_EQ(*d.Get(finished).result, "kept");
    FakeRunner::Held again = d.runner.Next();
    EXPECT_EQ(again.id(), running);
    EXPECT_EQ(d.Get(running).losses, 1);
    EXPECT_EQ(d.Get(running).attempts, 1);
    EXPECT_EQ(d.History(running), "LOST, RUNNING");
    again.Succeed();
    EXPECT_EQ(d.Await(queued).state, JobState::kSucceeded);
    EXPECT_EQ(d.State(scheduled), JobState::kScheduled);
    d.Advance(1h);
    EXPECT_EQ(d.Await(scheduled).state, JobState::kSucceeded);
  });
}

TEST(Dispatcher, APoolIsCheckedBeforeItIsAdded) {
  WithDispatcher([](DispatchFixture& d) {
    EXPECT_EQ(d.dispatcher.AddPool({.name = "Bad Name"}).reason(), "BAD_POOL");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "a", .runner = "nobody"}).reason(), "BAD_RUNNER");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "a", .workers = 0}).field(), "workers");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "a", .capacity_jobs = -1}).field(), "capacity_jobs");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "default"}).reason(), "POOL_TWICE");
  });
}

}  // namespace
}  // namespace millrace::test
