// Jobs that wait without their record in memory.
#include <gtest/gtest.h>

#include "dispatch/core.h"
#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::kColdJobBytes;
using dispatch::kJobOverheadBytes;

DispatchSetup AllCold() {
  DispatchSetup setup;
  setup.options.hot_bytes_max = 0;
  return setup;
}

int64_t Held(DispatchFixture& d) { return d.dispatcher.Stats().process_bytes; }

TEST(Cold, AJobBeyondTheBudgetIsReadBeforeItRuns) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.options.hot_bytes_max = kJobOverheadBytes + 10;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId first = SubmitTo(d, journal, d.Spec("hold", "hot"));
    const JobId second = SubmitTo(d, journal, d.Spec("hold", "cold"));
    EXPECT_EQ(Held(d), kJobOverheadBytes + 3 + kColdJobBytes);
    EXPECT_EQ(journal.reads(), 0);
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    FakeRunner::Held attempt = Begin(d, journal);
    EXPECT_EQ(attempt.id(), first);
    EXPECT_EQ(journal.reads(), 0);
    attempt.Succeed();
    attempt = Begin(d, journal);
    EXPECT_EQ(attempt.id(), second);
    EXPECT_EQ(attempt.payload(), "cold");
    EXPECT_EQ(journal.reads(), 1);
    attempt.Succeed();
  });
}

TEST(Cold, AReadThatFailsNeitherLosesTheJobNorBurnsAnAttempt) {
  for (const bool damaged : {false, true}) {
    SlowJournal journal;
    WithSlow(journal, AllCold(), [&](DispatchFixture& d) {
      ASSERT_TRUE(d.dispatcher.Pause("default").ok());
      JobSpec spec = d.Spec("hold", "payload");
      spec.retry.max_attempts = 1;
      const JobId id = SubmitTo(d, journal, spec);
      const Status broken = damaged ? Internal("STORE_DAMAGED", "bits") : Unavailable("STORE_FAILED", "no disk");
      journal.FailReads(broken);
      ASSERT_TRUE(d.dispatcher.Resume("default").ok());
      while (journal.reads() == 0) rt::Yield();
      EXPECT_EQ(d.dispatcher.Get(id).status().reason(), broken.reason());
      EXPECT_EQ(d.Cancel(id, "").status().reason(), broken.reason());
      EXPECT_EQ(d.Pool().queued_jobs, 1);
      EXPECT_EQ(d.Pool().workers_busy, 0);
      // Others are served meanwhile, as long as they need not be read.
      journal.FailReads(OkStatus());
      EXPECT_EQ(d.Get(id).attempts, 0);
      while (d.runner.begun() == 0) {
        d.Advance(damaged ? 1min : 1s);
        journal.Commit();
        rt::Yield();
      }
      FakeRunner::Held attempt = d.runner.Next();
      EXPECT_EQ(attempt.number(), 1);
      EXPECT_EQ(attempt.payload(), "payload");
      attempt.Succeed();
    });
  }
}

TEST(Cold, AJobThatIsCancelledWhileItIsReadDoesNotStart) {
  SlowJournal journal;
  WithSlow(journal, AllCold(), [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId id = SubmitTo(d, journal, d.Spec("hold"));
    journal.FailReads(Unavailable("STORE_FAILED", "no disk"));
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    while (journal.reads() == 0) rt::Yield();
    journal.FailReads(OkStatus());
    VerbCall cancel;
    d.dispatcher.Cancel(id, "", &cancel);
    EXPECT_EQ(d.Pool().queued_jobs, 0) << "at once";
    d.Advance(1min);
    journal.Commit();
    EXPECT_EQ(d.State(id), JobState::kCancelled);
    EXPECT_EQ(d.runner.begun(), 0u);
    EXPECT_EQ(Held(d), 0);
  });
}

TEST(Cold, WhatAnAttemptLeftIsThereForTheNextOne) {
  SlowJournal journal;
  WithSlow(journal, AllCold(), [&](DispatchFixture& d) {
    const JobId id = SubmitTo(d, journal, d.Spec("hold", "payload"));
    FakeRunner::Held attempt = Begin(d, journal);
    attempt.context().Log("one ");
    attempt.context().SetProgress(0.5, "half");
    attempt.Fail("no");
    d.AwaitState(id, JobState::kScheduled);
    EXPECT_GE(Held(d), kJobOverheadBytes + 7) << "until it is committed, with what it shows";
    journal.Commit();
    EXPECT_EQ(Held(d), kColdJobBytes);
    const JobSnapshot job = d.Get(id);
    EXPECT_EQ(job.state, JobState::kScheduled);
    EXPECT_EQ(job.error, "no");
    EXPECT_EQ(job.log_tail, "one ");
    EXPECT_EQ(job.progress->message, "half");
    EXPECT_EQ(Held(d), kColdJobBytes) << "to be looked at warms it for a moment only";
    d.Advance(1s);
    attempt = Begin(d, journal);
    EXPECT_EQ(attempt.number(), 2);
    EXPECT_EQ(attempt.payload(), "payload");
    attempt.context().Log("two");
    EXPECT_EQ(d.Get(id).log_tail, "one two");
    ASSERT_TRUE(d.Get(id).progress.has_value());
    EXPECT_EQ(d.Get(id).progress->message, "half");
    EXPECT_EQ(d.History(id), "FAILED, RUNNING");
    attempt.Succeed();
  });
}

