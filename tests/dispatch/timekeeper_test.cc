#include "dispatch/timekeeper.h"

#include <gtest/gtest.h>

#include "dispatch/dispatcher.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

// On the machine's clock: what is asserted is that things happen, never when.
TEST(Timekeeper, MakesDueJobsReadyByItself) {
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    SystemClock clock;
    FakeRunner runner;
    store::MemoryJournal journal;
    dispatch::Dispatcher dispatcher({runtime, clock, journal, {&runner}}, {});
    ASSERT_TRUE(dispatcher.AddPool({.name = "default"}).ok());
    ASSERT_TRUE(dispatcher.Start().ok());
    auto submit = [&](const char* kind, Nanos delay, WaitCall* wait) {
      SubmitCall call;
      call.items.push_back({DispatchFixture::Spec(kind), ""});
      call.items[0].spec.delay = delay;
      dispatcher.Submit(&call);
      call.Await();
      ASSERT_TRUE(dispatcher.Wait(call.acks.at(0).id, wait).ok());
    };
    WaitCall late, soon;
    submit("noop", 1h, &late);
    submit("noop", 1ms, &soon);  // Earlier than what it sleeps for.
    EXPECT_EQ(soon.Await().state, JobState::kSucceeded);
    EXPECT_FALSE(late.told.load());
    dispatcher.Stop(0s);  // It ends although it sleeps for an hour.
  });
}

TEST(Timekeeper, AKickThatComesWhileItLooksIsNotLost) {
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    dispatch::Timekeeper keeper;
    std::atomic<int> rounds{0};
    keeper.Start(runtime, [&] {
      if (rounds.fetch_add(1) < 100) keeper.Kick();
      return MonoTime::max();
    });
    while (rounds.load() < 101) rt::Yield();
    keeper.Stop();
  });
}

}  // namespace
}  // namespace millrace::test
