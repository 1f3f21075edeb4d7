#include "dispatch/pool.h"

#include <gtest/gtest.h>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::PoolState;

DispatchSetup Workers(int workers) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = workers}};
  return setup;
}

TEST(Pool, RunsAsManyAttemptsAtOnceAsItHasWorkers) {
  WithDispatcher(Workers(3), [](DispatchFixture& d) {
    for (int i = 0; i < 5; ++i) d.Submit("hold");
    std::vector<FakeRunner::Held> held;
    for (int i = 0; i < 3; ++i) held.push_back(d.runner.Next());
    EXPECT_EQ(d.Pool().workers_busy, 3);
    EXPECT_EQ(d.Pool().queued_jobs, 2);
    for (auto& attempt : held) attempt.Succeed();
    d.runner.Next().Succeed();
    d.runner.Next().Succeed();
  });
}

TEST(Pool, TakesBetterBandsFirst) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    auto in = [&](Band band) {
      JobSpec spec = d.Spec("hold");
      spec.band = band;
      return d.Submit(spec);
    };
    JobId low = in(Band::kLow), normal = in(Band::kNormal), critical = in(Band::kCritical), high = in(Band::kHigh);
    EXPECT_EQ(d.Pool().bands, (std::array<int64_t, 4>{1, 1, 1, 1}));
    for (JobId expected : {critical, high, normal, low}) {
      busy.Succeed();
      busy = d.runner.Next();
      EXPECT_EQ(busy.id(), expected);
    }
    busy.Succeed();
  });
}

TEST(Pool, PausedKeepsJobsQueuedAndResumeRunsThem) {
  WithDispatcher(Workers(2), [](DispatchFixture& d) {
    EXPECT_EQ(d.dispatcher.Pause("default")->state, PoolState::kPaused);
    std::vector<JobId> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(d.Submit("noop"));
    EXPECT_EQ(d.Pool().queued_jobs, 5);
    EXPECT_TRUE(d.Pool().oldest_queued.has_value());
    EXPECT_EQ(d.dispatcher.Resume("default")->state, PoolState::kActive);
    for (const JobId& id : ids) EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    EXPECT_FALSE(d.Pool().oldest_queued.has_value());
  });
}

TEST(Pool, PausedLetsRunningAttemptsFinish) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    JobId running = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    JobId queued = d.Submit("noop");
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    attempt.Succeed();
    EXPECT_EQ(d.Await(running).state, JobState::kSucceeded);
    EXPECT_EQ(d.State(queued), JobState::kQueued);
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    d.Await(queued);
  });
}

TEST(Pool, GrowsAtOnceAndShrinksAfterThePresentJobs) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    for (int i = 0; i < 6; ++i) d.Submit("hold");
    std::vector<FakeRunner::Held> held = {d.runner.Next()};
    EXPECT_EQ(d.dispatcher.Resize("default", 3, {}, {})->workers, 3);
    held.push_back(d.runner.Next());
    held.push_back(d.runner.Next());
    EXPECT_EQ(d.Pool().workers_busy, 3);
    ASSERT_TRUE(d.dispatcher.Resize("default", 1, {}, {}).ok());
    EXPECT_EQ(d.Pool().workers_busy, 3) << "nobody is interrupted";
    for (auto& attempt : held) attempt.Succeed();
    FakeRunner::Held next = d.runner.Next();
    while (d.Pool().workers_busy > 1) rt::Yield();
    EXPECT_EQ(d.runner.begun(), 0u) << "one worker is left";
    ASSERT_TRUE(d.dispatcher.Resize("default", 2, {}, {}).ok());
    FakeRunner::Held last = d.runner.Next();
    next.Succeed();
    last.Succeed();
    d.runner.Next().Succeed();
  });
}

TEST(Pool, ShrinksWhenItsWorkersAreIdle) {
  WithDispatcher(Workers(8), [](DispatchFixture& d) {
    d.Await(d.Submit("noop"));
    ASSERT_TRUE(d.dispatcher.Resize("default", 1, {}, {}).ok());
    JobId first = d.Submit("hold");
    JobId second = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), first);
    EXPECT_EQ(d.State(second), JobState::kQueued);
    attempt.Succeed();
    d.runner.Next().Succeed();
  });
}

