#include "sync/cancel.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sync/channel.h"
#include "sync/select.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

Status Because(std::string why) { return millrace::Cancelled("TEST", std::move(why)); }

class CancelTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, CancelTest, test::kAnyProcs);

TEST_P(CancelTest, ATokenTellsWhetherAndWhy) {
  CancelSource source;
  CancelToken token = source.token();
  EXPECT_FALSE(token.cancelled());
  EXPECT_TRUE(token.reason().ok());
  EXPECT_TRUE(source.Cancel(Because("the client asked")));
  EXPECT_TRUE(token.cancelled());
  EXPECT_EQ(token.reason().message(), "the client asked");
}

TEST_P(CancelTest, TheFirstReasonStays) {
  CancelSource source;
  EXPECT_TRUE(source.Cancel(Because("first")));
  EXPECT_FALSE(source.Cancel(Because("second")));
  EXPECT_EQ(source.token().reason().message(), "first");
}

TEST_P(CancelTest, ADefaultTokenIsNeverCancelled) {
  CancelToken token;
  EXPECT_FALSE(token.cancelled());
  EXPECT_TRUE(token.reason().ok());
  EXPECT_EQ(token.done(), nullptr);
  CancelCallback never(token, [](const Status&) { ADD_FAILURE(); });
  Run([&] {
    EXPECT_TRUE(token.SleepFor(1ms));
    EXPECT_EQ(Select(Cancelled(token), Default()), 1u);
  });
}

TEST_P(CancelTest, ATokenOutlivesItsSource) {
  auto source = std::make_unique<CancelSource>();
  CancelToken token = source->token(), second = source->token();
  source->Cancel(Because("early"));
  source.reset();
  EXPECT_EQ(token.reason().message(), "early");
  auto silent = std::make_unique<CancelSource>();
  second = silent->token();
  silent.reset();
  EXPECT_FALSE(second.cancelled());
}

TEST_P(CancelTest, WaitersAreReleased) {
  Run([] {
    CancelSource source;
    CancelToken token = source.token();
    Channel<int> channel;
    size_t chosen = 99;
    bool slept = true;
    WatchedFiber waits([&] { token.Wait(); });
    WatchedFiber selects([&] { chosen = Select(Receive(channel), Cancelled(token)); });
    WatchedFiber sleeps([&] { slept = token.SleepFor(1h); });
    waits.AwaitParked(), selects.AwaitParked(), sleeps.AwaitParked();
    source.Cancel(Because("now"));
    waits.Join(), selects.Join(), sleeps.Join();
    EXPECT_EQ(chosen, 1u);
    EXPECT_FALSE(slept);
    token.Wait();  // Returns at once from now on.
    EXPECT_FALSE(token.SleepFor(1h));
  });
}

