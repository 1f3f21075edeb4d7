// Which case a select chooses, when it waits, and misuse; many at once are in select_race_test.cc, the ways to write
// one in select_shapes_test.cc. Mirrors Go's test/chan (select3, select4, select7, nonblock) and the fairness tests of
// runtime/chan_test.go.
#include "sync/select.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::OnProcs;
using test::WatchedFiber;

class SelectTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, SelectTest, test::kAnyProcs);

constexpr int kTrials = test::kSlowBuild ? 2'000 : 10'000;

// ---- Which operations proceed: every state of a channel against every operation (test/chan/select3)

struct ChannelState {
  const char* name;
  bool exists, receives, sends;
  size_t capacity;
  int filled;
  bool closed;
};

constexpr ChannelState kStates[] = {
    {"nil", false, false, false, 0, 0, false},        {"unbuffered", true, false, false, 0, 0, false},
    {"empty", true, false, true, 10, 0, false},       {"half full", true, true, true, 10, 5, false},
    {"full", true, true, false, 10, 10, false},       {"closed", true, true, false, 0, 0, true},
    {"closed, empty", true, true, false, 5, 0, true}, {"closed, not empty", true, true, false, 5, 2, true},
};

TEST_P(SelectTest, EveryStateOfAChannelAgainstEveryOperation) {
  Run([] {
    for (const ChannelState& state : kStates) {
      auto make = [&] {
        std::unique_ptr<Channel<int>> channel;
        if (!state.exists) return channel;
        channel = std::make_unique<Channel<int>>(state.capacity);
        for (int i = 0; i < state.filled; ++i) channel->Send(i);
        if (state.closed) channel->Close();
        return channel;
      };
      {
        auto channel = make();
        EXPECT_EQ(Select(Receive(channel.get()), Default()), state.receives ? 0u : 1u) << state.name;
      }
      {
        auto channel = make();
        EXPECT_EQ(Select(Receive(channel.get()), After(0ns)), state.receives ? 0u : 1u) << state.name;
      }
      if (state.closed) continue;  // Sending is fatal: SelectDeathTest.
      {
        auto channel = make();
        EXPECT_EQ(Select(Send(channel.get(), 1), Default()), state.sends ? 0u : 1u) << state.name;
      }
      {
        auto channel = make();
        EXPECT_EQ(Select(Send(channel.get(), 1), After(0ns)), state.sends ? 0u : 1u) << state.name;
      }
    }
  });
}

TEST_P(SelectTest, WithoutAReadyCaseDefaultRuns) {
  Run([] {
    Channel<int> a, b(1);
    bool ran = false;
    EXPECT_EQ(Select(Receive(a), Receive(b), Default([&] { ran = true; })), 2u);
    EXPECT_TRUE(ran);
    EXPECT_EQ(Select(Default()), 0u);
    b.Send(1);
    EXPECT_EQ(Select(Receive(a), Receive(b), Default([] { ADD_FAILURE() << "a case was ready"; })), 1u);
  });
}

TEST_P(SelectTest, TheChosenFunctionGetsTheValue) {
  Run([] {
    Channel<std::unique_ptr<int>> in(1);
    Channel<std::string> out(1);
    in.Send(std::make_unique<int>(5));
    int got = 0;
    EXPECT_EQ(Select(Receive(in, [&](std::optional<std::unique_ptr<int>> value) { got = value ? **value : -1; })), 0u);
    EXPECT_EQ(got, 5);
    bool sent = false;
    EXPECT_EQ(Select(Receive(in), Send(out, "text", [&] { sent = true; })), 1u);
    EXPECT_TRUE(sent);
    EXPECT_EQ(out.Receive(), "text");
    in.Close();
    bool closed = false;
    Select(Receive(in, [&](std::optional<std::unique_ptr<int>> value) { closed = !value.has_value(); }));
    EXPECT_TRUE(closed);
  });
}

TEST_P(SelectTest, AValueThatWasLentAndNotChosenStaysWithItsOwner) {
  Run([] {
    Channel<std::unique_ptr<int>> full(0), room(1);
    auto value = std::make_unique<int>(1);
    EXPECT_EQ(Select(Send(full, Lend(value)), Default()), 1u);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(Select(Send(full, Lend(value)), After(1us)), 1u);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(Select(Send(full, Lend(value)), Send(room, Lend(value))), 1u);
    EXPECT_EQ(value, nullptr);
    EXPECT_EQ(**room.Receive(), 1);
  });
}

