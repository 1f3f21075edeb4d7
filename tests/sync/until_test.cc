// Waits that end: by their object, by a deadline, by a token.
#include "sync/until.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sync/channel.h"
#include "sync/condition.h"
#include "sync/mutex.h"
#include "sync/semaphore.h"
#include "sync/shared_channel.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class UntilTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, UntilTest, test::kAnyProcs);

Status Enough() { return millrace::Cancelled("TEST", "enough"); }

// One way to wait for something that does not come by itself: says whether it came.
struct Wait {
  std::string name;
  std::function<bool(const Until&)> wait;
  std::function<void()> make_it_come;
};

struct AllWaits {
  Channel<int> empty, full, buffered_full{1};
  ChannelRef<int> nil;
  Semaphore permits{0};
  Mutex mutex;
  Condition condition;
  WaitGroup group;
  std::vector<Wait> waits;

  AllWaits() {
    buffered_full.Send(0);
    waits.push_back({"receive", [&](const Until& until) { return empty.TryReceive(until).value.has_value(); },
                     [&] { empty.Send(1); }});
    waits.push_back({"send", [&](const Until& until) { return full.TrySend(1, until) == TrySendResult::kSent; },
                     [&] { full.Receive(); }});
    waits.push_back({"send into a buffer",
                     [&](const Until& until) { return buffered_full.TrySend(1, until) == TrySendResult::kSent; },
                     [&] { buffered_full.Receive(); }});
    waits.push_back(
        {"acquire", [&](const Until& until) { return permits.TryAcquire(2, until); }, [&] { permits.Release(2); }});
    waits.push_back({"condition",
                     [&](const Until& until) {
                       std::unique_lock lock(mutex);
                       return condition.WaitUntil(lock, until);
                     },
                     [&] {
                       std::lock_guard guard(mutex);
                       condition.NotifyOne();
                     }});
    waits.push_back({"wait group",
                     [&](const Until& until) {
                       if (group.count() == 0) group.Add(1);
                       return group.TryWait(until);
                     },
                     [&] { group.Done(); }});
  }
};

TEST_P(UntilTest, WhatComesInTimeIsTaken) {
  Run([] {
    AllWaits all;
    CancelSource source;
    for (Wait& wait : all.waits) {
      for (const Until& until :
           {Until{}, Within(1h), Until{.cancel = source.token()}, Within(1h, source.token()), Within(Nanos::max())}) {
        bool came = false;
        WatchedFiber waits([&] { came = wait.wait(until); });
        waits.AwaitParked();
        wait.make_it_come();
        waits.Join();
        EXPECT_TRUE(came) << wait.name;
      }
    }
  });
}

TEST_P(UntilTest, ADeadlineEndsTheWaitAndLeavesNothingBehind) {
  Run([] {
    AllWaits all;
    for (Wait& wait : all.waits) {
      for (const Until& until : {Within(2ms), Within(0ns), Until{.deadline = rt::Now() - 1h}}) {
        EXPECT_FALSE(wait.wait(until)) << wait.name;
        EXPECT_TRUE(until.expired());
        EXPECT_FALSE(until.cancelled());
      }
      // Nobody is left in its queue to take what comes now.
      bool came = false;
      WatchedFiber waits([&] { came = wait.wait(Within(1h)); });
      waits.AwaitParked();
      wait.make_it_come();
      waits.Join();
      EXPECT_TRUE(came) << wait.name;
    }
  });
}

TEST_P(UntilTest, ATokenEndsTheWait) {
  Run([] {
    AllWaits all;
    for (Wait& wait : all.waits) {
      CancelSource source;
      Until until{.cancel = source.token()};
      bool came = true;
      WatchedFiber waits([&] { came = wait.wait(until); });
      waits.AwaitParked();
      source.Cancel(Enough());
      waits.Join();
      EXPECT_FALSE(came) << wait.name;
      EXPECT_TRUE(until.cancelled());
      EXPECT_FALSE(wait.wait(until)) << wait.name << ", cancelled before";
    }
  });
}

TEST_P(UntilTest, WhatIsThereIsTakenWhateverTheUntilSays) {
  Run([] {
    CancelSource source;
    source.Cancel(Enough());
    const Until over{.deadline = rt::Now() - 1h, .cancel = source.token()};
    Channel<int> channel(1);
    Semaphore permits(1);
    WaitGroup group;
    EXPECT_EQ(channel.TrySend(1, over), TrySendResult::kSent);
    EXPECT_EQ(*channel.TryReceive(over), 1);
    EXPECT_TRUE(permits.TryAcquire(1, over));
    EXPECT_TRUE(group.TryWait(over));
  });
}

