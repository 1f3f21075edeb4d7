// A dispatcher on the durable store, and the next one on what it left behind.
#include <gtest/gtest.h>

#include <filesystem>

#include "store/disk_journal.h"
#include "tests/support/dispatch_fixture.h"
#include "tests/support/fake_disk.h"
#include "tests/support/open_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using store::DiskJournal;

class Recovery : public testing::Test {
 protected:
  // A daemon's life on the store. It ends in order; Crash() inside it makes the next one see the store as it was then.
  void Life(const std::function<void(DispatchFixture&)>& body) {
    if (crashed_) {
      std::filesystem::remove_all(Store());
      std::filesystem::rename(Copy(), Store());
      crashed_ = false;
    }
    auto journal = test::OpenJournal(Store(), {});
    ASSERT_TRUE(journal.ok()) << journal.status().ToString();
    setup.journal = journal->get();
    WithDispatcher(setup, [&](DispatchFixture& d) {
      // The fixture's clock begins anew with each life; time goes on.
      body(d);
      d.runner.LetGo();
      d.Stop(Nanos(0));
      (*journal)->Stop();
    });
  }
  // Everything that was acknowledged is in the files, so their copy is what kill -9 would leave.
  void Crash() {
    std::filesystem::copy(Store(), Copy());
    crashed_ = true;
  }
  std::string Store() const { return folder / "store"; }
  std::string Copy() const { return folder / "copy"; }

  TempFolder folder;
  DispatchSetup setup;

 private:
  bool crashed_ = false;
};

TEST_F(Recovery, NewJobsComeAfterTheOldOnesAlsoWhenTheClockWasSetBack) {
  JobId first;
  Life([&](DispatchFixture& d) { first = d.Submit("hold"); });
  Life([&](DispatchFixture& d) {
    d.clock.StepWall(-1h);
    EXPECT_GT(d.Submit("hold"), first);
  });
}

