// A configuration that replaces the one before, while jobs run.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "sync/wait_group.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Dispatcher;
using dispatch::OnFull;
using dispatch::PoolOptions;
using dispatch::PoolState;

const PoolOptions kDefault = {.name = "default", .workers = 1};
const PoolOptions kExtra = {.name = "extra", .workers = 1, .capacity_jobs = 1};

Dispatcher::Setup SetupOf(std::vector<PoolOptions> pools) {
  return {.options = DispatchSetup().options, .pools = std::move(pools)};
}

JobSpec In(const std::string& pool, std::string kind = "hold") {
  JobSpec spec = DispatchFixture::Spec(std::move(kind));
  spec.pool = pool;
  return spec;
}

TEST(Apply, ANewPoolRunsJobsAtOnce) {
  WithDispatcher([](DispatchFixture& d) {
    EXPECT_EQ(d.TrySubmit(In("extra")).reason(), "POOL_NOT_FOUND");
    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault, kExtra})).ok());
    const JobId id = d.Submit(In("extra"));
    d.runner.Next().Succeed();
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
    EXPECT_EQ(d.Get(id).history.at(0).worker, "extra/0");
    EXPECT_EQ(d.Pool("extra").kinds, (std::vector<std::string>{"echo", "hold", "noop"}));
    EXPECT_EQ(d.dispatcher.Pools().size(), 2u);
  });
}

TEST(Apply, APoolThatIsGoneKeepsItsJobsAsideUntilItIsBack) {
  WithDispatcher({.pools = {kDefault, kExtra}}, [](DispatchFixture& d) {
    const JobId running = d.Submit(In("extra"));
    FakeRunner::Held attempt = d.runner.Next();
    const JobId queued = d.Submit(In("extra"));
    SubmitCall waiting;
    waiting.items.push_back({In("extra"), ""});
    waiting.on_full = OnFull::kWait;
    d.dispatcher.Submit(&waiting);
    EXPECT_FALSE(waiting.answered());

    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault})).ok());
    EXPECT_EQ(d.Pool("extra").state, PoolState::kMissing);
    waiting.Await();
    EXPECT_EQ(waiting.status.reason(), "POOL_NOT_CONFIGURED");
    EXPECT_EQ(d.TrySubmit(In("extra")).reason(), "POOL_NOT_FOUND");
    EXPECT_EQ(d.dispatcher.Pause("extra").status().reason(), "POOL_NOT_CONFIGURED");
    attempt.Succeed();
    EXPECT_EQ(d.Await(running).state, JobState::kSucceeded) << "what runs there ends by itself";
    d.AwaitIdle("extra");
    EXPECT_EQ(d.State(queued), JobState::kQueued);
    EXPECT_EQ(d.dispatcher.Stats().missing_pool_jobs, 1);
    EXPECT_EQ(d.runner.begun(), 0u);

    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault, kExtra})).ok());
    EXPECT_EQ(d.Pool("extra").state, PoolState::kActive);
    d.runner.Next().Succeed();
    EXPECT_EQ(d.Await(queued).state, JobState::kSucceeded);
  });
}

TEST(Apply, AJobOfAPoolThatIsGoneCanBeCancelled) {
  WithDispatcher({.pools = {kDefault, kExtra}}, [](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("extra").ok());
    const JobId queued = d.Submit(In("extra"));
    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault})).ok());
    EXPECT_TRUE(d.Cancel(queued).ok());
    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault, kExtra})).ok());
    EXPECT_EQ(d.Pool("extra").state, PoolState::kPaused) << "as its operator left it";
  });
}

TEST(Apply, WhoeverWaitsForAPoolToDrainIsToldThatItIsGone) {
  WithDispatcher({.pools = {kDefault, kExtra}}, [](DispatchFixture& d) {
    d.Submit(In("extra"));
    FakeRunner::Held attempt = d.runner.Next();
    DrainCall drain;
    ASSERT_TRUE(d.dispatcher.Drain("extra", &drain).ok());
    EXPECT_FALSE(drain.told.load());
    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault})).ok());
    drain.Await();
    EXPECT_EQ(drain.pool.state, PoolState::kMissing);
    attempt.Succeed();
  });
}

