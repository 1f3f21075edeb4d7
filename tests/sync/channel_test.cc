// What one channel promises: blocking, order, closing, misuse. What may travel in it is in channel_values_test.cc,
// pipelines of many in pipeline_test.cc. Mirrors Go's
// runtime/chan_test.go and test/chan (nonblock, fifo).
#include "sync/channel.h"

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using test::OnProcs;
using test::WatchedFiber;

class ChannelTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, ChannelTest, test::kAnyProcs);

constexpr int kCapacities = test::kSlowBuild ? 12 : 60;

TEST_P(ChannelTest, AnEmptyChannelMakesTheReceiverWait) {
  Run([] {
    for (int capacity = 0; capacity < kCapacities; ++capacity) {
      Channel<int> channel(capacity);
      std::optional<int> received;
      WatchedFiber receiver([&] { received = channel.Receive(); });
      receiver.AwaitParked();
      EXPECT_FALSE(receiver.finished());
      TryReceived<int> tried = channel.TryReceive();
      EXPECT_FALSE(tried);
      EXPECT_FALSE(tried.closed);
      channel.Send(7);
      receiver.Join();
      EXPECT_EQ(received, 7);
    }
  });
}

TEST_P(ChannelTest, AFullChannelMakesTheSenderWait) {
  Run([] {
    for (int capacity = 0; capacity < kCapacities; ++capacity) {
      Channel<int> channel(capacity);
      for (int i = 0; i < capacity; ++i) channel.Send(i);
      EXPECT_EQ(channel.Len(), static_cast<size_t>(capacity));
      EXPECT_EQ(channel.Cap(), static_cast<size_t>(capacity));
      WatchedFiber sender([&] { channel.Send(capacity); });
      sender.AwaitParked();
      EXPECT_FALSE(sender.finished());
      EXPECT_EQ(channel.TrySend(-1), TrySendResult::kFull);
      for (int i = 0; i <= capacity; ++i) EXPECT_EQ(channel.Receive(), i);
      sender.Join();
      EXPECT_EQ(channel.Len(), 0u);
    }
  });
}

TEST_P(ChannelTest, AClosedChannelGivesWhatItHoldsAndThenNothing) {
  Run([] {
    for (int capacity = 0; capacity < kCapacities; ++capacity) {
      Channel<int> channel(capacity);
      for (int i = 0; i < capacity; ++i) channel.Send(i);
      channel.Close();
      EXPECT_TRUE(channel.closed());
      EXPECT_EQ(channel.TrySend(-1), TrySendResult::kClosed);
      for (int i = 0; i < capacity; ++i) EXPECT_EQ(channel.Receive(), i);
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(channel.Receive(), std::nullopt);
        TryReceived<int> tried = channel.TryReceive();
        EXPECT_FALSE(tried);
        EXPECT_TRUE(tried.closed);
      }
    }
  });
}

TEST_P(ChannelTest, CloseReleasesEveryReceiverThatWaits) {
  Run([] {
    Channel<int> channel;
    std::atomic<int> released{0};
    WaitGroup done;
    for (int i = 0; i < 100; ++i) {
      done.Go([&] { released += !channel.Receive().has_value(); });
    }
    rt::Yield();
    channel.Close();
    done.Wait();
    EXPECT_EQ(released, 100);
  });
}

TEST_P(ChannelTest, ValuesOfOneSenderStayInOrder) {
  Run([] {
    for (int capacity = 0; capacity < kCapacities; ++capacity) {
      Channel<int> channel(capacity);
      WatchedFiber sender([&] {
        for (int i = 0; i < 100; ++i) channel.Send(i);
      });
      for (int i = 0; i < 100; ++i) EXPECT_EQ(channel.Receive(), i);
    }
  });
}

TEST_P(ChannelTest, ManySendersAndReceiversMoveEveryValueExactlyOnce) {
  Run([] {
    constexpr int kFibers = 4;
    const int kEach = test::kSlowBuild ? 100 : 1000;
    for (int capacity = 0; capacity < kCapacities; capacity += 3) {
      Channel<int> channel(capacity);
      std::array<std::vector<int>, kFibers> seen;
      WaitGroup done;
      for (int sender = 0; sender < kFibers; ++sender) {
        done.Go([&] {
          for (int i = 0; i < kEach; ++i) channel.Send(i);
        });
      }
      for (int receiver = 0; receiver < kFibers; ++receiver) {
        seen[receiver].resize(kEach);
        done.Go([&, receiver] {
          for (int i = 0; i < kEach; ++i) ++seen[receiver][*channel.Receive()];
        });
      }
      done.Wait();
      for (int i = 0; i < kEach; ++i) {
        int count = 0;
        for (const std::vector<int>& one : seen) count += one[i];
        ASSERT_EQ(count, kFibers) << "value " << i << " at capacity " << capacity;
      }
      EXPECT_EQ(channel.Len(), 0u);
    }
  });
}

