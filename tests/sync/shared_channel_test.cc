#include "sync/shared_channel.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sync/select.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

class SharedChannelTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, SharedChannelTest, test::kAnyProcs);

TEST_P(SharedChannelTest, TheLastHandleFreesTheChannelAndWhatIsInIt) {
  Run([] {
    auto value = std::make_shared<int>(1);
    SharedChannel<std::shared_ptr<int>> one = MakeChannel<std::shared_ptr<int>>(1);
    one.Send(value);
    SharedChannel<std::shared_ptr<int>> other = one;
    EXPECT_EQ(one, other);
    one = nullptr;
    EXPECT_TRUE(one.nil());
    EXPECT_EQ(value.use_count(), 2);
    EXPECT_EQ(other.Len(), 1u);
    other = {};
    EXPECT_EQ(value.use_count(), 1);
  });
}

// The handles of sender and receiver end in any order, also while the other is still inside its operation.
TEST_P(SharedChannelTest, WhoeverEndsLastMayBeInTheMiddleOfAnOperation) {
  Run([] {
    const int kRounds = test::kSlowBuild ? 200 : 5'000;
    int64_t sum = 0;
    WaitGroup senders;
    for (int i = 0; i < kRounds; ++i) {
      auto channel = MakeChannel<std::string>(i % 2);
      senders.Go([channel, i] { channel.Send(std::to_string(i)); });
      sum += std::stoi(*std::exchange(channel, nullptr).Receive());
    }
    senders.Wait();
    EXPECT_EQ(sum, int64_t{kRounds} * (kRounds - 1) / 2);
  });
}

// Go's idiom of a request that carries the channel for its answer.
TEST_P(SharedChannelTest, GoesThroughOtherChannels) {
  struct Request {
    int number = 0;
    SharedChannel<int> answer;
  };
  Run([] {
    auto requests = MakeChannel<Request>();
    WaitGroup server;
    server.Go([requests] {
      for (const Request& request : requests) request.answer.Send(request.number * request.number);
    });
    for (int i = 0; i < 10; ++i) {
      auto answer = MakeChannel<int>(1);
      requests.Send({i, answer});
      EXPECT_EQ(answer.Receive(), i * i);
    }
    requests.Close();
    server.Wait();
  });
}

TEST_P(SharedChannelTest, ARangeForHoldsTheChannel) {
  Run([] {
    auto channel = MakeChannel<int>(3);
    for (int i = 1; i <= 3; ++i) channel.Send(i);
    channel.Close();
    int sum = 0;
    for (int value : channel) {
      channel = nullptr;
      sum += value;
    }
    EXPECT_EQ(sum, 6);
  });
}

TEST_P(SharedChannelTest, ASelectTakesIt) {
  Run([] {
    auto in = MakeChannel<int>(1), out = MakeChannel<int>(1);
    in.Send(3);
    int got = 0;
    EXPECT_EQ(Select(Receive(in, [&](std::optional<int> value) { got = *value; })), 0u);
    EXPECT_EQ(got, 3);
    EXPECT_EQ(Select(Receive(in), Send(out, 4)), 1u);
    EXPECT_EQ(out.Receive(), 4);
    EXPECT_EQ(Select(Receive(SharedChannel<int>()), Send(SharedChannel<int>(), 1), Default()), 2u);
  });
}

TEST_P(SharedChannelTest, NilIsNeverReady) {
  Run([] {
    SharedChannel<int> nil;
    EXPECT_EQ(nil.TrySend(1), TrySendResult::kFull);
    EXPECT_FALSE(nil.TryReceive());
    EXPECT_EQ(nil.Len() + nil.Cap(), 0u);
  });
}

TEST(SharedChannelDeathTest, CloseOfNilIsFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(SharedChannel<int>().Close(), "close of nil channel");
}

}  // namespace
}  // namespace millrace::sync
