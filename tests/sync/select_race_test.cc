// Selects that cross each other. Mirrors TestNonblockSelectRace, TestSelfSelect, TestSelectStress and
// TestSelectDuplicateChannel of Go's runtime/chan_test.go, and test/chan (select6, doubleselect).
#include <malloc.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "sync/select.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using test::WatchedFiber;

class SelectRaceTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, SelectRaceTest, test::kAnyProcs);

// "None is ready" must have been true at one moment.
TEST_P(SelectRaceTest, DefaultNeverMissesAValueThatGoesWhileAnotherComes) {
  Run([] {
    const int rounds = test::kSlowBuild ? 300 : 5000;
    for (int i = 0; i < rounds; ++i) {
      Channel<int> a(1), b(1);
      a.Send(1);
      WatchedFiber other(
          [&] { Select(Receive(a), Receive(b), Default([] { ADD_FAILURE() << "a case was ready all the time"; })); });
      b.Send(1);
      Select(Receive(a), Default());
    }
  });
}

TEST_P(SelectRaceTest, DefaultNeverMissesACloseThatComesWhileAValueGoes) {
  Run([] {
    const int rounds = test::kSlowBuild ? 300 : 5000;
    for (int i = 0; i < rounds; ++i) {
      Channel<int> a(1), b;
      a.Send(1);
      WatchedFiber other(
          [&] { Select(Receive(a), Receive(b), Default([] { ADD_FAILURE() << "a case was ready all the time"; })); });
      b.Close();
      Select(Receive(a), Default());
    }
  });
}

TEST_P(SelectRaceTest, SendAndReceiveOnOneChannelNeverMeetThemselves) {
  Run([] {
    const int rounds = test::kSlowBuild ? 200 : 1000;
    for (int capacity : {0, 10}) {
      Channel<int> channel(capacity);
      WaitGroup both;
      for (int self = 0; self < 2; ++self) {
        both.Go([&, self] {
          auto received = [&](std::optional<int> value) {
            // With a buffer one may receive what one has sent in an earlier round.
            if (channel.Cap() == 0) {
              EXPECT_NE(*value, self);
            }
          };
          for (int i = 0; i < rounds; ++i) {
            if (self == 0 || i % 2 == 0) {
              Select(Send(channel, self), Receive(channel, received));
            } else {
              Select(Receive(channel, received), Send(channel, self));
            }
          }
        });
      }
      both.Wait();
    }
  });
}

TEST_P(SelectRaceTest, ExactlyOneCaseOfASelectFires) {
  Run([] {
    const int values = test::kSlowBuild ? 2'000 : 20'000;
    Channel<int> a, b, c, d, merged;
    WaitGroup fibers;
    fibers.Go([&] {
      for (int i = 0; i < values; ++i) {
        Select(Send(a, i), Send(b, i), Send(c, i), Send(d, i));
      }
      a.Close(), b.Close(), c.Close(), d.Close();
    });
    WaitGroup relays;
    for (Channel<int>* from : {&a, &b, &c, &d}) {
      relays.Go([from, &merged] {
        for (int value : *from) merged.Send(value);
      });
    }
    fibers.Go([&] { relays.Wait(), merged.Close(); });
    std::vector<int> seen(values);
    for (int value : merged) ++seen[value];
    fibers.Wait();
    for (int i = 0; i < values; ++i) ASSERT_EQ(seen[i], 1) << i;
  });
}

// The channel's queue is intact after a case in its middle or at its end has lost (Go issue 2075).
TEST_P(SelectRaceTest, LosersInTheMiddleOfAQueueLeaveItIntact) {
  Run([] {
    Channel<bool> a, b, never;
    WatchedFiber plain_first([&] { a.Receive(); });
    plain_first.AwaitParked();
    WatchedFiber select([&] { EXPECT_EQ(Select(Receive(a), Receive(b)), 1u); });
    select.AwaitParked();
    WatchedFiber plain_last([&] { a.Receive(); });
    plain_last.AwaitParked();
    b.Send(true);
    select.Join();
    WatchedFiber tail([&] { EXPECT_EQ(Select(Receive(a), Receive(never)), 0u); });
    tail.AwaitParked();
    a.Send(true), a.Send(true), a.Send(true);
    EXPECT_EQ(a.TrySend(true), TrySendResult::kFull);
  });
}