TEST_F(Recovery, FinishedJobsKeepTheirResultsAndAreNotRunAgain) {
  JobId id;
  std::string log;
  Life([&](DispatchFixture& d) {
    id = d.Submit("hold", "payload");
    FakeRunner::Held attempt = d.runner.Next();
    attempt.context().Log("a line");
    attempt.Succeed("result");
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    Crash();
  });
  Life([&](DispatchFixture& d) {
    const JobSnapshot job = d.Get(id);
    EXPECT_EQ(job.state, JobState::kSucceeded);
    EXPECT_EQ(*job.result, "result");
    EXPECT_EQ(job.log_tail, "a line");
    EXPECT_EQ(PayloadOf(*job.spec), "payload");
    EXPECT_EQ(d.History(id), "SUCCEEDED");
    d.AwaitIdle();
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

TEST_F(Recovery, QueuedAndScheduledJobsGoOnInTheirOrder) {
  std::vector<JobId> ids;
  JobId later;
  Life([&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    for (int i = 0; i < 5; ++i) ids.push_back(d.Submit("hold", std::to_string(i)));
    JobSpec spec = d.Spec("hold", "later");
    spec.delay = 10s;
    later = d.Submit(spec);
    Crash();
  });
  Life([&](DispatchFixture& d) {
    for (int i = 0; i < 5; ++i) {
      FakeRunner::Held attempt = d.runner.Next();
      EXPECT_EQ(attempt.id(), ids[static_cast<size_t>(i)]);
      EXPECT_EQ(attempt.payload(), std::to_string(i));
      attempt.Succeed();
    }
    EXPECT_EQ(d.State(later), JobState::kScheduled);
    d.Advance(10s);
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), later);
    attempt.Succeed();
    EXPECT_EQ(d.Await(later).state, JobState::kSucceeded);
  });
}

TEST_F(Recovery, AJobWhoseAttemptWasLostKeepsItsPlaceBeforeYoungerOnes) {
  setup.pools = {{.name = "default", .workers = 1}};
  std::vector<JobId> ids;
  Life([&](DispatchFixture& d) {
    for (int i = 0; i < 3; ++i) ids.push_back(d.Submit("hold"));
    d.runner.Next();
    Crash();
  });
  Life([&](DispatchFixture& d) {
    for (const JobId& id : ids) {
      FakeRunner::Held attempt = d.runner.Next();
      EXPECT_EQ(attempt.id(), id);
      attempt.Succeed();
    }
  });
}

TEST_F(Recovery, AThirdLossQuarantinesTheJob) {
  JobId id;
  Life([&](DispatchFixture& d) {
    id = d.Submit("hold");
    d.runner.Next();
    Crash();
  });
  for (int losses = 1; losses <= 2; ++losses) {
    Life([&](DispatchFixture& d) {
      FakeRunner::Held attempt = d.runner.Next();
      EXPECT_EQ(attempt.id(), id);
      EXPECT_EQ(attempt.number(), losses + 1);
      const JobSnapshot job = d.Get(id);
      EXPECT_EQ(job.losses, losses);
      EXPECT_EQ(job.attempts, 1) << "a loss burns no attempt";
      Crash();
    });
  }
  Life([&](DispatchFixture& d) {
    const JobSnapshot job = d.Await(id);
    EXPECT_EQ(job.state, JobState::kQuarantined);
    EXPECT_EQ(job.losses, 3);
    EXPECT_EQ(d.History(id), "LOST, LOST, LOST");
    EXPECT_EQ(d.runner.begun(), 0u);
    Crash();
  });
  Life([&](DispatchFixture& d) { EXPECT_EQ(d.State(id), JobState::kQuarantined); });
}

TEST_F(Recovery, ACancelThatWasPromisedIsKept) {
  JobId id;
  Life([&](DispatchFixture& d) {
    id = d.Submit("hold");
    d.runner.Next();
    ASSERT_TRUE(d.Cancel(id, "not needed").ok());
    d.Submit("noop");  // Acknowledged after the cancel was noted, so that is on the disk too.
    Crash();
  });
  Life([&](DispatchFixture& d) {
    EXPECT_EQ(d.Await(id).state, JobState::kCancelled);
    EXPECT_EQ(d.Get(id).losses, 0);
  });
}

TEST_F(Recovery, ARequestIdIsKnownAfterARestartAlsoWhenItsJobIsForgotten) {
  dispatch::SubmitAck first, again;
  setup.options.finished_age_max = 1h;
  Life([&](DispatchFixture& d) {
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "one"), &first, "r").ok());
    d.Await(first.id);
    Crash();
  });
  Life([&](DispatchFixture& d) {
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "one"), &again, "r").ok());
    EXPECT_TRUE(again.existing);
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", "two"), nullptr, "r").reason(), "REQUEST_ID_REUSED");
    d.Advance(2h);
    EXPECT_FALSE(d.dispatcher.Get(first.id).ok()) << "forgotten";
    d.Submit("noop");  // As above.
    Crash();
  });
  Life([&](DispatchFixture& d) {
    EXPECT_FALSE(d.dispatcher.Get(first.id).ok());
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "one"), &again, "r").ok());
    EXPECT_TRUE(again.existing);
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", "two"), nullptr, "r").reason(), "REQUEST_ID_REUSED");
    d.Advance(27h);
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "two"), &again, "r").ok()) << "its time is over";
    EXPECT_FALSE(again.existing);
    Crash();
  });
  Life([&](DispatchFixture& d) {
    dispatch::SubmitAck second;
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "two"), &second, "r").ok());
    EXPECT_EQ(second.id, again.id);
  });
}