TEST(Pool, ASmallerCapacityDropsNothingAndRefusesUntilItIsBelow) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    std::vector<JobId> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(d.Submit("noop"));
    ASSERT_TRUE(d.dispatcher.Resize("default", {}, 2, {}).ok());
    EXPECT_EQ(d.Pool().queued_jobs, 5);
    EXPECT_EQ(d.TrySubmit(d.Spec("noop")).reason(), "QUEUE_FULL");
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(d.Cancel(ids[static_cast<size_t>(i)], "").ok());
    EXPECT_TRUE(d.TrySubmit(d.Spec("noop")).ok());
  });
}

TEST(Pool, ALargerCapacityLetsWaitersIn) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    d.Submit("noop");
    SubmitCall waits;
    waits.items.push_back({d.Spec("noop"), ""});
    waits.on_full = dispatch::OnFull::kWait;
    d.dispatcher.Submit(&waits);
    EXPECT_FALSE(waits.answered());
    ASSERT_TRUE(d.dispatcher.Resize("default", {}, 2, {}).ok());
    waits.Await();
    EXPECT_TRUE(waits.status.ok());
  });
}

TEST(Pool, RefusesAbsurdSizes) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    EXPECT_EQ(d.dispatcher.Resize("default", 0, {}, {}).status().field(), "workers");
    EXPECT_EQ(d.dispatcher.Resize("default", 10'001, {}, {}).status().reason(), "OUT_OF_RANGE");
    EXPECT_EQ(d.dispatcher.Resize("default", {}, -1, {}).status().field(), "capacity_jobs");
    EXPECT_EQ(d.dispatcher.Resize("default", {}, {}, -1).status().field(), "capacity_bytes");
    EXPECT_EQ(d.dispatcher.Resize("default", {}, 0, {}).status().reason(), "RENDEZVOUS_FIXED");
    EXPECT_EQ(d.dispatcher.Resize("nobody", 1, {}, {}).status().reason(), "POOL_NOT_FOUND");
    EXPECT_EQ(d.Pool().workers, 1);
  });
}

TEST(Pool, DrainAnswersWhenNothingIsQueuedOrRunning) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held running = d.runner.Next();
    d.Submit("hold");
    DrainCall drain;
    ASSERT_TRUE(d.dispatcher.Drain("default", &drain).ok());
    EXPECT_EQ(d.Pool().state, PoolState::kDraining);
    Status status = d.TrySubmit(d.Spec("noop"));
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.reason(), "POOL_DRAINING_BY_OPERATOR");
    running.Succeed();
    FakeRunner::Held last = d.runner.Next();
    EXPECT_FALSE(drain.told.load());
    last.Succeed();
    drain.Await();
    EXPECT_EQ(drain.pool.state, PoolState::kDrained);
    DrainCall again;
    ASSERT_TRUE(d.dispatcher.Drain("default", &again).ok());
    again.Await();
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    EXPECT_EQ(d.Await(d.Submit("noop")).state, JobState::kSucceeded);
  });
}

TEST(Pool, ADrainThatAResumeEndsIsAnsweredAtOnce) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held running = d.runner.Next();
    DrainCall drain;
    ASSERT_TRUE(d.dispatcher.Drain("default", &drain).ok());
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    ASSERT_TRUE(drain.told.load());
    EXPECT_EQ(drain.status.reason(), "WRONG_STATE");
    EXPECT_FALSE(d.dispatcher.AbandonDrain("default", &drain));
    running.Succeed();
  });
}

TEST(Pool, ABatchThatStoodInLineElsewhereDoesNotOvertakeInThisLine) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 2},
                 {.name = "b", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    for (const char* pool : {"default", "b"}) ASSERT_TRUE(d.dispatcher.Pause(pool).ok());
    const auto of_b = [&] {
      JobSpec spec = d.Spec("noop");
      spec.pool = "b";
      return spec;
    };
    const JobId first = d.Submit("noop"), second = d.Submit("noop"), in_b = d.Submit(of_b());
    const auto waiting = [&](SubmitCall& call, std::vector<JobSpec> specs) {
      for (JobSpec& spec : specs) call.items.push_back({std::move(spec), ""});
      call.on_full = dispatch::OnFull::kWait;
      d.dispatcher.Submit(&call);
    };
    SubmitCall other, large;
    waiting(other, {of_b(), d.Spec("noop")});          // In line at b, whose place it needs first.
    waiting(large, {d.Spec("noop"), d.Spec("noop")});  // In line at the other pool.
    ASSERT_TRUE(d.Cancel(first).ok());                 // Half of what `large` needs.
    ASSERT_TRUE(d.Cancel(in_b).ok());                  // `other` is looked at, and finds a line.
    EXPECT_FALSE(other.answered());
    ASSERT_TRUE(d.Cancel(second).ok());
    EXPECT_TRUE(large.answered());
    EXPECT_FALSE(other.answered());
    for (const char* pool : {"default", "b"}) ASSERT_TRUE(d.dispatcher.Resume(pool).ok());
    other.Await();
    EXPECT_TRUE(other.status.ok()) << other.status.ToString();
  });
}