TEST(Apply, SizesChangeWhereTheConfigurationDid) {
  WithDispatcher({.pools = {kDefault, kExtra}}, [](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Resize("extra", 3, 30, {}).ok());
    PoolOptions extra = kExtra;
    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault, extra})).ok());
    EXPECT_EQ(d.Pool("extra").workers, 3) << "as its operator left it";
    extra.workers = 2;
    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault, extra})).ok());
    EXPECT_EQ(d.Pool("extra").workers, 2);
    EXPECT_EQ(d.Pool("extra").capacity_jobs, 30);
    // More workers take what is queued.
    const JobId first = d.Submit(In("extra")), second = d.Submit(In("extra")), third = d.Submit(In("extra"));
    FakeRunner::Held one = d.runner.Next(), other = d.runner.Next();
    EXPECT_EQ(d.State(third), JobState::kQueued);
    extra.workers = 3;
    ASSERT_TRUE(d.dispatcher.Apply(SetupOf({kDefault, extra})).ok());
    FakeRunner::Held last = d.runner.Next();
    EXPECT_EQ(last.id(), third);
    for (FakeRunner::Held* held : {&one, &other, &last}) held->Succeed();
    for (const JobId& id : {first, second, third}) d.Await(id);
  });
}

TEST(Apply, AJobHasTheSettingsOfItsKindThatHoldWhenItStarts) {
  DispatchSetup setup;
  setup.prepare = [](FakeRunner& runner) { runner.AddKind({.name = "limited", .run_timeout = 10s}); };
  WithDispatcher(setup, [](DispatchFixture& d) {
    const JobId first = d.Submit("limited"), second = d.Submit("limited");
    FakeRunner::Held attempt = d.runner.Next();
    Dispatcher::Setup next = SetupOf({kDefault});
    next.replace_kinds = [&] {
      d.runner.ReplaceKinds({{.name = "limited", .run_timeout = 1s, .retry = {.max_attempts = 1}}, {.name = "more"}});
    };
    ASSERT_TRUE(d.dispatcher.Apply(next).ok());
    d.Advance(5s);
    EXPECT_EQ(d.Get(first).cancel_requested, false);
    attempt.Succeed();
    EXPECT_EQ(d.Await(first).state, JobState::kSucceeded) << "it goes on with the limit it began with";

    attempt = d.runner.Next();
    d.Advance(1s);
    EXPECT_EQ(attempt.AwaitStop(), "RUN_TIMEOUT");
    attempt.Fail();
    EXPECT_EQ(d.Await(second).state, JobState::kFailed) << "one attempt, as its kind says now";
    EXPECT_EQ(d.Pool().kinds, (std::vector<std::string>{"limited", "more"}));
    // One row for the kind, whatever its versions.
    std::vector<std::string> counted;
    for (const dispatch::KindStats& kind : d.PoolStats().kinds) counted.push_back(kind.kind);
    EXPECT_EQ(counted, (std::vector<std::string>{"echo", "hold", "limited", "more", "noop"}));
    EXPECT_EQ(d.PoolStats().kinds[2].attempts[static_cast<size_t>(AttemptResult::kSucceeded)], 1u);
    EXPECT_EQ(d.PoolStats().kinds[2].attempts[static_cast<size_t>(AttemptResult::kTimedOut)], 1u);
  });
}

TEST(Apply, AKindThatIsGoneTakesNoNewJobs) {
  WithDispatcher([](DispatchFixture& d) {
    const JobId running = d.Submit("hold"), queued = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    Dispatcher::Setup next = SetupOf({kDefault});
    next.replace_kinds = [&] { d.runner.ReplaceKinds({{.name = "noop"}}); };
    ASSERT_TRUE(d.dispatcher.Apply(next).ok());
    EXPECT_EQ(d.TrySubmit(d.Spec("hold")).reason(), "KIND_NOT_FOUND");
    attempt.Succeed();
    d.Await(running);
    // What the runner says of it is the runner's; the job is still of that kind, in lists and events.
    d.runner.Next().Fail();
    d.AwaitState(queued, JobState::kScheduled);
    EXPECT_EQ(d.List({.filter = *dispatch::Filter::Parse("kind = hold AND state = SCHEDULED")}).size(), 1u);
  });
}

TEST(Apply, LimitsHoldFromThenOn) {
  DispatchSetup setup;
  setup.options.process_bytes_max = dispatch::kJobOverheadBytes + 100;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    const JobId holds = d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    SubmitCall waiting;
    waiting.items.push_back({d.Spec("noop"), ""});
    waiting.on_full = OnFull::kWait;
    d.dispatcher.Submit(&waiting);
    EXPECT_FALSE(waiting.answered());
    Dispatcher::Setup next = SetupOf({kDefault});
    next.options.payload_bytes_max = 10;
    ASSERT_TRUE(d.dispatcher.Apply(next).ok());
    waiting.Await();
    EXPECT_TRUE(waiting.status.ok()) << "there is room for it now: " << waiting.status.ToString();
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", "more than ten bytes")).reason(), "PAYLOAD_TOO_LARGE");
    attempt.Succeed();
    d.Await(holds);
    d.Await(waiting.acks.at(0).id);
    next.options.finished_jobs_max = 0;
    ASSERT_TRUE(d.dispatcher.Apply(next).ok());
    d.dispatcher.RunDue();
    EXPECT_TRUE(d.List().empty());
  });
}

