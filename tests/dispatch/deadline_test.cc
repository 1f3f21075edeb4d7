// No attempt begins after its job's deadline, wherever the time between the check and the start was spent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

JobSpec Until(DispatchFixture& d, Nanos time, const char* kind = "hold") {
  JobSpec spec = d.Spec(kind);
  spec.deadline = d.clock.Wall() + time;
  return spec;
}

TEST(Deadline, ASubmitIsNotAcceptedWhenItPassedWhileTheSubmitWaitedForRoom) {
  for (const int64_t capacity : {0, 1}) {
    DispatchSetup setup;
    setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = capacity}};
    WithDispatcher(setup, [&](DispatchFixture& d) {
      while (d.TrySubmit(d.Spec("hold")).reason() == "QUEUE_FULL") rt::Yield();
      FakeRunner::Held busy = d.runner.Next();
      if (capacity > 0) d.Submit("noop");
      auto late = Waiting(d, {Until(d, 300ms)});
      auto batch = Waiting(d, {d.Spec("noop")});
      auto in_time = Waiting(d, {Until(d, 1h, "noop")});
      d.Advance(200ms);
      EXPECT_FALSE(late->answered());
      d.Advance(100ms);
      EXPECT_TRUE(late->answered()) << "at its deadline, not when there would have been room";
      busy.Succeed();
      late->Await();
      EXPECT_EQ(late->status.code(), StatusCode::kDeadlineExceeded);
      EXPECT_EQ(late->status.reason(), "DEADLINE_PASSED");
      EXPECT_EQ(late->status.field(), "spec.deadline");
      batch->Await();
      in_time->Await();
      EXPECT_TRUE(in_time->status.ok()) << "who stood behind it is served";
      d.Await(in_time->acks[0].id);
      EXPECT_EQ(d.runner.begun(), 0u);
    });
  }
}

TEST(Deadline, OfOneItemRefusesTheBatchAndNamesIt) {
  DispatchSetup setup;
  setup.options.process_bytes_max = 4 * dispatch::kJobOverheadBytes;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId first = d.Submit("noop");
    d.Submit("noop");
    d.Submit("noop");
    auto batch = Waiting(d, {d.Spec("noop"), Until(d, 1s)});
    d.Advance(2s);
    EXPECT_TRUE(batch->answered());
    ASSERT_TRUE(d.Cancel(first).ok());
    batch->Await();
    EXPECT_EQ(batch->status.reason(), "DEADLINE_PASSED");
    EXPECT_EQ(batch->status.field(), "requests[1].spec.deadline");
    EXPECT_EQ(d.Pool().queued_jobs, 2);
  });
}

TEST(Deadline, AWorkerPassesOverJobsThatTheTimekeeperIsLateFor) {
  WithDispatcher([](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    const JobId one = d.Submit(Until(d, 1s)), two = d.Submit(Until(d, 1s)), third = d.Submit("hold");
    d.clock.Advance(2s);
    busy.Succeed();
    FakeRunner::Held next = d.runner.Next();
    EXPECT_EQ(next.id(), third);
    for (const JobId& id : {one, two}) {
      const JobSnapshot job = d.Get(id);
      EXPECT_EQ(job.state, JobState::kExpired);
      EXPECT_EQ(job.attempts, 0);
      EXPECT_TRUE(job.history.empty());
    }
    next.Succeed();
    // The worker that had nothing else to do is idle again.
    d.AwaitIdle();
    d.Submit("hold");
    d.runner.Next().Succeed();
  });
}

TEST(Deadline, AColdJobIsReadAndThenExpires) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.options.hot_bytes_max = 0;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId id = SubmitTo(d, journal, Until(d, 1s));
    d.clock.Advance(2s);
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    while (d.Pool().queued_jobs > 0) rt::Yield();
    journal.Commit();
    EXPECT_EQ(d.State(id), JobState::kExpired);
    EXPECT_EQ(d.runner.begun(), 0u);
    EXPECT_TRUE(d.Get(id).history.empty());
  });
}

TEST(Deadline, PassesWhileTheAcceptanceIsCommitted) {
  SlowJournal journal;
  WithSlow(journal, {}, [&](DispatchFixture& d) {
    SubmitCall call;
    call.items.push_back({Until(d, 1s), ""});
    d.dispatcher.Submit(&call);
    d.clock.Advance(2s);
    journal.Commit();
    call.Await();
    ASSERT_TRUE(call.status.ok()) << "it was accepted in time";
    while (!IsTerminal(d.State(call.acks[0].id))) {
      journal.Commit();
      rt::Yield();
    }
    EXPECT_EQ(d.State(call.acks[0].id), JobState::kExpired);
    EXPECT_TRUE(d.Get(call.acks[0].id).history.empty());
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

TEST(Deadline, PassesWhileTheStartIsCommittedAndTheHandlerIsNotCalled) {
  SlowJournal journal;
  WithSlow(journal, {}, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId id = SubmitTo(d, journal, Until(d, 1s));
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    ASSERT_EQ(d.State(id), JobState::kRunning);
    d.clock.Advance(2s);
    while (!IsTerminal(d.State(id))) {
      journal.Commit();
      rt::Yield();
    }
    EXPECT_EQ(d.State(id), JobState::kExpired);
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

TEST(Deadline, ADelayBeyondItIsRefusedAsATimeBeyondItIs) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = Until(d, 5s, "noop");
    spec.delay = 5s;
    const Status delay = d.TrySubmit(spec);
    EXPECT_EQ(delay.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(delay.field(), "spec.deadline");
    spec.delay.reset();
    spec.run_at = spec.deadline;
    EXPECT_EQ(d.TrySubmit(spec).reason(), delay.reason());
    spec.run_at.reset();
    spec.delay = 4s;
    EXPECT_TRUE(d.TrySubmit(spec).ok());
  });
}

}  // namespace
}  // namespace millrace::test
