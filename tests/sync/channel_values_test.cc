// What may travel in a channel: values that only move, without size, large, that wait while they are moved; and who
// owns them. Mirrors Go's test/chan/zerosize.
#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <vector>

#include "sync/channel.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using test::WatchedFiber;

class ChannelValuesTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, ChannelValuesTest, test::kAnyProcs);

TEST_P(ChannelValuesTest, CarriesValuesThatCanOnlyBeMoved) {
  Run([] {
    for (int capacity : {0, 1, 5}) {
      Channel<std::unique_ptr<int>> channel(capacity);
      WatchedFiber sender([&] {
        for (int i = 0; i < 100; ++i) channel.Send(std::make_unique<int>(i));
        channel.Close();
      });
      int expected = 0;
      for (std::unique_ptr<int> value : channel) EXPECT_EQ(*value, expected++);
      EXPECT_EQ(expected, 100);
    }
  });
}

TEST_P(ChannelValuesTest, CarriesTypesWithoutSize) {
  Run([] {
    for (int capacity : {0, 1, 100}) {
      Channel<Nothing> channel(capacity);
      WatchedFiber sender([&] {
        for (int i = 0; i < 1000; ++i) channel.Send({});
        channel.Close();
      });
      int count = 0;
      for (Nothing value : channel) static_cast<void>(value), ++count;
      EXPECT_EQ(count, 1000);
    }
  });
}

TEST_P(ChannelValuesTest, CarriesLargeValues) {
  Run([] {
    using Large = std::array<int64_t, 500>;
    Channel<Large> channel(2);
    WatchedFiber sender([&] {
      for (int64_t i = 0; i < 200; ++i) {
        Large large;
        large.fill(i);
        channel.Send(large);
      }
      channel.Close();
    });
    int64_t expected = 0;
    for (const Large& large : channel) {
      EXPECT_EQ(std::accumulate(large.begin(), large.end(), int64_t{0}), 500 * expected);
      ++expected;
    }
    EXPECT_EQ(expected, 200);
  });
}

// Moves that wait for other fibers: they would hang everybody if they ran under the channel's lock.
struct Restless {
  explicit Restless(int v) : value(v) {}
  Restless(Restless&& other) noexcept : value(other.value) {
    other.value = -1;
    rt::Yield();
  }
  int value;
};

TEST_P(ChannelValuesTest, AMoveThatYieldsHoldsUpNobodyAndKeepsTheOrder) {
  Run([] {
    const int kEach = test::kSlowBuild ? 100 : 1000;
    for (int capacity : {0, 1, 4}) {
      Channel<Restless> channel(capacity);
      WaitGroup senders;
      for (int sender = 0; sender < 4; ++sender) {
        senders.Go([&channel, sender] {
          for (int i = 0; i < kEach; ++i) channel.Send(Restless(sender * kEach + i));
        });
      }
      WaitGroup receivers;
      std::vector<std::atomic<int>> seen(4 * kEach);
      for (int receiver = 0; receiver < 4; ++receiver) {
        receivers.Go([&] {
          std::array<int, 4> last = {-1, -1, -1, -1};
          for (const Restless& got : channel) {
            ++seen[got.value];
            EXPECT_GT(got.value % kEach, last[got.value / kEach]);
            last[got.value / kEach] = got.value % kEach;
          }
        });
      }
      senders.Wait();
      channel.Close();
      receivers.Wait();
      for (const std::atomic<int>& count : seen) EXPECT_EQ(count, 1);
    }
  });
}

struct Counted {
  static inline std::atomic<int> alive{0};
  Counted() { ++alive; }
  Counted(Counted&&) noexcept { ++alive; }
  ~Counted() { --alive; }
};

TEST_P(ChannelValuesTest, ValuesLeftInsideAreDestroyedWithTheChannel) {
  Run([] {
    {
      Channel<Counted> channel(5);
      for (int i = 0; i < 4; ++i) channel.Send(Counted());
      channel.Receive();
      channel.Receive();
      for (int i = 0; i < 3; ++i) channel.Send(Counted());  // Goes round the end of the ring.
      EXPECT_EQ(Counted::alive, 5);
    }
    EXPECT_EQ(Counted::alive, 0);
  });
}

TEST_P(ChannelValuesTest, AValueThatWasNotSentStaysWithItsOwner) {
  Run([] {
    Channel<std::unique_ptr<int>> channel(1);
    auto first = std::make_unique<int>(1), second = std::make_unique<int>(2);
    EXPECT_EQ(channel.TrySend(std::move(first)), TrySendResult::kSent);
    EXPECT_EQ(channel.TrySend(std::move(second)), TrySendResult::kFull);
    ASSERT_NE(second, nullptr);
    WatchedFiber waits([&] { EXPECT_FALSE(channel.SendUnlessClosed(std::move(second))); });
    waits.AwaitParked();
    channel.Close();
    waits.Join();
    EXPECT_EQ(*second, 2);  // NOLINT(bugprone-use-after-move): a refused value stays with the sender
    EXPECT_EQ(channel.TrySend(std::move(second)), TrySendResult::kClosed);
    EXPECT_EQ(*second, 2);  // NOLINT(bugprone-use-after-move): the same
    EXPECT_EQ(**channel.Receive(), 1);
  });
}

}  // namespace
}  // namespace millrace::sync
