// Jobs that wait for something beside their time and a worker, in a whole dispatcher.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dispatch/core.h"
#include "dispatch/permit.h"
#include "tests/support/core_of.h"
#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::BlockedOn;
using dispatch::Core;
using dispatch::CoreOf;
using dispatch::Permit;
using dispatch::Ties;
using dispatch::Turn;

// ---- BLOCKED -----------------------------------------------------------------------------------------------------

void Block(DispatchFixture& d, const JobId& id) {
  Core& core = CoreOf::Get(d.dispatcher);
  Turn turn(core);
  core.Block(*core.table.Find(id), BlockedOn::kJobs, turn);
}

// It must be in memory.
void Unblock(DispatchFixture& d, const JobId& id) {
  Core& core = CoreOf::Get(d.dispatcher);
  Turn turn(core);
  core.Unblock(*core.table.Find(id), turn);
}

BlockedOn WaitsFor(DispatchFixture& d, const JobId& id) {
  Core& core = CoreOf::Get(d.dispatcher);
  Turn turn(core);
  return Core::WaitsFor(*core.table.Find(id));
}

// Until a worker has asked for it.
void AwaitWaitsFor(DispatchFixture& d, const JobId& id, BlockedOn reason) {
  while (WaitsFor(d, id) != reason) rt::Yield();
}

int64_t CountOf(DispatchFixture& d, JobState state) { return d.dispatcher.Stats().jobs[static_cast<size_t>(state)]; }

TEST(Blocked, AJobIsOutOfTheWayUntilItIsUnblocked) {
  DispatchSetup setup;
  setup.pools[0].capacity_jobs = 2;
  WithDispatcher(setup, [](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId blocked = d.Submit("hold"), next = d.Submit("hold");
    Block(d, blocked);
    EXPECT_EQ(d.State(blocked), JobState::kBlocked);
    EXPECT_EQ(WaitsFor(d, blocked), BlockedOn::kJobs);
    EXPECT_EQ(WaitsFor(d, next), BlockedOn::kNothing);
    EXPECT_EQ(d.Pool().queued_jobs, 1) << "it gave up its place";
    EXPECT_EQ(CountOf(d, JobState::kBlocked), 1);
    EXPECT_EQ(d.List({.filter = *dispatch::Filter::Parse("state = BLOCKED")}).size(), 1u);
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), next);
    attempt.Succeed();
    d.Await(next);
    d.Advance(24h);
    EXPECT_EQ(d.State(blocked), JobState::kBlocked);
    Unblock(d, blocked);
    attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), blocked);
    EXPECT_EQ(WaitsFor(d, blocked), BlockedOn::kNothing);
    attempt.Succeed();
    d.Await(blocked);
  });
}

TEST(Blocked, OneWhoseTimeHasNotComeWaitsForThatAfterwards) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.delay = 1h;
    const JobId id = d.Submit(spec);
    Block(d, id);
    EXPECT_EQ(d.Pool().scheduled_jobs, 0);
    d.Advance(30min);
    Unblock(d, id);
    EXPECT_EQ(d.State(id), JobState::kScheduled);
    d.Advance(29min);
    EXPECT_EQ(d.State(id), JobState::kScheduled);
    Block(d, id);
    d.Advance(1h);
    EXPECT_EQ(d.State(id), JobState::kBlocked) << "its time alone does not free it";
    Unblock(d, id);
    d.runner.Next().Succeed();
    d.Await(id);
  });
}

TEST(Blocked, ADrainWaitsForIt) {
  WithDispatcher([](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId id = d.Submit("hold");
    Block(d, id);
    DrainCall drain;
    ASSERT_TRUE(d.dispatcher.Drain("default", &drain).ok());
    EXPECT_FALSE(drain.told);
    EXPECT_EQ(d.Pool().state, dispatch::PoolState::kDraining);
    ASSERT_TRUE(d.Cancel(id).ok());
    drain.Await();
    EXPECT_EQ(drain.pool.state, dispatch::PoolState::kDrained);
  });
}

TEST(Blocked, ItIsBlockedAfterARestartAndCanBeCancelledOrExpire) {
  store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
  DispatchSetup setup;
  setup.journal = &journal;
  JobId cancelled, expired, freed;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    for (JobId* id : {&cancelled, &expired, &freed}) {
      JobSpec spec = d.Spec("hold");
      if (id == &expired) spec.deadline = d.clock.Wall() + 1h;
      *id = d.Submit(spec);
      Block(d, *id);
    }
  });
  WithDispatcher(setup, [&](DispatchFixture& d) {
    EXPECT_EQ(CountOf(d, JobState::kBlocked), 3);
    EXPECT_EQ(WaitsFor(d, freed), BlockedOn::kUnknown);
    EXPECT_EQ(d.runner.begun(), 0u) << "it is not taken for one whose time has come";
    ASSERT_TRUE(d.Cancel(cancelled).ok());
    EXPECT_EQ(d.State(cancelled), JobState::kCancelled);
    d.Advance(1h);
    EXPECT_EQ(d.State(expired), JobState::kExpired);
    EXPECT_EQ(d.State(freed), JobState::kBlocked);
    EXPECT_EQ(CountOf(d, JobState::kBlocked), 1);
  });
}

