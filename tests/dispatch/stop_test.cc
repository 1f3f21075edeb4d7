// How a dispatcher ends, and how the next one goes on.
#include <gtest/gtest.h>

#include "dispatch/dispatcher.h"
#include "sync/wait_group.h"
#include "tests/support/dispatch_fixture.h"
#include "tests/support/one_part.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

TEST(Stop, StopLetsRunningAttemptsEndByThemselves) {
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

TEST(Stop, StopHandsBackWhatDoesNotEndInTimeAndBurnsNoAttempt) {
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

TEST(Stop, ASuccessWhileBeingReleasedStaysASuccess) {
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

TEST(Stop, StopAnswersSubmitsThatWait) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    d.Submit("noop");
    SubmitCall waits;
    waits.items.push_back({d.Spec("noop"), ""});
    waits.on_full = dispatch::OnFull::kWait;
    d.dispatcher.Submit(&waits);
    EXPECT_FALSE(waits.answered());
    sync::WaitGroup stopping;
    stopping.Go([&] { d.Stop(1h); });
    waits.Await();
    EXPECT_EQ(waits.status.code(), StatusCode::kUnavailable);
    attempt.Succeed();
    stopping.Wait();
  });
}

TEST(Restart, ASecondDispatcherGoesOnWhereTheFirstOneDied) {
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
    DispatchSetup setup;
    setup.journal = &journal;
    JobId running, queued, scheduled, finished;
    store::MemoryJournal image(store::MemoryJournal::Keep::kAll);
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
        test::Append(image, std::span(&one, 1), test::Accepting::kNo, nullptr);
      }));
      test::End(image, *journal.Read(finished, dispatch::Journal::Part::kWhole), nullptr);
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

}  // namespace
}  // namespace millrace::test