TEST_P(ChannelTest, WaitingReceiversAreServedOldestFirst) {
  Run([] {
    Channel<int> channel;
    std::vector<std::optional<int>> got(10);
    std::vector<std::unique_ptr<WatchedFiber>> receivers;
    for (std::optional<int>& mine : got) {
      receivers.push_back(std::make_unique<WatchedFiber>([&] { mine = channel.Receive(); }));
      receivers.back()->AwaitParked();
    }
    for (int i = 0; i < 10; ++i) channel.Send(i);
    receivers.clear();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(got[i], i);
  });
}

TEST_P(ChannelTest, WaitingSendersAreServedOldestFirst) {
  Run([] {
    for (int capacity : {0, 1, 3}) {
      Channel<int> channel(capacity);
      for (int i = 0; i < capacity; ++i) channel.Send(i);
      std::vector<std::unique_ptr<WatchedFiber>> senders;
      for (int i = capacity; i < 10; ++i) {
        senders.push_back(std::make_unique<WatchedFiber>([&channel, i] { channel.Send(i); }));
        senders.back()->AwaitParked();
      }
      for (int i = 0; i < 10; ++i) EXPECT_EQ(channel.Receive(), i);
    }
  });
}

TEST_P(ChannelTest, ANewSenderDoesNotOvertakeAParkedOne) {
  Run([] {
    Channel<int> channel(1);
    channel.Send(1);
    WatchedFiber parked([&] { channel.Send(2); });
    parked.AwaitParked();
    EXPECT_EQ(channel.Receive(), 1);
    EXPECT_EQ(channel.TrySend(3), TrySendResult::kFull);  // The room went to the one that waited.
    EXPECT_EQ(channel.Receive(), 2);
  });
}

TEST_P(ChannelTest, ATrySucceedsOnlyWithAPartnerOrRoom) {
  Run([] {
    Channel<int> meeting;
    EXPECT_EQ(meeting.TrySend(1), TrySendResult::kFull);
    EXPECT_FALSE(meeting.TryReceive());
    {
      WatchedFiber receiver([&] { EXPECT_EQ(meeting.Receive(), 2); });
      receiver.AwaitParked();
      EXPECT_EQ(meeting.TrySend(2), TrySendResult::kSent);
    }
    {
      WatchedFiber sender([&] { meeting.Send(3); });
      sender.AwaitParked();
      TryReceived<int> received = meeting.TryReceive();
      ASSERT_TRUE(received);
      EXPECT_EQ(*received, 3);
    }
    Channel<int> buffer(1);
    EXPECT_EQ(buffer.TrySend(4), TrySendResult::kSent);
    EXPECT_EQ(buffer.TrySend(5), TrySendResult::kFull);
    EXPECT_EQ(*buffer.TryReceive(), 4);
    EXPECT_FALSE(buffer.TryReceive());
  });
}

// A receive that does not wait never misses what was there before it began: the value, or the close.
TEST_P(ChannelTest, ATryNeverMissesAValueOrACloseThatHappenedBefore) {
  Run([] {
    const int rounds = test::kSlowBuild ? 300 : 5000;
    for (int i = 0; i < rounds; ++i) {
      Channel<int> channel(1);
      channel.Send(1);
      WatchedFiber other([&] {
        TryReceived<int> received = channel.TryReceive();
        EXPECT_TRUE(received || received.closed);
      });
      channel.Close();
      channel.Receive();
    }
  });
}

TEST_P(ChannelTest, ManyConsumersOfAClosingChannelLoseNothing) {
  Run([] {
    constexpr int kConsumers = 23;
    const int kValues = test::kSlowBuild ? 2'000 : 20'000;
    Channel<int> work(kConsumers * 2), results(kConsumers * 3);
    std::atomic<int> running{kConsumers};
    WaitGroup done;
    for (int i = 0; i < kConsumers; ++i) {
      done.Go([&, i] {
        for (int value : work) {
          if ((value + i) % 7 == 0) rt::Yield();
          results.Send(value * 2);
        }
        if (--running == 0) results.Close();
      });
    }
    done.Go([&] {
      for (int i = 1; i <= kValues; ++i) work.Send(i);
      work.Close();
    });
    int64_t sum = 0, count = 0;
    for (int value : results) sum += value, ++count;
    done.Wait();
    EXPECT_EQ(count, kValues);
    EXPECT_EQ(sum, int64_t{kValues} * (kValues + 1));
  });
}

