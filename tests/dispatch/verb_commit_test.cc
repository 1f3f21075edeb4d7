// Verbs and expiries, when the journal takes its time: when they are told, and what is seen until then.
#include <gtest/gtest.h>

#include "dispatch/core.h"
#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Filter;

// Two jobs that wait, one for a worker and one for its time, in a pool that is paused.
struct Waiting {
  Waiting(DispatchFixture& fixture, SlowJournal& slow) : d(fixture), journal(slow) {
    DispatchFixture::Require(d.dispatcher.Pause("default").status());
    queued = SubmitTo(d, journal, d.Spec("hold", "payload"));
    JobSpec later = d.Spec("hold");
    later.delay = 1h;
    scheduled = SubmitTo(d, journal, later);
  }
  // It does nothing else than to be committed.
  void Cancelled(const JobId& id) {
    VerbCall call;
    d.dispatcher.Cancel(id, "", &call);
    journal.Commit();
    call.Await();
    DispatchFixture::Require(call.status);
  }

  DispatchFixture& d;
  SlowJournal& journal;
  JobId queued, scheduled;
};

void WithWaiting(const std::function<void(Waiting&)>& body, DispatchSetup setup = {}) {
  SlowJournal journal;
  WithSlow(journal, std::move(setup), [&](DispatchFixture& d) {
    Waiting waiting(d, journal);
    body(waiting);
  });
}

std::vector<std::string> EventsSince(DispatchFixture& d, uint64_t cursor) {
  std::vector<dispatch::JobEvent> events;
  d.dispatcher.events().Read(&cursor, 100, &events, nullptr);
  std::vector<std::string> states;
  for (const dispatch::JobEvent& event : events) states.emplace_back(ToString(event.state));
  return states;
}

TEST(VerbCommit, ACancelIsToldAndSeenWhenItIsCommittedButActsAtOnce) {
  for (const bool cold : {false, true}) {
    DispatchSetup setup;
    if (cold) setup.options.hot_bytes_max = 0;
    WithWaiting(
        [&](Waiting& w) {
          DispatchFixture& d = w.d;
          const uint64_t before = d.dispatcher.events().End();
          WaitCall wait;
          ASSERT_TRUE(d.dispatcher.Wait(w.queued, &wait).ok());
          VerbCall first, second;
          d.dispatcher.Cancel(w.queued, "not needed", &first);
          d.dispatcher.Cancel(w.scheduled, "", &second);
          ASSERT_TRUE(d.dispatcher.Resume("default").ok());
          d.Advance(2h);
          EXPECT_EQ(d.Pool().queued_jobs, 0);
          EXPECT_EQ(d.Pool().workers_busy, 0) << "they do not start any more";

          EXPECT_FALSE(first.answered() || second.answered() || wait.told.load());
          EXPECT_EQ(d.State(w.queued), JobState::kQueued);
          EXPECT_EQ(d.State(w.scheduled), JobState::kScheduled);
          EXPECT_FALSE(d.Get(w.queued).cancel_requested);
          EXPECT_EQ(d.List({.filter = *Filter::Parse("state = CANCELLED")}).size(), 0u);
          EXPECT_EQ(EventsSince(d, before), (std::vector<std::string>{}));

          w.journal.Commit();
          first.Await();
          second.Await();
          ASSERT_TRUE(first.status.ok() && second.status.ok());
          EXPECT_EQ(first.job.state, JobState::kCancelled);
          EXPECT_EQ(first.job.error, "cancelled: not needed");
          EXPECT_EQ(wait.Await().state, JobState::kCancelled);
          EXPECT_EQ(d.State(w.queued), JobState::kCancelled);
          EXPECT_EQ(d.State(w.scheduled), JobState::kCancelled);
          EXPECT_EQ(EventsSince(d, before), (std::vector<std::string>{"CANCELLED", "CANCELLED"}));
          EXPECT_EQ(d.runner.begun(), 0u);
          EXPECT_EQ(d.dispatcher.Stats().process_bytes, 0);
        },
        setup);
  }
}

TEST(VerbCommit, WhoIsToldFindsTheJobChanged) {
  class Looking final : public dispatch::VerbCall {
   public:
    explicit Looking(DispatchFixture& fixture) : d_(fixture) {}
    void Done() override { seen = d_.State(job.id); }
    std::optional<JobState> seen;

   private:
    DispatchFixture& d_;
  };
  WithWaiting([](Waiting& w) {
    Looking cancel(w.d), retry(w.d);
    w.d.dispatcher.Cancel(w.queued, "", &cancel);
    w.journal.Commit();
    EXPECT_EQ(cancel.seen, JobState::kCancelled);
    w.d.dispatcher.Retry(w.queued, &retry);
    w.journal.Commit();
    EXPECT_EQ(retry.seen, JobState::kQueued);
  });
}