TEST_P(SelectRaceTest, OneFiberMayWaitTwiceForOneChannel) {
  Run([] {
    Channel<int> a, b;
    size_t first = 99, second = 99;
    WatchedFiber select([&] {
      first = Select(Receive(a), Receive(a), Receive(b));
      second = Select(Receive(a), Receive(a), Receive(b));
    });
    select.AwaitParked();
    a.Send(1);
    b.Send(2);
    select.Join();
    EXPECT_LT(first, 2u);
    EXPECT_EQ(second, 2u);
    EXPECT_EQ(a.TrySend(1), TrySendResult::kFull);
  });
}

// Four channels, each with a plain sender and a plain receiver, and one select for all sends and one for all receives.
TEST_P(SelectRaceTest, StressOverFourChannels) {
  Run([] {
    const int n = test::kSlowBuild ? 1'000 : 20'000;
    std::array<std::unique_ptr<Channel<int>>, 4> c;
    for (size_t i = 0; i < 4; ++i) c[i] = std::make_unique<Channel<int>>(i < 2 ? 0 : i);
    WaitGroup fibers;
    for (auto& channel : c) {
      fibers.Go([&] {
        for (int i = 0; i < n; ++i) channel->Send(0);
      });
      fibers.Go([&] {
        for (int i = 0; i < n; ++i) channel->Receive();
      });
    }
    fibers.Go([&] {
      std::array<int, 4> left = {n, n, n, n};
      auto at = [&](size_t i) { return left[i] > 0 ? c[i].get() : nullptr; };
      for (int i = 0; i < 4 * n; ++i) --left[Select(Send(at(0), 0), Send(at(1), 0), Send(at(2), 0), Send(at(3), 0))];
    });
    fibers.Go([&] {
      std::array<int, 4> left = {n, n, n, n};
      auto at = [&](size_t i) { return left[i] > 0 ? c[i].get() : nullptr; };
      for (int i = 0; i < 4 * n; ++i) --left[Select(Receive(at(0)), Receive(at(1)), Receive(at(2)), Receive(at(3)))];
    });
    fibers.Wait();
  });
}

size_t NumberOf(const std::string& text) {
  size_t number = 0;
  for (char digit : text) number = number * 10 + static_cast<size_t>(digit - '0');
  return number;
}

TEST_P(SelectRaceTest, WorksWithValuesWhoseMoveIsNotACopy) {
  Run([] {
    const int n = test::kSlowBuild ? 500 : 5'000;
    Channel<std::string> a(2), b;
    WatchedFiber sender([&] {
      for (int i = 0; i < n; ++i) Select(Send(a, std::to_string(i)), Send(b, std::to_string(i)));
      a.Close(), b.Close();
    });
    std::vector<bool> seen(n);
    int open = 2;
    Channel<std::string>*pa = &a, *pb = &b;
    auto take = [&](Channel<std::string>*& from, std::optional<std::string> text) {
      if (!text.has_value()) {
        from = nullptr;
        --open;
        return;
      }
      size_t value = NumberOf(*text);
      EXPECT_FALSE(seen[value]);
      seen[value] = true;
    };
    while (open > 0) {
      Select(Receive(pa, [&](auto text) { take(pa, std::move(text)); }),
             Receive(pb, [&](auto text) { take(pb, std::move(text)); }));
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), n);
  });
}

// Go's select2: waiting, losing and being woken in a loop leaves no memory behind.
TEST_P(SelectRaceTest, ALoopOfSelectsAllocatesNothing) {
  Run([] {
    Channel<int> a(0), b(3);
    auto exchange = [&](int values) {
      WatchedFiber sender([&, values] {
        for (int i = 0; i < values; ++i) Select(Send(a, i), Send(b, i));
      });
      for (int i = 0; i < values; ++i) Select(Receive(a), Receive(b));
    };
    exchange(1000);
    size_t before = mallinfo2().uordblks;
    exchange(test::kSlowBuild ? 1'000 : 100'000);
    size_t after = mallinfo2().uordblks;
    // Half a byte a select; what the runtime spends on a thread that it makes meanwhile is less.
    EXPECT_LT(after, before + 50'000);
  });
}

}  // namespace
}  // namespace millrace::sync