TEST(Pool, DrainRefusesThoseThatWaitForRoomAndMayBeAbandoned) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held running = d.runner.Next();
    JobId queued = d.Submit("noop");
    SubmitCall waits;
    waits.items.push_back({d.Spec("noop"), ""});
    waits.on_full = dispatch::OnFull::kWait;
    d.dispatcher.Submit(&waits);
    DrainCall drain;
    ASSERT_TRUE(d.dispatcher.Drain("default", &drain).ok());
    waits.Await();
    EXPECT_EQ(waits.status.reason(), "POOL_DRAINING_BY_OPERATOR");
    EXPECT_TRUE(d.dispatcher.AbandonDrain("default", &drain));
    EXPECT_FALSE(d.dispatcher.AbandonDrain("default", &drain));
    running.Succeed();
    d.Await(queued);
    EXPECT_FALSE(drain.told.load());
  });
}

TEST(Pool, CountsWhatItDid) {
  WithDispatcher(Workers(1), [](DispatchFixture& d) {
    d.Await(d.Submit("noop"));
    JobSpec once = d.Spec("hold");
    once.retry.max_attempts = 1;
    JobId failed = d.Submit(once);
    d.runner.Next().Fail();
    d.Await(failed);
    dispatch::PoolStats stats = d.PoolStats();
    EXPECT_EQ(stats.submitted[static_cast<size_t>(dispatch::SubmitResult::kAccepted)], 2u);
    EXPECT_EQ(stats.wait_seconds.count(), 2u);
    ASSERT_EQ(stats.kinds.size(), 3u) << "all that are at home here, used or not";
    const dispatch::KindStats &echo = stats.kinds[0], &hold = stats.kinds[1], &noop = stats.kinds[2];
    EXPECT_EQ(noop.kind, "noop");
    EXPECT_EQ(noop.finished[static_cast<size_t>(JobState::kSucceeded)], 1u);
    EXPECT_EQ(noop.attempts[static_cast<size_t>(AttemptResult::kSucceeded)], 1u);
    EXPECT_EQ(noop.run_seconds.count(), 1u);
    EXPECT_EQ(hold.kind, "hold");
    EXPECT_EQ(hold.finished[static_cast<size_t>(JobState::kFailed)], 1u);
    EXPECT_EQ(hold.attempts[static_cast<size_t>(AttemptResult::kFailed)], 1u);
    EXPECT_EQ(echo.run_seconds.count(), 0u);
    EXPECT_GT(stats.work.total(), 0ns);
    EXPECT_EQ(d.Pool().kinds.size(), 3u);
  });
}

TEST(Pool, ListsTheKindsThatAreAtHomeInItAndThoseWithoutAHome) {
  DispatchSetup setup{.pools = {{.name = "default"}, {.name = "other"}}};
  setup.prepare = [](FakeRunner& runner) {
    runner.AddKind({.name = "mine", .pool = "other"});
    runner.AddKind({.name = "lost", .pool = "nowhere"});
  };
  WithDispatcher(setup, [](DispatchFixture& d) {
    EXPECT_EQ(d.Pool("default").kinds, (std::vector<std::string>{"echo", "hold", "noop"}));
    EXPECT_EQ(d.Pool("other").kinds, (std::vector<std::string>{"echo", "hold", "mine", "noop"}));
  });
}

TEST(Pool, UtilizationFollowsBusyWorkersWhileAnAttemptRuns) {
  WithDispatcher(Workers(2), [](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    d.clock.Advance(10s);
    EXPECT_DOUBLE_EQ(d.Pool().efficiency.utilization, 0.5);
    attempt.Succeed();
  });
}

TEST(Pool, TwoPoolsDoNotWaitForEachOther) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1}, {.name = "slow", .workers = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    JobSpec slow = d.Spec("hold");
    slow.pool = "slow";
    d.Submit(slow);
    FakeRunner::Held held = d.runner.Next();
    EXPECT_EQ(d.Await(d.Submit("noop")).state, JobState::kSucceeded);
    held.Succeed();
  });
}

}  // namespace
}  // namespace millrace::test
