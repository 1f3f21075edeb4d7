#include "dispatch/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::AttemptOutcome;

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
    attempt.AwaitParked();
    attempt.Succeed();
    AttemptTimings t = d.Await(id).history.at(0).timings;
    EXPECT_GT(t.run, 0ns);
    EXPECT_EQ(t.run, t.cpu + t.runnable + t.blocked_inside + t.blocked_outside);
    EXPECT_GT(t.blocked_inside, 0ns) << "it waited on a channel for the test";
  });
}

TEST(Dispatcher, AnAttemptThatCouldNotStartIsNoneAndTheJobWaits) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 1;
    spec.no_retry_after_start = true;
    JobId id = d.Submit(spec);
    for (int i = 0; i < 20; ++i) {
      d.runner.Next().Finish(AttemptOutcome::NotStarted("no process could be had"));
      d.AwaitState(id, JobState::kScheduled);
      EXPECT_EQ(d.Get(id).attempts, 0);
      EXPECT_EQ(d.Get(id).losses, 0);
      EXPECT_EQ(d.Get(id).error, "no process could be had");
      EXPECT_EQ(d.History(id), "");
      d.Advance(2s);
    }
    d.runner.Next().Succeed();
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    EXPECT_EQ(d.Get(id).attempts, 1);
    EXPECT_EQ(d.PoolStats().starts_refused, 20u);
    for (const dispatch::KindStats& kind : d.PoolStats().kinds) {
      EXPECT_EQ(kind.attempts[static_cast<size_t>(AttemptResult::kReleased)], 0u) << kind.kind;
    }
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

TEST(Dispatcher, ListsPagesInEitherDirection) {
  WithDispatcher([](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    std::vector<JobId> ids;
    for (int i = 0; i < 7; ++i) ids.push_back(d.Submit("noop"));
    std::vector<JobSnapshot> page = d.List({.limit = 3});
    ASSERT_EQ(page.size(), 3u);
    EXPECT_EQ(page[2].id, ids[2]);
    page = d.List({.limit = 10, .after = ids[2]});
    ASSERT_EQ(page.size(), 4u);
    EXPECT_EQ(page[0].id, ids[3]);
    page = d.List({.limit = 2, .newest_first = true});
    EXPECT_EQ(page[0].id, ids[6]);
    page = d.List({.limit = 10, .after = ids[1], .newest_first = true});
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

TEST(Dispatcher, HoweverManyWaitForAJobItIsCopiedForThemOnce) {
  struct Looker final : dispatch::JobWaiter {
    void OnFinished(const JobSnapshot& job) override {
      log = job.log_tail.data();
      told.Wake();
    }
    const char* log = nullptr;
    rt::Parker told;
  };
  WithDispatcher([](DispatchFixture& d) {
    const JobId id = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    attempt.context().Log(std::string(kLogTailBytes, 'x'));
    std::vector<Looker> lookers(100);
    for (Looker& each : lookers) ASSERT_TRUE(d.dispatcher.Wait(id, &each).ok());
    attempt.Succeed();
    for (Looker& each : lookers) each.told.Wait(rt::WaitReason::kExternal);
    for (const Looker& each : lookers) EXPECT_EQ(each.log, lookers[0].log);
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

TEST(Dispatcher, ARetriedJobsProgressStaysUntilItTellsOfMore) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.max_attempts = 1;
    const JobId id = d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    attempt.context().SetProgress(0.5, "half");
    attempt.Fail();
    d.Await(id);
    ASSERT_TRUE(d.Retry(id).ok());
    attempt = d.runner.Next();
    attempt.context().Log("again");
    ASSERT_TRUE(d.Get(id).progress.has_value());
    EXPECT_EQ(d.Get(id).progress->message, "half");
    attempt.context().SetProgress(0.75, "more");
    attempt.Succeed();
    EXPECT_EQ(d.Await(id).progress->message, "more");
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
    ASSERT_TRUE(d.Retry(id).ok());
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
    EXPECT_TRUE(d.List({}).empty());
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

TEST(Dispatcher, ALargeJobIsFollowedByAsManyForgottenOnesAsItTakes) {
  DispatchSetup setup;
  setup.options.finished_bytes_max = 10 * dispatch::kJobOverheadBytes + 10'000;
  WithDispatcher(setup, [](DispatchFixture& d) {
    std::vector<JobId> ids;
    for (int i = 0; i < 10; ++i) {
      ids.push_back(d.Submit("noop"));
      d.Await(ids.back());
    }
    ids.push_back(d.Submit("noop", std::string(10'000 + 3 * dispatch::kJobOverheadBytes, 'x')));
    d.Await(ids.back());
    EXPECT_EQ(d.dispatcher.Stats().trimmed_finished, 1u) << "in the turn in which the job ended";
    d.dispatcher.RunDue();
    EXPECT_EQ(d.dispatcher.Stats().trimmed_finished, 4u);
    EXPECT_FALSE(d.dispatcher.Get(ids[3]).ok());
    EXPECT_TRUE(d.dispatcher.Get(ids[4]).ok());
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

TEST(Dispatcher, APoolIsCheckedBeforeItIsAdded) {
  WithDispatcher([](DispatchFixture& d) {
    EXPECT_EQ(d.dispatcher.AddPool({.name = "Bad Name"}).reason(), "BAD_POOL");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "a", .runner = "nobody"}).reason(), "BAD_RUNNER");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "a", .workers = 0}).field(), "workers");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "a", .capacity_jobs = -1}).field(), "capacity_jobs");
    EXPECT_EQ(d.dispatcher.AddPool({.name = "default"}).reason(), "POOL_TWICE");
  });
}

TEST(Dispatcher, AJobThatEndedJustNowIsAnsweredWhateverRetentionSays) {
  DispatchSetup setup;
  setup.options.finished_age_min = 10s;
  setup.options.finished_jobs_max = 0;
  setup.options.finished_bytes_max = 0;
  setup.options.finished_age_max = 0s;
  WithDispatcher(setup, [](DispatchFixture& d) {
    const JobId id = d.Submit("echo", "hello");
    EXPECT_EQ(*d.Await(id).result, "hello");
    d.Advance(9s);
    EXPECT_EQ(*d.Get(id).result, "hello");
    EXPECT_EQ(*d.Await(id).result, "hello") << "also for who begins to wait late";
    d.Advance(1s);
    EXPECT_EQ(d.dispatcher.Get(id).status().reason(), "JOB_NOT_FOUND");
  });
}

}  // namespace
}  // namespace millrace::test