TEST(Cold, AJobThatIsToBeReadAgainMayStartBeforeThat) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 2}};
  setup.options.hot_bytes_max = kJobOverheadBytes;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    const auto committed = [&](const std::function<void(VerbCall*)>& verb) {
      VerbCall call;
      verb(&call);
      journal.Commit();
      call.Await();
      DispatchFixture::Require(call.status);
    };
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    JobSpec spec = d.Spec("hold");
    spec.delay = 1h;
    const JobId takes_the_budget = SubmitTo(d, journal, spec);
    spec.delay.reset();
    spec.run_timeout = 30s;
    const JobId id = SubmitTo(d, journal, spec);
    // One worker reads it for long; meanwhile it ends, and lives again.
    journal.HoldNextRead();
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    while (!journal.read_held()) rt::Yield();
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    committed([&](VerbCall* call) { d.dispatcher.Cancel(id, "", call); });
    committed([&](VerbCall* call) { d.dispatcher.Retry(id, call); });
    // The other one cannot read it.
    journal.FailReads(Unavailable("STORE_FAILED", "no disk"));
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    while (d.dispatcher.RunDue() > d.clock.Mono() + 1s) rt::Yield();
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    journal.FailReads(OkStatus());
    // What the first one has read is out of date: back into line with it.
    journal.ReleaseRead();
    while (!d.Pool().oldest_queued) rt::Yield();
    committed([&](VerbCall* call) { d.dispatcher.Cancel(takes_the_budget, "", call); });
    EXPECT_EQ(d.State(id), JobState::kQueued) << "and from here on hot";
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    FakeRunner::Held attempt = Begin(d, journal);
    EXPECT_EQ(attempt.id(), id);
    attempt.Succeed();
  });
}

TEST(Cold, TheWorkerOfAJobThatCannotBeReadServesOthersOnceThatIsCancelled) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.options.hot_bytes_max = kJobOverheadBytes + 10;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId cold = SubmitTo(d, journal, d.Spec("hold", std::string(100, 'x')));
    const JobId hot = SubmitTo(d, journal, d.Spec("hold"));
    journal.FailReads(Unavailable("STORE_FAILED", "no disk"));
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    while (d.dispatcher.RunDue() == MonoTime::max()) rt::Yield();  // Until it is to be read again.
    journal.FailReads(OkStatus());
    EXPECT_EQ(d.Pool().workers_busy, 0);
    VerbCall cancel;
    d.dispatcher.Cancel(cold, "", &cancel);
    journal.Commit();
    cancel.Await();
    ASSERT_EQ(d.Pool().workers_busy, 1);
    FakeRunner::Held attempt = Begin(d, journal);
    EXPECT_EQ(attempt.id(), hot);
    attempt.Succeed();
  });
}

TEST(Cold, ABulkCancelOnADiskThatFailsStopsWhereTheMemoryForJobsEnds) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.options.hot_bytes_max = 0;
  setup.options.process_bytes_max = 5 * (kJobOverheadBytes + 1000);
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    for (int i = 0; i < 10; ++i) SubmitTo(d, journal, d.Spec("noop", std::string(1000, 'x')));
    journal.SetFailing(true);
    const dispatch::Filter all = *dispatch::Filter::Parse("state = QUEUED");
    VerbCall failing;
    d.dispatcher.CancelAll(all, "", false, &failing);
    EXPECT_EQ(failing.bulk.matched, 10);
    EXPECT_GE(failing.bulk.changed, 4);
    EXPECT_LE(failing.bulk.changed, 5);
    EXPECT_LE(Held(d), setup.options.process_bytes_max + 10 * kColdJobBytes);
    journal.SetFailing(false);
    journal.Commit();
    failing.Await();
    VerbCall again;
    d.dispatcher.CancelAll(all, "", false, &again);
    journal.Commit();
    again.Await();
    EXPECT_EQ(again.bulk.changed, 10 - failing.bulk.changed);
  });
}

TEST(Cold, DeadlinesAndRetriesOnADiskThatFailsStopWhereTheMemoryForJobsEnds) {
  SlowJournal journal;
  DispatchSetup setup = AllCold();
  setup.options.process_bytes_max = 5 * (kJobOverheadBytes + 1000);
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    for (int i = 0; i < 10; ++i) {
      JobSpec spec = d.Spec("noop", std::string(1000, 'x'));
      if (i % 2 == 0) {
        spec.deadline = d.clock.Wall() + 1h;
      } else {
        spec.delay = 2h;
      }
      SubmitTo(d, journal, spec);
    }
    journal.SetFailing(true);
    const dispatch::Filter scheduled = *dispatch::Filter::Parse("state = SCHEDULED");
    VerbCall retry;
    d.dispatcher.RetryAll(scheduled, false, &retry);
    d.Advance(1h);
    EXPECT_LE(Held(d), setup.options.process_bytes_max + kJobOverheadBytes + 1000 + 10 * kColdJobBytes);
    VerbCall none;
    d.dispatcher.RetryAll(scheduled, false, &none);
    EXPECT_EQ(none.bulk.changed, 0);
    EXPECT_TRUE(none.bulk.matched == 0 || none.bulk.first_error.reason() == "STORE_FAILED");
    journal.SetFailing(false);
    journal.Commit();
    retry.Await();
    d.Advance(1s);
    journal.Commit();
    if (!none.answered()) none.Await();
    EXPECT_EQ(d.dispatcher.Stats().jobs[static_cast<size_t>(JobState::kExpired)], 5) << "the others a second later";
  });
}