TEST(VerbCommit, ARunningJobIsAskedToStopAtOnce) {
  SlowJournal journal;
  WithSlow(journal, {}, [&](DispatchFixture& d) {
    const JobId id = SubmitTo(d, journal, d.Spec("hold"));
    FakeRunner::Held attempt = Begin(d, journal);
    VerbCall call;
    d.dispatcher.Cancel(id, "", &call);
    EXPECT_EQ(attempt.AwaitStop(), "CANCEL_REQUESTED");
    EXPECT_FALSE(call.answered());
    journal.Commit();
    call.Await();
    ASSERT_TRUE(call.status.ok());
    EXPECT_EQ(call.job.state, JobState::kRunning);
    EXPECT_TRUE(call.job.cancel_requested);
    attempt.Fail();
  });
}

TEST(VerbCommit, AJobThatExpiresIsSeenAsSuchWhenItIsCommitted) {
  for (const bool cold : {false, true}) {
    SlowJournal journal;
    DispatchSetup setup;
    if (cold) setup.options.hot_bytes_max = 0;
    WithSlow(journal, setup, [&](DispatchFixture& d) {
      ASSERT_TRUE(d.dispatcher.Pause("default").ok());
      JobSpec spec = d.Spec("hold");
      spec.deadline = d.clock.Wall() + 10s;
      const JobId id = SubmitTo(d, journal, spec);
      WaitCall wait;
      ASSERT_TRUE(d.dispatcher.Wait(id, &wait).ok());
      d.Advance(10s);
      ASSERT_TRUE(d.dispatcher.Resume("default").ok());
      EXPECT_EQ(d.Pool().queued_jobs, 0);
      EXPECT_EQ(d.State(id), JobState::kQueued);
      EXPECT_FALSE(wait.told.load());
      journal.Commit();
      EXPECT_EQ(wait.Await().state, JobState::kExpired);
      EXPECT_EQ(d.State(id), JobState::kExpired);
      EXPECT_EQ(d.runner.begun(), 0u);
    });
  }
}

TEST(VerbCommit, ASecondCancelIsNotToldOfTheFirstBeforeThatIsCommitted) {
  WithWaiting([](Waiting& w) {
    VerbCall first, second;
    w.d.dispatcher.Cancel(w.queued, "first", &first);
    w.d.dispatcher.Cancel(w.queued, "second", &second);
    EXPECT_FALSE(second.answered());
    w.journal.Commit();
    first.Await();
    second.Await();
    EXPECT_TRUE(first.status.ok());
    EXPECT_EQ(second.status.reason(), "WRONG_STATE");
    EXPECT_EQ(second.status.metadata().at("state"), "CANCELLED");
    EXPECT_EQ(w.d.Get(w.queued).error, "cancelled: first");
  });
}

TEST(VerbCommit, ACancelThatComesAfterTheEndIsToldOfThatWhenItIsCommitted) {
  SlowJournal journal;
  WithSlow(journal, {}, [&](DispatchFixture& d) {
    const JobId id = SubmitTo(d, journal, d.Spec("hold"));
    Begin(d, journal).Succeed();
    while (journal.waiting() == 0) rt::Yield();
    VerbCall call;
    d.dispatcher.Cancel(id, "late", &call);
    EXPECT_EQ(d.State(id), JobState::kRunning);
    EXPECT_FALSE(call.answered());
    journal.Commit();
    call.Await();
    EXPECT_EQ(call.status.reason(), "WRONG_STATE");
    EXPECT_EQ(call.status.metadata().at("state"), "SUCCEEDED");
  });
}

TEST(VerbCommit, WhatFollowsAnEndHasToWaitForIt) {
  WithWaiting([](Waiting& w) {
    VerbCall cancel;
    w.d.dispatcher.Cancel(w.scheduled, "", &cancel);
    // Nothing that they could say would be true, and stay so.
    EXPECT_EQ(w.d.Retry(w.scheduled).status().reason(), "JOB_MOVES");
    EXPECT_EQ(w.d.Delete(w.scheduled).reason(), "JOB_MOVES");
    w.journal.Commit();
    VerbCall retry, remove;
    w.d.dispatcher.Retry(w.scheduled, &retry);
    w.d.dispatcher.Delete(w.scheduled, &remove);
    w.journal.Commit();
    retry.Await();
    remove.Await();
    EXPECT_TRUE(retry.status.ok());
    EXPECT_EQ(remove.status.reason(), "WRONG_STATE") << "it is queued again";
  });
}

