// Somebody sets the machine's clock back between two lives of the daemon.
#include <gtest/gtest.h>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

class RestartClock : public testing::Test {
 protected:
  // The second of them a day before the first.
  void Lives(const std::function<void(DispatchFixture&)>& first, const std::function<void(DispatchFixture&)>& second) {
    store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
    setup.journal = &journal;
    WithDispatcher(setup, first);
    setup.wall_ahead = -24h;
    WithDispatcher(setup, second);
  }
  DispatchSetup setup;
};

TEST_F(RestartClock, ADelayIsNoLongerThanItWasAtFirst) {
  Lives(
      [](DispatchFixture& d) {
        JobSpec spec = d.Spec("hold");
        spec.delay = 5s;
        d.Submit(spec);
        d.Advance(4s);
      },
      [](DispatchFixture& d) {
        EXPECT_EQ(d.Pool().scheduled_jobs, 1);
        d.Advance(5s);
        d.runner.Next().Succeed();
      });
}

TEST_F(RestartClock, ABackoffIsNoLongerThanItWasAtFirst) {
  JobId id;
  Lives(
      [&](DispatchFixture& d) {
        JobSpec spec = d.Spec("hold");
        spec.retry = {.max_attempts = 3, .initial_backoff = 10s, .max_backoff = 10s};
        id = d.Submit(spec);
        d.runner.Next().Fail();
        d.AwaitState(id, JobState::kScheduled);
      },
      [&](DispatchFixture& d) {
        EXPECT_EQ(d.State(id), JobState::kScheduled);
        d.Advance(10s);
        FakeRunner::Held attempt = d.runner.Next();
        EXPECT_EQ(attempt.number(), 2);
        attempt.Succeed();
      });
}

TEST_F(RestartClock, ATimeIsATimeAndFollowsTheClock) {
  JobId id;
  Lives(
      [&](DispatchFixture& d) {
        JobSpec spec = d.Spec("hold");
        spec.run_at = d.clock.Wall() + 5s;
        id = d.Submit(spec);
      },
      [&](DispatchFixture& d) {
        d.Advance(1h);
        EXPECT_EQ(d.State(id), JobState::kScheduled);
        d.Advance(24h);
        d.runner.Next().Succeed();
      });
}

TEST_F(RestartClock, WhatEndedIsForgottenAfterItsAgeAndItsRequestIdADayLater) {
  setup.options.finished_age_max = 1h;
  JobId first, second;
  const auto submit = [](DispatchFixture& d, const char* request_id) {
    dispatch::SubmitAck ack;
    DispatchFixture::Require(d.TrySubmit(d.Spec("noop"), &ack, request_id));
    return ack.id;
  };
  Lives(
      [&](DispatchFixture& d) {
        first = submit(d, "first");
        d.Await(first);
        ASSERT_TRUE(d.Delete(first).ok());
        second = submit(d, "second");
        d.Await(second);
      },
      [&](DispatchFixture& d) {
        d.Advance(59min);
        EXPECT_TRUE(d.dispatcher.Get(second).ok());
        d.Advance(1min);
        EXPECT_EQ(d.dispatcher.Get(second).status().reason(), "JOB_NOT_FOUND");
        EXPECT_EQ(submit(d, "first"), first);
        d.Advance(23h);
        EXPECT_NE(submit(d, "first"), first);
        EXPECT_EQ(submit(d, "second"), second);
        d.Advance(1h);
        EXPECT_NE(submit(d, "second"), second);
      });
}

}  // namespace
}  // namespace millrace::test