TEST_P(CancelTest, CallbacksRunOnceInTheOrderOfRegistration) {
  CancelSource source;
  CancelToken token = source.token();
  std::vector<int> order;
  CancelCallback first(token, [&](const Status& reason) { order.push_back(reason.message() == "stop" ? 1 : 0); });
  CancelCallback second(token, [&](const Status&) { order.push_back(2); });
  auto removed =
      std::make_unique<CancelCallback<std::function<void(const Status&)>>>(token, [](const Status&) { ADD_FAILURE(); });
  removed.reset();
  EXPECT_TRUE(order.empty());
  source.Cancel(Because("stop"));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  CancelCallback late(token, [&](const Status&) { order.push_back(3); });
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_P(CancelTest, ACallbackMayDestroyItselfAndItsSource) {
  Run([] {
    auto source = std::make_unique<CancelSource>();
    struct Self {
      std::function<void()> fn;
      void operator()(const Status&) const { fn(); }
    };
    std::optional<CancelCallback<Self>> callback;
    int runs = 0;
    callback.emplace(source->token(), Self{[&] {
                       ++runs;
                       source.reset();
                     }});
    std::optional<CancelCallback<Self>> itself;
    itself.emplace(source->token(), Self{[&] {
                     ++runs;
                     itself.reset();
                   }});
    source->Cancel(Because("end"));
    EXPECT_EQ(runs, 2);
    EXPECT_FALSE(itself.has_value());
  });
}

TEST_P(CancelTest, TheEndOfACallbackWaitsWhileItRunsElsewhere) {
  Run([] {
    const int rounds = test::kSlowBuild ? 100 : 1000;
    for (int i = 0; i < rounds; ++i) {
      CancelSource source;
      int touched = 0;  // Not atomic: the destructor orders it.
      {
        std::optional<WatchedFiber> cancels;
        {
          CancelCallback callback(source.token(), [&](const Status&) {
            ++touched;
            rt::Yield();
            ++touched;
          });
          cancels.emplace([&] { source.Cancel(Because("race")); });
          if (i % 2 == 0) rt::Yield();
        }
        EXPECT_TRUE(touched == 0 || touched == 2) << touched;
      }
    }
  });
}

TEST_P(CancelTest, ChildrenFollowTheirParent) {
  Run([] {
    CancelSource root;
    CancelSource child(root.token());
    CancelSource grandchild(child.token());
    CancelSource other;
    child.Cancel(Because("only this branch"));
    EXPECT_FALSE(root.cancelled());
    EXPECT_EQ(grandchild.token().reason().message(), "only this branch");
    CancelSource second(root.token());
    root.Cancel(Because("everything"));
    EXPECT_EQ(second.token().reason().message(), "everything");
    EXPECT_EQ(child.token().reason().message(), "only this branch");
    CancelSource born_late(root.token());
    EXPECT_TRUE(born_late.cancelled());
    EXPECT_FALSE(other.cancelled());
  });
}

TEST_P(CancelTest, ADeadlineCancels) {
  Run([] {
    CancelSource source;
    source.CancelAfter(2ms, millrace::DeadlineExceeded("RUN_TIMEOUT", "2 ms"));
    CancelSource child(source.token());
    child.token().Wait();
    EXPECT_EQ(source.token().reason().reason(), "RUN_TIMEOUT");
    EXPECT_EQ(source.token().reason().code(), StatusCode::kDeadlineExceeded);
  });
}

TEST_P(CancelTest, TheGreatestDurationNeverCancels) {
  Run([] {
    CancelSource after_nanos, after_hours, at;
    after_nanos.CancelAfter(Nanos::max(), Because("too early"));
    after_hours.CancelAfter(std::chrono::hours::max(), Because("too early"));
    at.CancelAt(MonoTime::max(), Because("too early"));
    for (CancelSource* source : {&after_nanos, &after_hours, &at}) {
      bool slept_out = true;
      WatchedFiber sleeps([&] { slept_out = source->token().SleepFor(std::chrono::seconds::max()); });
      sleeps.AwaitParked();
      EXPECT_FALSE(source->cancelled());
      EXPECT_TRUE(source->Cancel(Because("enough")));
      sleeps.Join();
      EXPECT_FALSE(slept_out);
    }
  });
}

TEST_P(CancelTest, ACallbackOfADeadlineMayWait) {
  Run([] {
    CancelSource source;
    Channel<Nothing> meeting;
    CancelCallback callback(source.token(), [&](const Status&) { meeting.Send({}); });
    source.CancelAfter(1ms, Because("late"));
    EXPECT_TRUE(meeting.Receive().has_value());
    source.token().Wait();
  });
}

TEST_P(CancelTest, ADeadlineThatIsNoLongerWantedLeavesNothingBehind) {
  test::OnProcs(GetParam(), [] {
    for (int i = 0; i < 100; ++i) {
      CancelSource ends_early, cancelled_early, already_cancelled, races;
      ends_early.CancelAfter(1h, Because("never"));
      cancelled_early.CancelAfter(1h, Because("never"));
      if (i % 2 == 0) rt::Yield();
      cancelled_early.Cancel(Because("before"));
      EXPECT_EQ(cancelled_early.token().reason().message(), "before");
      already_cancelled.Cancel(Because("before"));
      already_cancelled.CancelAfter(1h, Because("never"));
      races.CancelAfter(std::chrono::microseconds(i), Because("perhaps"));
      if (i % 3 == 0) rt::SleepFor(std::chrono::microseconds(i));
    }
  });
}

TEST_P(CancelTest, APlainThreadMayCancel) {
  Run([] {
    CancelSource source;
    CancelToken token = source.token();
    std::atomic<int> ran{0};
    CancelCallback callback(token, [&](const Status&) { ++ran; });
    std::thread thread([&] { source.Cancel(Because("from outside")); });
    token.Wait();
    thread.join();
    EXPECT_EQ(ran, 1);
  });
}

TEST_P(CancelTest, OneOfManyCancelsWins) {
  Run([] {
    for (int round = 0; round < 50; ++round) {
      CancelSource source;
      std::atomic<int> winners{0};
      WaitGroup done;
      for (int i = 0; i < 8; ++i) done.Go([&, i] { winners += source.Cancel(Because(std::to_string(i))); });
      done.Wait();
      EXPECT_EQ(winners, 1);
    }
  });
}

}  // namespace
}  // namespace millrace::sync