TEST(VerbCommit, ARetryIsToldWhenItIsCommitted) {
  WithWaiting([](Waiting& w) {
    DispatchFixture& d = w.d;
    w.Cancelled(w.queued);
    VerbCall first, second, due;
    d.dispatcher.Retry(w.queued, &first);
    d.dispatcher.Retry(w.queued, &second);
    d.dispatcher.Retry(w.scheduled, &due);
    EXPECT_EQ(d.State(w.queued), JobState::kQueued) << "nobody was promised that it stays so";
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    EXPECT_FALSE(first.answered() || second.answered() || due.answered());
    w.journal.Commit();
    for (VerbCall* call : {&first, &second, &due}) call->Await();
    EXPECT_TRUE(first.status.ok());
    EXPECT_EQ(first.job.state, JobState::kQueued);
    EXPECT_EQ(second.status.reason(), "WRONG_STATE");
    EXPECT_TRUE(due.status.ok());
    EXPECT_EQ(due.job.state, JobState::kQueued);
    FakeRunner::Held attempt = Begin(d, w.journal);
    EXPECT_EQ(attempt.payload(), "payload");
    attempt.Succeed();
  });
}

TEST(VerbCommit, ADeleteIsToldWhenItIsCommitted) {
  WithWaiting([](Waiting& w) {
    w.Cancelled(w.queued);
    VerbCall first, second;
    w.d.dispatcher.Delete(w.queued, &first);
    w.d.dispatcher.Delete(w.queued, &second);
    EXPECT_EQ(w.d.dispatcher.Get(w.queued).status().reason(), "JOB_NOT_FOUND");
    EXPECT_FALSE(first.answered() || second.answered()) << "after a loss of power it might be there again";
    w.journal.Commit();
    first.Await();
    second.Await();
    EXPECT_TRUE(first.status.ok());
    EXPECT_EQ(second.status.reason(), "JOB_NOT_FOUND");
  });
}

TEST(VerbCommit, ABulkVerbWaitsForOneCommit) {
  constexpr int kJobs = 600;
  SlowJournal journal;
  WithSlow(journal, {.pools = {{.name = "default", .workers = 1, .capacity_jobs = kJobs}}}, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    SubmitCall submit;
    for (int i = 0; i < kJobs; ++i) submit.items.push_back({d.Spec("hold"), ""});
    d.dispatcher.Submit(&submit);
    journal.Commit();
    submit.Await();
    ASSERT_TRUE(submit.status.ok());
    const Filter holds = *Filter::Parse("kind = hold");
    VerbCall counted;
    d.dispatcher.CancelAll(holds, "", /*count_only=*/true, &counted);
    EXPECT_TRUE(counted.answered()) << "it changes nothing";
    VerbCall cancel, retry, remove;
    d.dispatcher.CancelAll(holds, "", false, &cancel);
    EXPECT_FALSE(cancel.answered());
    EXPECT_EQ(d.List({.filter = *Filter::Parse("state = QUEUED"), .limit = 1000}).size(), size_t{kJobs});
    journal.Commit();
    cancel.Await();
    EXPECT_EQ(cancel.bulk.changed, kJobs);
    d.dispatcher.RetryAll(holds, false, &retry);
    EXPECT_FALSE(retry.answered());
    journal.Commit();
    retry.Await();
    EXPECT_EQ(retry.bulk.changed, kJobs);
    VerbCall again;
    d.dispatcher.CancelAll(holds, "", false, &again);
    journal.Commit();
    again.Await();
    d.dispatcher.DeleteAll(holds, false, &remove);
    EXPECT_FALSE(remove.answered());
    EXPECT_EQ(journal.Commit(), 1u) << "the verb, and nobody else";
    remove.Await();
    EXPECT_EQ(remove.bulk.matched, kJobs);
    EXPECT_EQ(remove.bulk.changed, kJobs);
  });
}