TEST_P(SelectTest, WaitsUntilACaseIsReady) {
  Run([] {
    Channel<int> a, b, out;
    size_t chosen = 99;
    int got = 0;
    auto keep = [&](std::optional<int> value) { got = value.value_or(-1); };
    auto select = [&] { chosen = Select(Receive(a, keep), Receive(b, keep), Send(out, 5)); };
    {
      WatchedFiber fiber(select);
      fiber.AwaitParked();
      b.Send(3);
    }
    EXPECT_EQ(chosen, 1u);
    EXPECT_EQ(got, 3);
    {
      WatchedFiber fiber(select);
      fiber.AwaitParked();
      EXPECT_EQ(out.Receive(), 5);
    }
    EXPECT_EQ(chosen, 2u);
    {
      WatchedFiber fiber(select);
      fiber.AwaitParked();
      a.Close();
    }
    EXPECT_EQ(chosen, 0u);
    EXPECT_EQ(got, -1);
    // The losers have left their queues.
    EXPECT_EQ(b.TrySend(1), TrySendResult::kFull);
    EXPECT_FALSE(out.TryReceive());
  });
}

TEST_P(SelectTest, NilCasesAreNeverChosen) {
  Run([] {
    Channel<int> real(1);
    Channel<int>* none = nullptr;
    ChannelRef<int> nil;
    real.Send(1);
    EXPECT_EQ(Select(Receive(none), Send(nil, 1), Receive(nil), Receive(real)), 3u);
    EXPECT_EQ(Select(Receive(none), Default()), 1u);
    EXPECT_EQ(Select(Receive(none), After(1us)), 1u);
  });
}

TEST_P(SelectTest, WithNothingToWaitForItNeverReturns) {
  static std::atomic<int> reached;
  reached = 0;
  Run([] {
    rt::Go([] { ++reached, Select(), reached += 100; });
    rt::Go([] { ++reached, Select(Receive(ChannelRef<int>())), reached += 100; });
    while (reached < 2) rt::Yield();
    for (int i = 0; i < 10; ++i) rt::Yield();
  });
  EXPECT_EQ(reached, 2);
}

// ---- Time

TEST_P(SelectTest, AfterRunsWhenNothingCameInTime) {
  Run([] {
    Channel<int> a, b;
    auto start = std::chrono::steady_clock::now();
    bool late = false;
    EXPECT_EQ(Select(Receive(a), Receive(b), After(5ms, [&] { late = true; })), 2u);
    EXPECT_TRUE(late);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 5ms);
    EXPECT_EQ(Select(After(1ms)), 0u);
    EXPECT_EQ(Select(Receive(a), At(std::chrono::steady_clock::now() - 1s)), 1u);
  });
}

TEST_P(SelectTest, AReadyCaseIsTakenBeforeTheDeadline) {
  Run([] {
    Channel<int> a, b;
    WatchedFiber sender([&] { b.Send(1); });
    EXPECT_EQ(Select(Receive(a), Receive(b), After(1h)), 1u);
  });
}

TEST_P(SelectTest, TheGreatestDurationIsNoLimit) {
  Run([] {
    Channel<int> a;
    for (AnyDuration no_limit : {AnyDuration(Nanos::max()), AnyDuration(std::chrono::hours::max())}) {
      WatchedFiber selects([&] { EXPECT_EQ(Select(Receive(a), After(no_limit)), 0u); });
      selects.AwaitParked();
      a.Send(1);
    }
    WatchedFiber selects([&] { EXPECT_EQ(Select(Receive(a), At(MonoTime::max())), 0u); });
    selects.AwaitParked();
    a.Send(1);
  });
}

TEST_P(SelectTest, DeadlinesThatRaceWithValuesLoseNone) {
  Run([] {
    Channel<int> channel;
    const int values = test::kSlowBuild ? 200 : 500;
    WatchedFiber sender([&] {
      for (int i = 0; i < values; ++i) {
        int left = i % 5;
        while (Select(Send(channel, i), After(std::chrono::microseconds(left))) != 0) ++left;
      }
      channel.Close();
    });
    int expected = 0;
    for (bool open = true; open;) {
      Select(Receive(channel,
                     [&](std::optional<int> value) {
                       open = value.has_value();
                       if (open) {
                         EXPECT_EQ(*value, expected++);
                       }
                     }),
             After(std::chrono::microseconds(expected % 7)));
    }
    EXPECT_EQ(expected, values);
  });
}