TEST_P(ChannelTest, PlainThreadsMayTry) {
  Run([] {
    const int kValues = test::kSlowBuild ? 1'000 : 20'000;
    Channel<int> in(8), out(8);
    WatchedFiber echo([&] {
      for (int value : in) out.Send(value);
      out.Close();
    });
    int64_t sum = 0;
    // A fiber blocks its machine in join below, so the thread must be gone by then: fibers wait for it on a channel.
    Channel<Nothing> gone(1);
    std::thread thread([&] {
      int sent = 0;
      for (bool open = true; open;) {
        if (sent < kValues && in.TrySend(int{sent}) == TrySendResult::kSent && ++sent == kValues) in.Close();
        TryReceived<int> received = out.TryReceive();
        if (received) sum += *received;
        if (received.closed) open = false;
        if (!received) std::this_thread::yield();
      }
      EXPECT_EQ(gone.TrySend({}), TrySendResult::kSent);
    });
    gone.Receive();
    thread.join();
    EXPECT_EQ(sum, int64_t{kValues} * (kValues - 1) / 2);
  });
}

// ---- Nil

TEST_P(ChannelTest, ANilChannelIsNeverReady) {
  Run([] {
    ChannelRef<int> nil;
    EXPECT_TRUE(nil.nil());
    EXPECT_EQ(nil.TrySend(1), TrySendResult::kFull);
    TryReceived<int> received = nil.TryReceive();
    EXPECT_FALSE(received);
    EXPECT_FALSE(received.closed);
    EXPECT_EQ(nil.Len() + nil.Cap(), 0u);
  });
}

TEST_P(ChannelTest, WaitingForANilChannelNeverEnds) {
  static std::atomic<int> reached;
  reached = 0;
  Run([] {
    // These fibers are parked for ever; the program ends without them.
    rt::Go([] { ChannelRef<int>().Send(++reached), reached += 100; });
    rt::Go([] { ++reached, ChannelRef<int>().Receive(), reached += 100; });
    while (reached < 2) rt::Yield();
    for (int i = 0; i < 10; ++i) rt::Yield();
  });
  EXPECT_EQ(reached, 2);
}

TEST_P(ChannelTest, AReferenceIsTheChannelItNames) {
  Run([] {
    Channel<int> channel(2);
    ChannelRef<int> name = channel;
    name.Send(1);
    EXPECT_EQ(name.Len(), 1u);
    EXPECT_EQ(name.Cap(), 2u);
    EXPECT_EQ(channel.Receive(), 1);
    channel.Send(2);
    name.Close();
    for (int value : name) EXPECT_EQ(value, 2);
  });
}

// ---- Misuse, with Go's words

class ChannelDeathTest : public ::testing::Test {
 protected:
  ChannelDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(ChannelDeathTest, SendOnAClosedChannelIsFatal) {
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         Channel<int> channel(1);
                         channel.Close();
                         channel.Send(1);
                       }),
               "fatal error: send on closed channel");
}

TEST_F(ChannelDeathTest, CloseIsFatalForASenderThatWaits) {
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         Channel<int> channel;
                         WatchedFiber sender([&] { channel.Send(1); });
                         sender.AwaitParked();
                         channel.Close();
                         sender.Join();
                       }),
               "fatal error: send on closed channel");
}

TEST_F(ChannelDeathTest, ASecondCloseIsFatal) {
  EXPECT_DEATH(OnProcs(1,
                       [] {
                         Channel<int> channel;
                         channel.Close();
                         channel.Close();
                       }),
               "fatal error: close of closed channel");
}

TEST_F(ChannelDeathTest, CloseOfNilIsFatal) {
  EXPECT_DEATH(ChannelRef<int>().Close(), "fatal error: close of nil channel");
}

TEST_F(ChannelDeathTest, AnAbsurdCapacityIsRefused) {
  EXPECT_DEATH(Channel<int>(SIZE_MAX), "channel capacity out of range");
}

}  // namespace
}  // namespace millrace::sync