TEST(Cold, AJobThatIsLateWhenItsAttemptIsRetriedAtOnceEndsOnce) {
  SlowJournal journal;
  WithSlow(journal, AllCold(), [&](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.initial_backoff = Nanos(0);
    spec.retry.max_attempts = 5;
    spec.deadline = d.clock.Wall() + 1s;
    const JobId id = SubmitTo(d, journal, spec);
    FakeRunner::Held attempt = Begin(d, journal);
    // The timekeeper has not come to it yet; and no time has passed for the worker, which looks for its next job in the
    // Turn that ends this one.
    d.clock.StepWall(2s);
    attempt.Fail();
    while (journal.Appended(id) != JobState::kExpired) rt::Yield();
    journal.Commit();
    EXPECT_EQ(d.State(id), JobState::kExpired);
  });
}

TEST(Cold, DueDeadlineCancelRetryAndWaitWorkOnColdJobs) {
  WithDispatcher(AllCold(), [](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop", "payload");
    spec.delay = 10s;
    spec.labels = {{"team", "a"}};
    const JobId due = d.Submit(spec), cancelled = d.Submit(spec), retried = d.Submit(spec);
    spec.delay = 4s;
    spec.deadline = d.clock.Wall() + 5s;
    const JobId late = d.Submit(spec);
    EXPECT_EQ(Held(d), 4 * kColdJobBytes);
    EXPECT_EQ(d.List({.filter = *dispatch::Filter::Parse("labels.team = a AND state = SCHEDULED")}).size(), 4u);
    EXPECT_EQ(d.List({.limit = 1, .after = due, .full = true}).at(0).id, cancelled);
    WaitCall wait;
    ASSERT_TRUE(d.dispatcher.Wait(late, &wait).ok());
    d.Advance(5s);
    EXPECT_EQ(wait.Await().state, JobState::kExpired);
    EXPECT_EQ(d.Cancel(cancelled, "")->state, JobState::kCancelled);
    ASSERT_TRUE(d.Retry(retried).ok());
    EXPECT_EQ(d.Await(retried).state, JobState::kSucceeded);
    ASSERT_TRUE(d.Retry(cancelled).ok());
    EXPECT_EQ(d.Await(cancelled).state, JobState::kSucceeded);
    d.Advance(5s);
    EXPECT_EQ(d.Await(due).state, JobState::kSucceeded);
    EXPECT_EQ(Held(d), 0);
  });
}

TEST(Ended, AreListedInIdOrderWithTheLiving) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 2}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    std::vector<JobId> ids;
    for (int i = 0; i < 600; ++i) ids.push_back(d.Submit("noop", std::to_string(i)));
    for (const JobId& id : ids) d.Await(id);
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    for (int i = 0; i < 600; ++i) ids.push_back(d.Submit("noop"));
    for (const bool backwards : {false, true}) {
      std::vector<JobId> found;
      std::optional<JobId> after;
      for (;;) {
        const std::vector<JobSnapshot> page = d.List({.limit = 77, .after = after, .newest_first = backwards});
        for (const JobSnapshot& job : page) found.push_back(job.id);
        if (page.size() < 77) break;
        after = page.back().id;
      }
      if (backwards) std::reverse(found.begin(), found.end());
      EXPECT_EQ(found, ids);
    }
    const auto filter = [](const char* text) { return *dispatch::Filter::Parse(text); };
    EXPECT_EQ(d.List({.filter = filter("state = SUCCEEDED"), .limit = 5000}).size(), 600u);
    EXPECT_EQ(d.List({.filter = filter("state = QUEUED"), .limit = 5000}).size(), 600u);
    EXPECT_EQ(d.List({.filter = filter("state = FAILED"), .limit = 5000}).size(), 0u);
    EXPECT_EQ(*d.List({.limit = 1, .full = true}).at(0).spec->payload, "0");
  });
}

TEST(Ended, APageEndsEarlyRatherThanWeighTooMuch) {
  WithDispatcher([](DispatchFixture& d) {
    for (int i = 0; i < 10; ++i) d.Await(d.Submit("noop", std::string(1000, 'x')));
    const dispatch::JobPage page = *d.dispatcher.List({.full = true, .bytes_max = 2500});
    EXPECT_EQ(page.jobs.size(), 3u);
    EXPECT_TRUE(page.more);
    EXPECT_FALSE(d.dispatcher.List({.full = true})->more);
  });
}

}  // namespace
}  // namespace millrace::test