TEST_F(Recovery, ADeadlineThatPassedWhileTheDaemonWasDownIsKept) {
  setup.pools = {{.name = "default", .workers = 1}};
  JobId running, queued, scheduled, in_time;
  Life([&](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.deadline = d.clock.Wall() + 5s;
    running = d.Submit(spec);
    d.runner.Next();
    queued = d.Submit(spec);
    spec.deadline = d.clock.Wall() + 1h;
    in_time = d.Submit(spec);
    spec.delay = 20min;
    scheduled = d.Submit(spec);
    Crash();
  });
  setup.clock_ahead = 10s;
  Life([&](DispatchFixture& d) {
    EXPECT_EQ(d.Await(running).state, JobState::kExpired);
    EXPECT_EQ(d.History(running), "LOST");
    EXPECT_EQ(d.Await(queued).state, JobState::kExpired);
    EXPECT_EQ(d.History(queued), "");
    EXPECT_EQ(d.runner.Next().id(), in_time);
    EXPECT_EQ(d.State(scheduled), JobState::kScheduled);
    d.Submit("noop");
    Crash();
  });
  setup.clock_ahead = 2h;
  Life([&](DispatchFixture& d) {
    EXPECT_EQ(d.Await(in_time).state, JobState::kExpired);
    EXPECT_EQ(d.Await(scheduled).state, JobState::kExpired) << "its time came, but its deadline did as well";
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

TEST_F(Recovery, AJobThatWasRetriedAfterItsDeadlineHasNoneAfterARestartEither) {
  JobId id;
  Life([&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    JobSpec spec = d.Spec("hold");
    spec.deadline = d.clock.Wall() + 5s;
    id = d.Submit(spec);
    d.Advance(5s);
    EXPECT_EQ(d.Await(id).state, JobState::kExpired);
    ASSERT_TRUE(d.Retry(id).ok());
    Crash();
  });
  setup.clock_ahead = 10s;
  Life([&](DispatchFixture& d) {
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), id);
    attempt.Succeed();
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
  });
}

TEST_F(Recovery, AnAttemptThatDiedWithTheDaemonIsCounted) {
  Life([&](DispatchFixture& d) {
    d.Submit("hold");
    d.runner.Next();
    Crash();
  });
  Life([&](DispatchFixture& d) {
    d.runner.Next();
    const auto stats = d.PoolStats();
    ASSERT_EQ(stats.kinds.at(1).kind, "hold");
    EXPECT_EQ(stats.kinds[1].attempts[static_cast<size_t>(AttemptResult::kLost)], 1u);
  });
}

TEST_F(Recovery, AJobHasWaitedSinceItWasQueuedAndNotSinceTheRestart) {
  JobId id;
  WallTime queued{};
  Life([&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    queued = d.clock.Wall();
    id = d.Submit("hold");
    d.Submit("hold");
    Crash();
  });
  setup.clock_ahead = 1h;
  Life([&](DispatchFixture& d) {
    EXPECT_EQ(d.runner.Next().id(), id);
    EXPECT_EQ(d.Get(id).history.at(0).timings.queued, 1h);
    EXPECT_EQ(d.Pool().oldest_queued, queued);
  });
}

TEST_F(Recovery, FinishedJobsAreForgottenOldestFirstAsBefore) {
  setup.pools = {{.name = "default", .workers = 2}};
  JobId slow, quick;
  Life([&](DispatchFixture& d) {
    slow = d.Submit("hold", "slow");
    FakeRunner::Held one = d.runner.Next();
    quick = d.Submit("hold", "quick");
    d.runner.Next().Succeed();
    d.Await(quick);
    d.clock.Advance(1s);
    one.Succeed();
    d.Await(slow);
    Crash();
  });
  setup.options.finished_jobs_max = 1;
  Life([&](DispatchFixture& d) {
    d.dispatcher.RunDue();
    EXPECT_TRUE(d.dispatcher.Get(slow).ok()) << "the younger id, which ended later";
    EXPECT_FALSE(d.dispatcher.Get(quick).ok());
  });
}

TEST(RecoveryFromAFailingDisk, AStartThatWasNeverWrittenIsHandedBackAndRunsInTheNextLife) {
  Platter platter;
  DispatchSetup setup;
  JobId id;
  const auto life = [&](const std::function<void(DispatchFixture&, DiskJournal&)>& body) {
    DiskJournal journal(std::make_unique<FakeDisk>(platter), {.retry_delay = 1h});
    setup.journal = &journal;
    WithDispatcher(setup, [&](DispatchFixture& d) {
      body(d, journal);
      journal.Stop();
    });
  };
  life([&](DispatchFixture& d, DiskJournal& journal) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    id = d.Submit("hold");
    platter.FailNext(1'000'000);
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    d.AwaitState(id, JobState::kRunning);
    while (journal.Health().ok()) rt::Yield();
    EXPECT_EQ(d.Stop(0s).released, 1);
    EXPECT_EQ(d.runner.begun(), 0u);
  });
  platter.FailNext(0);
  platter.broken = false;  // Opened by another process.
  life([&](DispatchFixture& d, DiskJournal&) {
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), id);
    EXPECT_EQ(attempt.number(), 1);
    attempt.Succeed();
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    d.Stop(0s);
  });
}