// ---- Fairness

TEST_P(SelectTest, ReadyCasesWinEquallyOften) {
  Run([] {
    Channel<int> a(1), b(1), c(1);
    std::array<int, 3> wins{};
    for (int i = 0; i < 3 * kTrials; ++i) {
      (void)a.TrySend(1), (void)b.TrySend(1), (void)c.TrySend(1);
      ++wins[Select(Receive(a), Receive(b), Receive(c))];
    }
    // Ten standard deviations of a fair choice.
    int slack = 10 * static_cast<int>(std::sqrt(3 * kTrials * (1.0 / 3) * (2.0 / 3)));
    for (int count : wins) EXPECT_NEAR(count, kTrials, slack);
  });
}

// Fibers that live at the same time, so that each has a stack of its own and none goes on where another's order ended.
TEST_P(SelectTest, TheFirstSelectsOfManyFibersDoNotAllChooseTheSameCase) {
  Run([] {
    constexpr int kFibers = 200;
    Channel<int> left(kFibers), right(kFibers), gate;
    std::atomic<int> lefts{0}, rights{0};
    for (int i = 0; i < kFibers; ++i) {
      left.Send(i);
      right.Send(i);
    }
    WaitGroup done;
    for (int i = 0; i < kFibers; ++i) {
      done.Go([&] {
        gate.Receive();
        Select(Receive(left, [&] { lefts++; }), Receive(right, [&] { rights++; }));
      });
    }
    gate.Close();
    done.Wait();
    EXPECT_GT(lefts, 0);
    EXPECT_GT(rights, 0);
    EXPECT_EQ(lefts + rights, kFibers);
  });
}

TEST_P(SelectTest, BothWaysOfATwoWaySendOccur) {
  Run([] {
    for (int capacity = 0; capacity < 2; ++capacity) {
      Channel<int> bits(capacity);
      WatchedFiber sender([&] {
        for (int i = 0; i < kTrials; ++i) Select(Send(bits, 0), Send(bits, 1));
        bits.Close();
      });
      std::array<int, 2> seen{};
      for (int bit : bits) ++seen[bit];
      EXPECT_GT(seen[0], kTrials / 3);
      EXPECT_GT(seen[1], kTrials / 3);
    }
  });
}

TEST_P(SelectTest, APlainThreadMayLook) {
  Channel<int> channel(1);
  EXPECT_EQ(Select(Receive(channel), Default()), 1u);
  EXPECT_EQ(Select(Send(channel, 1), Default()), 0u);
  EXPECT_EQ(Select(Receive(channel), Default()), 0u);
}

class SelectDeathTest : public ::testing::Test {
 protected:
  SelectDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(SelectDeathTest, ASendOnAClosedChannelIsFatal) {
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         Channel<int> channel(1), other;
                         channel.Close();
                         Select(Send(channel, 1), Receive(other));
                       }),
               "fatal error: send on closed channel");
}

TEST_F(SelectDeathTest, CloseIsFatalForASendThatWaits) {
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         Channel<int> channel, other;
                         WatchedFiber sender([&] { Select(Send(channel, 1), Receive(other)); });
                         sender.AwaitParked();
                         channel.Close();
                         sender.Join();
                       }),
               "fatal error: send on closed channel");
}

// Go's TestSimpleDeadlock: `select {}` in main. And TestLockedDeadlock2: in main and in another fiber.
TEST_F(SelectDeathTest, WithNothingToWaitForEverywhereTheProgramEnds) {
  using ::testing::ExitedWithCode;
  constexpr char kFatal[] = "^fatal error: all fibers are asleep - deadlock!\n";
  for (int procs : {1, 2, 8}) {
    EXPECT_EXIT(OnProcs(procs, [] { Select(); }), ExitedWithCode(2),
                std::string(kFatal) + "\nruntime: fiber dump: 1 f");
    EXPECT_EXIT(OnProcs(procs,
                        [] {
                          rt::Go([] { Select(); });
                          rt::SleepFor(1ms);
                          Select();
                        }),
                ExitedWithCode(2), std::string(kFatal) + "\nruntime: fiber dump: 2 f");
  }
}

}  // namespace
}  // namespace millrace::sync