TEST_P(UntilTest, AClosedChannelIsTold) {
  Run([] {
    Channel<std::unique_ptr<int>> channel;
    for (bool before : {false, true}) {
      Channel<std::unique_ptr<int>> fresh;
      Channel<std::unique_ptr<int>>& used = before ? channel : fresh;
      TryReceived<std::unique_ptr<int>> received;
      TrySendResult sent = TrySendResult::kSent;
      auto value = std::make_unique<int>(1);
      if (before) used.Close();
      {
        WatchedFiber receives([&] { received = used.TryReceive(Within(1h)); });
        receives.AwaitParked();
        if (!before) used.Close();
      }
      EXPECT_TRUE(received.closed);
      EXPECT_FALSE(received);
      sent = used.TrySend(std::move(value), Within(1h));
      EXPECT_EQ(sent, TrySendResult::kClosed);
      EXPECT_NE(value, nullptr);  // NOLINT(bugprone-use-after-move): a refused value stays with the sender
    }
    // A sender that waits when it is closed keeps its value, and it is no misuse.
    Channel<std::unique_ptr<int>> closes;
    auto value = std::make_unique<int>(1);
    TrySendResult sent = TrySendResult::kSent;
    WatchedFiber sends([&] { sent = closes.TrySend(std::move(value), Within(1h)); });
    sends.AwaitParked();
    closes.Close();
    sends.Join();
    EXPECT_EQ(sent, TrySendResult::kClosed);
    EXPECT_NE(value, nullptr);
  });
}

TEST_P(UntilTest, AValueThatWasNotSentStaysWithItsOwner) {
  Run([] {
    Channel<std::unique_ptr<int>> full;
    auto value = std::make_unique<int>(1);
    EXPECT_EQ(full.TrySend(std::move(value), Within(1ms)), TrySendResult::kFull);
    EXPECT_NE(value, nullptr);  // NOLINT(bugprone-use-after-move): the same
  });
}

TEST_P(UntilTest, NilAndSharedChannelsTakeOneToo) {
  Run([] {
    ChannelRef<int> nil;
    EXPECT_FALSE(nil.TryReceive(Within(1ms)));
    EXPECT_EQ(nil.TrySend(1, Within(1ms)), TrySendResult::kFull);
    auto shared = MakeChannel<int>(1);
    EXPECT_EQ(shared.TrySend(1, Within(1h)), TrySendResult::kSent);
    EXPECT_EQ(*shared.TryReceive(Within(1h)), 1);
    EXPECT_FALSE(SharedChannel<int>().TryReceive(Within(1ms)));
  });
}

// Whoever gives up at the head of the queue may have held up those behind it.
TEST_P(UntilTest, WhoGivesUpLetsSmallerRequestsThrough) {
  Run([] {
    Semaphore permits(1);
    CancelSource source;
    bool large = true;
    WatchedFiber wants_much([&] { large = permits.TryAcquire(5, {.cancel = source.token()}); });
    wants_much.AwaitParked();
    WatchedFiber wants_little([&] { permits.Acquire(1); });
    wants_little.AwaitParked();
    source.Cancel(Enough());
    wants_little.Join();
    wants_much.Join();
    EXPECT_FALSE(large);
    EXPECT_EQ(permits.available(), 0);
  });
}

// No permit and no value is lost or doubled when the ends of the waits race with what they wait for.
TEST_P(UntilTest, EndsThatRaceWithWhatComesLoseNothing) {
  Run([] {
    const int kRounds = test::kSlowBuild ? 200 : 3'000;
    Semaphore permits(0);
    Channel<int> values;
    int acquired = 0, received = 0, sent = 0;
    for (int i = 0; i < kRounds; ++i) {
      CancelSource source;
      WaitGroup done;
      done.Go([&] { acquired += permits.TryAcquire(1, Within(Nanos(i % 7 * 1'000), source.token())) ? 1 : 0; });
      done.Go([&] { received += values.TryReceive(Within(Nanos(i % 5 * 1'000), source.token())) ? 1 : 0; });
      done.Go([&] { permits.Release(); });
      done.Go([&] { sent += values.TrySend(i, Within(Nanos(i % 3 * 1'000))) == TrySendResult::kSent ? 1 : 0; });
      if (i % 2 == 0) source.Cancel(Enough());
      done.Wait();
    }
    EXPECT_EQ(permits.available(), kRounds - acquired);
    EXPECT_EQ(received, sent);
  });
}

// The last Done and the end of the wait at the same moment: whoever says that all are done may let the group go.
TEST_P(UntilTest, AWaitGroupMayEndAsSoonAsItIsSaidToBeDone) {
  Run([] {
    const int kRounds = test::kSlowBuild ? 200 : 3'000;
    int done = 0, late = 0;
    for (int i = 0; i < kRounds; ++i) {
      auto group = std::make_unique<WaitGroup>();
      group->Add(1);
      rt::Go([&group = *group] { group.Done(); });
      if (group->TryWait(Within(Nanos(i % 11 * 500)))) {
        ++done;
      } else {
        ++late;
        group->Wait();
      }
    }
    EXPECT_EQ(done + late, kRounds);
  });
}

}  // namespace
}  // namespace millrace::sync
