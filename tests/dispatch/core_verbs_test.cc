// What clients and time do to a job.
#include <gtest/gtest.h>

#include "dispatch/core.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Filter;

TEST(Verbs, ADelayedJobWaitsForItsTime) {
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

TEST(Verbs, ARunAtFollowsTheWallClock) {
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

TEST(Verbs, RunDueTellsWhenToCallAgain) {
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

TEST(Verbs, ARunTimeoutStopsTheAttemptAndCountsAsFailure) {
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

TEST(Verbs, TheKindsRunTimeoutHoldsWhereTheJobHasNone) {
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

TEST(Verbs, AnAttemptThatEndsInTimeIsNotTimedOutLater) {
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

TEST(Verbs, ADeadlineExpiresAJobWhereverItIs) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.deadline = d.clock.Wall() + 10s;
    spec.retry = {.max_attempts = 2, .initial_backoff = 1h};
    JobId scheduled = d.Submit(spec);
    d.runner.Next().Fail();
    d.AwaitState(scheduled, JobState::kScheduled);
    JobId running = d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    JobId queued = d.Submit(spec);
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

TEST(Verbs, CancelsAQueuedOrScheduledJobAtOnce) {
  WithDispatcher([](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    JobId queued = d.Submit("hold");
    JobSpec spec = d.Spec("hold");
    spec.delay = 1h;
    JobId scheduled = d.Submit(spec);
    EXPECT_EQ(d.Cancel(queued, "not needed")->state, JobState::kCancelled);
    EXPECT_EQ(d.Cancel(scheduled, "")->state, JobState::kCancelled);
    EXPECT_EQ(d.Get(queued).error, "cancelled: not needed");
    EXPECT_EQ(d.Get(scheduled).error, "cancelled");
    EXPECT_EQ(d.Pool().queued_jobs, 0) << "its place is free at once";
    busy.Succeed();
  });
}

TEST(Verbs, CancelsARunningJobThroughItsToken) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    JobSnapshot job = *d.Cancel(id, "wrong input");
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

TEST(Verbs, ACancelOutweighsATimeout) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.run_timeout = 1s;
    JobId id = d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_FALSE(attempt.context().cancel().cancelled());
    d.Advance(1s);
    ASSERT_TRUE(d.Cancel(id, "").ok());
    EXPECT_EQ(attempt.AwaitStop(), "RUN_TIMEOUT") << "the handler is told the first reason";
    attempt.Fail();
    EXPECT_EQ(d.Await(id).state, JobState::kCancelled);
    EXPECT_EQ(d.Get(id).error, "cancelled");
  });
}

TEST(Verbs, AJobThatEndedCannotBeCancelled) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("noop");
    d.Await(id);
    Status status = d.Cancel(id, "").status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.reason(), "WRONG_STATE");
    EXPECT_EQ(status.metadata().at("state"), "SUCCEEDED");
  });
}

TEST(Verbs, RetryGivesADeadLetterFreshAttempts) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 1;
    JobId id = d.Submit(spec);
    d.runner.Next().Fail();
    EXPECT_EQ(d.Await(id).state, JobState::kFailed);
    ASSERT_TRUE(d.Retry(id).ok());
    FakeRunner::Held again = d.runner.Next();
    EXPECT_EQ(again.number(), 2) << "attempts are numbered on";
    EXPECT_EQ(d.Get(id).attempts, 1) << "and counted afresh";
    again.Succeed();
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    EXPECT_EQ(d.dispatcher.Stats().dead_letter_jobs, 0);
    EXPECT_EQ(d.Retry(id).status().reason(), "WRONG_STATE") << "a success is final";
  });
}

TEST(Verbs, RetryMakesAScheduledJobDueNow) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop");
    spec.delay = 1h;
    JobId id = d.Submit(spec);
    ASSERT_TRUE(d.Retry(id).ok());
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
  });
}

TEST(Verbs, DeleteForgetsAJobThatEnded) {
  WithDispatcher([](DispatchFixture& d) {
    JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(d.Delete(id).reason(), "WRONG_STATE");
    attempt.Succeed();
    d.Await(id);
    EXPECT_TRUE(d.Delete(id).ok());
    EXPECT_EQ(d.dispatcher.Get(id).status().reason(), "JOB_NOT_FOUND");
    EXPECT_EQ(d.Delete(id).reason(), "JOB_NOT_FOUND");
    EXPECT_EQ(d.journal.size(), 0u);
  });
}

TEST(Verbs, BulkVerbsSkipWhatTheyDoNotApplyTo) {
  WithDispatcher([](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    for (int i = 0; i < 5; ++i) d.Submit("noop");
    Filter noops = *Filter::Parse("kind = noop");
    dispatch::BulkResult counted = *d.CancelAll(noops, "", /*count_only=*/true);
    EXPECT_EQ(counted.matched, 5);
    EXPECT_EQ(counted.changed, 0);
    EXPECT_EQ(d.CancelAll(noops, "all", false)->changed, 5);
    EXPECT_EQ(d.CancelAll(noops, "again", false)->changed, 0);
    EXPECT_EQ(d.DeleteAll(Filter(), false)->matched, 6);
    EXPECT_EQ(d.List({}).size(), 1u);
    busy.Succeed();
  });
}

}  // namespace
}  // namespace millrace::test