TEST(Apply, WhatCannotChangeIsRefusedAndNothingChanges) {
  WithDispatcher({.pools = {kDefault, kExtra}}, [](DispatchFixture& d) {
    bool replaced = false;
    auto refusal = [&](Dispatcher::Setup setup) {
      setup.options.payload_bytes_max = 1;
      setup.pools.push_back({.name = "new"});
      setup.replace_kinds = [&] { replaced = true; };
      const Status status = d.dispatcher.Apply(std::move(setup));
      EXPECT_EQ(d.dispatcher.Pools().size(), 2u);
      EXPECT_TRUE(d.TrySubmit(d.Spec("noop", "two")).ok());
      return status.reason();
    };
    Dispatcher::Setup events = SetupOf({kDefault});
    events.options.events_kept = 5;
    EXPECT_EQ(refusal(events), "RESTART_NEEDED");
    PoolOptions rendezvous = kExtra;
    rendezvous.capacity_jobs = 0;
    EXPECT_EQ(refusal(SetupOf({kDefault, rendezvous})), "RESTART_NEEDED");
    EXPECT_EQ(refusal(SetupOf({kDefault, kDefault})), "POOL_TWICE");
    EXPECT_EQ(refusal(SetupOf({{.name = "default", .runner = "http"}})), "BAD_RUNNER");
    EXPECT_EQ(refusal(SetupOf({{.name = "default", .workers = 0}})), "OUT_OF_RANGE");
    EXPECT_EQ(refusal(SetupOf({{.name = "No Name"}})), "BAD_POOL");
    EXPECT_FALSE(replaced);
    EXPECT_EQ(d.Pool("extra").state, PoolState::kActive);
    d.Stop(0s);
    EXPECT_EQ(d.dispatcher.Apply(SetupOf({kDefault})).code(), StatusCode::kUnavailable);
  });
}

// Says most under ThreadSanitizer: everybody who looks at pools, kinds and settings meets their replacement.
TEST(Apply, JobsRunThroughIt) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 4}, {.name = "extra", .workers = 2}};
  WithDispatcher(setup, [&](DispatchFixture& d) {
    std::atomic<bool> over{false};
    std::atomic<int> done{0};
    sync::WaitGroup all;
    for (int i = 0; i < 4; ++i) {
      all.Go([&, i] {
        for (int n = 0; n < 100; ++n) {
          dispatch::SubmitAck ack;
          JobSpec spec = d.Spec("echo", "x");
          if (i == 0) spec.pool = "extra";
          const Status status = d.TrySubmit(spec, &ack);
          if (i > 0) {
            ASSERT_TRUE(status.ok()) << status.ToString();
            EXPECT_EQ(d.Await(ack.id).state, JobState::kSucceeded);
            ++done;
          } else if (!status.ok()) {
            EXPECT_TRUE(status.reason() == "POOL_NOT_FOUND" || status.reason() == "POOL_NOT_CONFIGURED")
                << status.ToString();
          }
        }
      });
    }
    all.Go([&] {
      while (!over.load()) {
        for (const dispatch::PoolStatus& pool : d.dispatcher.Pools()) EXPECT_FALSE(pool.name.empty());
        d.dispatcher.Stats();
        rt::Yield();
      }
    });
    for (int n = 0; n < 40; ++n) {
      std::vector<PoolOptions> pools = setup.pools;
      pools[0].workers = 3 + n % 3;
      if (n % 2 == 0) pools.pop_back();
      if (n % 10 == 5) pools.push_back({.name = "pool-" + std::to_string(n), .workers = 1});
      Dispatcher::Setup next = SetupOf(pools);
      next.options.payload_bytes_max = static_cast<size_t>(1000 + n);
      next.replace_kinds = [&] {
        d.runner.ReplaceKinds({{.name = "echo", .run_timeout = std::chrono::seconds(1 + n % 2)}, {.name = "noop"}});
      };
      ASSERT_TRUE(d.dispatcher.Apply(next).ok());
      rt::Yield();
    }
    while (done.load() < 300) rt::Yield();
    over = true;
    all.Wait();
  });
}

}  // namespace
}  // namespace millrace::test