TEST(Blocked, ItGoesColdAsOthersThatWait) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.options.hot_bytes_max = 0;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold", "payload");
    spec.delay = 1h;
    spec.labels = {{"team", "a"}};
    const JobId id = SubmitTo(d, journal, spec);
    EXPECT_EQ(d.dispatcher.Stats().process_bytes, dispatch::kColdJobBytes);
    VerbCall retried;  // So that it is in memory, until that is committed.
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    d.dispatcher.Retry(id, &retried);
    Block(d, id);
    EXPECT_GT(d.dispatcher.Stats().process_bytes, dispatch::kColdJobBytes);
    journal.Commit();
    retried.Await();
    EXPECT_EQ(d.dispatcher.Stats().process_bytes, dispatch::kColdJobBytes);
    EXPECT_EQ(d.State(id), JobState::kBlocked);
    EXPECT_EQ(journal.Appended(id), JobState::kBlocked);
    EXPECT_EQ(d.List({.filter = *dispatch::Filter::Parse("state = BLOCKED AND labels.team = a")}).size(), 1u);
    VerbCall cancel;
    d.dispatcher.Cancel(id, "", &cancel);
    journal.Commit();
    cancel.Await();
    EXPECT_TRUE(cancel.status.ok()) << cancel.status.ToString();
  });
}

// ---- Permits -----------------------------------------------------------------------------------------------------

class BlockedByPermit : public testing::Test {
 protected:
  // A job that comes into its queue when the clock moves on by a second, and needs `permits` to run.
  static JobId Submit(DispatchFixture& d, std::vector<Permit*> permits, std::string pool = "default",
                      std::optional<Nanos> deadline = std::nullopt) {
    JobSpec spec = d.Spec("hold");
    spec.pool = std::move(pool);
    spec.delay = 1s;
    if (deadline) spec.deadline = d.clock.Wall() + *deadline;
    spec.retry = {.max_attempts = 2, .initial_backoff = 1s, .max_backoff = 1s};
    const JobId id = d.Submit(spec);
    Core& core = CoreOf::Get(d.dispatcher);
    Turn turn(core);
    core.table.Find(id)->ties = std::make_shared<const Ties>(Ties{std::move(permits)});
    return id;
  }
};

TEST_F(BlockedByPermit, OneRunsAtATimeAndOthersAreServedMeanwhile) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 3}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    Permit limit(CoreOf::Get(d.dispatcher).permits, BlockedOn::kConcurrency, 1);
    const JobId first = Submit(d, {&limit}), second = Submit(d, {&limit}), third = Submit(d, {&limit});
    d.Advance(1s);
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), first);
    AwaitWaitsFor(d, second, BlockedOn::kConcurrency);
    EXPECT_EQ(d.State(second), JobState::kQueued);
    const JobId free = d.Submit("hold");
    FakeRunner::Held other = d.runner.Next();
    EXPECT_EQ(other.id(), free);
    other.Succeed();
    d.Await(free);
    ASSERT_TRUE(d.Cancel(second).ok());
    attempt.Succeed();
    attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), third);
    EXPECT_EQ(limit.held(), 1);
    attempt.Succeed();
    d.Await(third);
    EXPECT_EQ(limit.held(), 0);
  });
}

TEST_F(BlockedByPermit, ABackoffHoldsNoPermit) {
  WithDispatcher([](DispatchFixture& d) {
    Permit limit(CoreOf::Get(d.dispatcher).permits, BlockedOn::kConcurrency, 1);
    const JobId fails = Submit(d, {&limit}), next = Submit(d, {&limit});
    d.Advance(1s);
    d.runner.Next().Fail();
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), next);
    d.Advance(1s);
    EXPECT_EQ(d.State(fails), JobState::kQueued);
    attempt.Succeed();
    attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), fails);
    EXPECT_EQ(attempt.number(), 2);
    attempt.Succeed();
    d.Await(fails);
  });
}

TEST_F(BlockedByPermit, OneJobEndsAndAnIdleWorkerOfAnotherPoolIsServed) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1}, {.name = "other", .workers = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    Permit limit(CoreOf::Get(d.dispatcher).permits, BlockedOn::kConcurrency, 1);
    const JobId first = Submit(d, {&limit});
    d.Advance(1s);
    FakeRunner::Held attempt = d.runner.Next();
    const JobId second = Submit(d, {&limit}, "other");
    d.Advance(1s);
    AwaitWaitsFor(d, second, BlockedOn::kConcurrency);
    attempt.Succeed();
    attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), second);
    attempt.Succeed();
    d.Await(first);
    d.Await(second);
  });
}

TEST_F(BlockedByPermit, APermitThatComesTooLateIsPassedOn) {
  WithDispatcher([](DispatchFixture& d) {
    Permit limit(CoreOf::Get(d.dispatcher).permits, BlockedOn::kConcurrency, 1);
    const JobId first = Submit(d, {&limit});
    d.Advance(1s);
    FakeRunner::Held attempt = d.runner.Next();
    const JobId late = Submit(d, {&limit}, "default", 10s);
    d.Advance(1s);
    const JobId next = Submit(d, {&limit});
    d.Advance(1s);
    d.clock.Advance(10s);  // The timekeeper is late: the deadline is found when the job is handed out.
    attempt.Succeed();
    attempt = d.runner.Next();
    EXPECT_EQ(attempt.id(), next);
    EXPECT_EQ(d.State(late), JobState::kExpired);
    attempt.Succeed();
    d.Await(first);
    d.Await(next);
    EXPECT_EQ(limit.held(), 0);
  });
}

TEST_F(BlockedByPermit, ALimitThatIsRaisedGivesIdleWorkersTheirJobs) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 2}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    Core& core = CoreOf::Get(d.dispatcher);
    Permit limit(core.permits, BlockedOn::kConcurrency, 0);
    const JobId first = Submit(d, {&limit}), second = Submit(d, {&limit});
    d.Advance(1s);
    EXPECT_EQ(d.Pool().workers_busy, 0);
    {
      Turn turn(core);
      limit.SetLimit(2);
    }
    FakeRunner::Held one = d.runner.Next(), two = d.runner.Next();
    one.Succeed();
    two.Succeed();
    d.Await(first);
    d.Await(second);
  });
}

}  // namespace
}  // namespace millrace::test