TEST(VerbCommit, WhoLeavesIsNotToldAndTheVerbStands) {
  WithWaiting([](Waiting& w) {
    VerbCall call;
    w.d.dispatcher.Cancel(w.queued, "", &call);
    EXPECT_TRUE(w.d.dispatcher.Abandon(&call));
    EXPECT_FALSE(w.d.dispatcher.Abandon(&call));
    w.journal.Commit();
    EXPECT_FALSE(call.answered());
    EXPECT_EQ(w.d.State(w.queued), JobState::kCancelled);
    VerbCall told;
    w.d.dispatcher.Retry(w.queued, &told);
    w.journal.Commit();
    EXPECT_FALSE(w.d.dispatcher.Abandon(&told));
    told.Await();
  });
}

// As while a disk fails, when nothing is committed.
TEST(VerbCommit, HoweverOftenVerbsAreRepeatedAndGivenUpTheJournalHasOneFlush) {
  WithWaiting([](Waiting& w) {
    dispatch::Dispatcher& dispatcher = w.d.dispatcher;
    VerbCall cancel, stays;
    dispatcher.Cancel(w.queued, "", &cancel);
    const int parts = w.journal.parts();
    for (int i = 0; i < 100; ++i) {
      VerbCall again, unknown;
      dispatcher.Cancel(w.queued, "", &again);
      dispatcher.Delete({}, &unknown);
      ASSERT_TRUE(dispatcher.Abandon(&again) && dispatcher.Abandon(&unknown));
      EXPECT_FALSE(again.answered() || unknown.answered());
    }
    dispatcher.Cancel(w.queued, "", &stays);
    EXPECT_EQ(w.journal.parts(), parts);

    VerbCall other, late;
    dispatcher.Cancel(w.scheduled, "", &other);
    EXPECT_EQ(w.journal.parts(), parts + 2) << "the end of the job, and what waits for it";
    EXPECT_FALSE(cancel.answered() || stays.answered() || other.answered());
    w.journal.Commit();
    for (VerbCall* call : {&cancel, &stays, &other}) call->Await();
    EXPECT_TRUE(cancel.status.ok() && other.status.ok());
    EXPECT_EQ(stays.status.reason(), "WRONG_STATE");

    dispatcher.Delete({}, &late);
    EXPECT_EQ(w.journal.parts(), parts + 3) << "what is committed is no more waited for";
    w.journal.Commit();
    late.Await();
  });
}

TEST(VerbCommit, ARunningJobThatIsCancelledAgainAndAgainIsWrittenOnce) {
  SlowJournal journal;
  WithSlow(journal, {}, [&](DispatchFixture& d) {
    const JobId id = SubmitTo(d, journal, d.Spec("hold"));
    FakeRunner::Held attempt = Begin(d, journal);
    VerbCall first, second, third;
    d.dispatcher.Cancel(id, "first", &first);
    const int parts = journal.parts();
    d.dispatcher.Cancel(id, "second", &second);
    d.dispatcher.Cancel(id, "third", &third);
    EXPECT_EQ(journal.parts(), parts);
    journal.Commit();
    for (VerbCall* call : {&first, &second, &third}) {
      call->Await();
      EXPECT_TRUE(call->status.ok() && call->job.cancel_requested);
    }
    EXPECT_EQ(attempt.AwaitStop(), "CANCEL_REQUESTED");
    attempt.Fail();
  });
}

TEST(VerbCommit, AStopDoesNotWaitForVerbs) {
  WithWaiting([](Waiting& w) {
    VerbCall stays, leaves;
    w.d.dispatcher.Cancel(w.queued, "", &stays);
    w.d.dispatcher.Cancel(w.scheduled, "", &leaves);
    w.d.Stop(0s);
    EXPECT_FALSE(stays.answered() || leaves.answered());
    EXPECT_TRUE(w.d.dispatcher.Abandon(&leaves));
    w.journal.Commit();
    stays.Await();
    EXPECT_TRUE(stays.status.ok());
    EXPECT_FALSE(leaves.answered());
  });
}

TEST(VerbCommit, WhatIsCommittedAtOnceIsToldInsideTheCall) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.delay = 1h;
    const JobId id = d.Submit(spec);
    VerbCall cancel, retry, unknown;
    d.dispatcher.Cancel(id, "", &cancel);
    EXPECT_TRUE(cancel.answered());
    d.dispatcher.Retry(id, &retry);
    EXPECT_TRUE(retry.answered());
    d.dispatcher.Delete({}, &unknown);
    EXPECT_TRUE(unknown.answered());
  });
}

}  // namespace
}  // namespace millrace::test