TEST_F(Recovery, JobsOfAPoolThatIsGoneRunOnceItIsConfiguredAgainWithoutARestart) {
  setup.pools = {{.name = "default", .workers = 1}, {.name = "a", .workers = 1}};
  setup.prepare = [](FakeRunner& runner) { runner.AddKind({.name = "short", .run_timeout = 5s}); };
  JobId queued;
  Life([&](DispatchFixture& d) {
    JobSpec spec = d.Spec("short");
    spec.pool = "a";
    ASSERT_TRUE(d.dispatcher.Pause("a").ok());
    queued = d.Submit(spec);
    Crash();
  });
  const std::vector<dispatch::PoolOptions> both = std::exchange(setup.pools, {{.name = "default", .workers = 1}});
  Life([&](DispatchFixture& d) {
    EXPECT_EQ(d.Pool("a").state, dispatch::PoolState::kMissing);
    ASSERT_TRUE(d.dispatcher.Apply({.options = setup.options, .pools = both}).ok());
    EXPECT_EQ(d.Pool("a").runner, "native");
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), queued);
    d.Advance(5s);
    EXPECT_EQ(attempt.AwaitStop(), "RUN_TIMEOUT") << "its kind is known again";
    attempt.Fail();
    d.AwaitState(queued, JobState::kScheduled);
    Crash();
  });
}

TEST_F(Recovery, JobsOfAPoolThatIsGoneAreKeptAsideUntilItIsBack) {
  setup.pools = {{.name = "default", .workers = 1}, {.name = "a", .workers = 1}};
  std::vector<JobId> ids;
  JobId running, failed;
  Life([&](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold", "payload");
    spec.pool = "a";
    spec.retry.max_attempts = 1;
    failed = d.Submit(spec);
    d.runner.Next().Fail();
    d.Await(failed);
    running = d.Submit(spec);
    d.runner.Next();
    for (int i = 0; i < 3; ++i) ids.push_back(d.Submit(spec));
    spec.delay = 1h;
    ids.push_back(d.Submit(spec));
    Crash();
  });
  setup.pools = {{.name = "default", .workers = 1}};
  Life([&](DispatchFixture& d) {
    const dispatch::PoolStatus pool = d.Pool("a");
    EXPECT_EQ(pool.state, dispatch::PoolState::kMissing);
    EXPECT_EQ(pool.queued_jobs, 4);
    EXPECT_EQ(pool.scheduled_jobs, 1);
    EXPECT_EQ(d.dispatcher.Stats().missing_pool_jobs, 5);
    EXPECT_EQ(d.Get(running).losses, 1);
    EXPECT_EQ(d.List({.filter = *dispatch::Filter::Parse("pool = a AND state = QUEUED")}).size(), 4u);
    JobSpec spec = d.Spec("hold");
    spec.pool = "a";
    const Status refused = d.TrySubmit(spec);
    EXPECT_EQ(refused.reason(), "POOL_NOT_FOUND");
    EXPECT_NE(refused.message().find("the pools are 'default'"), std::string::npos) << refused.ToString();
    for (const Status& status : {d.dispatcher.Pause("a").status(), d.dispatcher.Resume("a").status(),
                                 d.dispatcher.Resize("a", 3, {}, {}).status(), d.dispatcher.Drain("a", nullptr)}) {
      EXPECT_EQ(status.reason(), "POOL_NOT_CONFIGURED");
    }
    EXPECT_EQ(d.Retry(failed).status().reason(), "POOL_NOT_CONFIGURED");
    const Result<dispatch::BulkResult> retried = d.RetryAll(*dispatch::Filter::Parse("state = FAILED"), false);
    EXPECT_EQ(retried->changed, 0);
    EXPECT_EQ(retried->first_error.reason(), "POOL_NOT_CONFIGURED");
    EXPECT_TRUE(d.Cancel(ids[0]).ok());
    EXPECT_TRUE(d.Delete(ids[0]).ok());
    EXPECT_TRUE(d.Cancel(ids[3]).ok());
    d.Advance(1h);
    EXPECT_EQ(d.Pool("a").queued_jobs, 3);
    d.Submit("noop");
    Crash();
  });
  setup.pools = {{.name = "default", .workers = 1}, {.name = "a", .workers = 1}};
  Life([&](DispatchFixture& d) {
    EXPECT_EQ(d.Pool("a").state, dispatch::PoolState::kActive);
    for (const JobId& id : {running, ids[1], ids[2]}) {
      FakeRunner::Held attempt = d.runner.Next();
      EXPECT_EQ(attempt.id(), id);
      EXPECT_EQ(attempt.payload(), "payload");
      attempt.Succeed();
      EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    }
    EXPECT_TRUE(d.Retry(failed).ok());
    d.runner.Next().Succeed();
  });
}

}  // namespace
}  // namespace millrace::test
