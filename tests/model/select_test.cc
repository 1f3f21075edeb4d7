// server/sync/channel.h and select.cc, the real ones with their real locks: a select does exactly one of its cases, no
// value is lost or doubled, and nobody is left asleep, however its partners come.
#include "sync/select.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

using sync::Channel;

Options For(const char* name, int preemptions, const std::vector<Mutation>& mutations) {
  return {.name = name, .preemptions = preemptions, .mutations = mutations, .quiet = !mutations.empty()};
}

Result OneMeeting(const std::vector<Mutation>& mutations) {
  return Explore(For("channel: send | receive", -1, mutations), [](Scene& scene) {
    Channel<int> channel;
    int got = 0;
    scene.Fiber("sender", [&] { channel.Send(7); });
    scene.Fiber("receiver", [&] { got = channel.Receive().value_or(-1); });
    scene.Run();
    Check(got == 7, "the value is lost");
  });
}

Result BufferOfOne(const std::vector<Mutation>& mutations) {
  return Explore(For("channel of 1: send, send | receive, receive", -1, mutations), [](Scene& scene) {
    Channel<int> channel(1);
    int first = 0, second = 0;
    scene.Fiber("sender", [&] {
      channel.Send(1);
      channel.Send(2);
    });
    scene.Fiber("receiver", [&] {
      first = channel.Receive().value_or(-1);
      second = channel.Receive().value_or(-1);
    });
    scene.Run();
    Check(first == 1 && second == 2, "values out of order");
  });
}

// Looks that do not lock.
Result TriesAndClose(const std::vector<Mutation>& mutations) {
  return Explore(For("channel of 1: try to send, close | try to receive", -1, mutations), [](Scene& scene) {
    Channel<int> channel(1);
    Plain<int> news;
    scene.Thread("sender", [&] {
      Check(channel.TrySend(1) == sync::TrySendResult::kSent, "no room in an empty channel");
      news.Set(1);
      channel.Close();
    });
    scene.Fiber("receiver", [&] {
      sync::TryReceived<int> one = channel.TryReceive();
      Check(!one.closed, "closed with a value inside");
      if (one) return;
      if (channel.Receive() == 1 && !channel.Receive()) Check(news.Get() == 1, "closed before the close");
    });
    scene.Run();
  });
}

Result TwoSenders(const std::vector<Mutation>& mutations) {
  return Explore(For("select: receive a or b, twice | send a | send b", 2, mutations), [](Scene& scene) {
    Channel<int> a, b;
    int sum = 0;
    scene.Fiber("select", [&] {
      for (int i = 0; i < 2; ++i) {
        sync::Select(sync::Receive(a, [&](std::optional<int> value) { sum += value.value_or(100); }),
                     sync::Receive(b, [&](std::optional<int> value) { sum += value.value_or(100); }));
      }
    });
    scene.Fiber("a", [&] { a.Send(1); });
    scene.Fiber("b", [&] { b.Send(2); });
    scene.Run();
    Check(sum == 3, "a value is lost or doubled");
  });
}

// Two selects that can meet on either channel, from opposite sides.
Result Crosswise(const std::vector<Mutation>& mutations) {
  return Explore(For("select: send a or receive b | receive a or send b", -1, mutations), [](Scene& scene) {
    Channel<int> a, b;
    size_t one = 9, other = 9;
    int over_a = 0, over_b = 0;
    scene.Fiber("one", [&] {
      one = sync::Select(sync::Send(a, 1),
                         sync::Receive(b, [&](std::optional<int> value) { over_b = value.value_or(-1); }));
    });
    scene.Fiber("other", [&] {
      other = sync::Select(sync::Receive(a, [&](std::optional<int> value) { over_a = value.value_or(-1); }),
                           sync::Send(b, 2));
    });
    scene.Run();
    Check(one == other, "they did not do the same");
    Check(one == 0 ? over_a == 1 && over_b == 0 : over_a == 0 && over_b == 2,
          "another value than that of the chosen case");
  });
}

// Plain threads that do not wait, as gRPC's: what is not chosen stays where it is.
Result SendAgainstClose(const std::vector<Mutation>& mutations) {
  return Explore(For("select: receive a or b | try to send a | close b", 3, mutations), [](Scene& scene) {
    Channel<int> a(1), b;
    std::optional<int> from_a;
    size_t chosen = 9;
    scene.Fiber("select", [&] {
      chosen = sync::Select(sync::Receive(a, [&](std::optional<int> value) { from_a = value; }), sync::Receive(b));
    });
    scene.Thread("sender", [&] { Check(a.TrySend(1) == sync::TrySendResult::kSent, "no room in an empty channel"); });
    scene.Thread("closer", [&] { b.Close(); });
    scene.Run();
    Check(chosen == 0 ? from_a == 1 : a.Len() == 1, "the value is lost");
  });
}

// The deadline may come at any time, also before the select is asleep.
Result Deadline(const std::vector<Mutation>& mutations) {
  return Explore(For("select: receive a or a deadline | try to send a", 3, mutations), [](Scene& scene) {
    Channel<int> a;
    size_t chosen = 9;
    int got = 0;
    bool sent = false;
    scene.Fiber("select", [&] {
      chosen = sync::Select(sync::Receive(a, [&](std::optional<int> value) { got = value.value_or(-1); }),
                            sync::After(std::chrono::milliseconds(1)));
    });
    scene.Thread("sender", [&] { sent = a.TrySend(5) == sync::TrySendResult::kSent; });
    scene.Run();
    Check(sent ? chosen == 0 && got == 5 : chosen == 1 && got == 0, "sent to nobody, or received from nobody");
  });
}

// Plain threads that wait: each sleeps in a futex (runtime/sleeper.h).
Result ThreadsMeet(const std::vector<Mutation>& mutations) {
  return Explore(For("channel of threads: send, close | receive, receive", -1, mutations), [](Scene& scene) {
    Channel<int> channel;
    int got = 0;
    bool closed = false;
    scene.Thread("sender", [&] {
      channel.Send(7);
      channel.Close();
    });
    scene.Thread("receiver", [&] {
      got = channel.Receive().value_or(-1);
      closed = !channel.Receive().has_value();
    });
    scene.Run();
    Check(got == 7 && closed, "the value or the end is lost");
  });
}

Result ThreadSelects(const std::vector<Mutation>& mutations) {
  return Explore(For("select of a thread: receive a or b | send a | close b", 2, mutations), [](Scene& scene) {
    Channel<int> a(1), b;
    std::optional<int> from_a;
    size_t chosen = 9;
    scene.Thread("select", [&] {
      chosen = sync::Select(sync::Receive(a, [&](std::optional<int> value) { from_a = value; }), sync::Receive(b));
    });
    scene.Fiber("sender", [&] { a.Send(1); });
    scene.Fiber("closer", [&] { b.Close(); });
    scene.Run();
    Check(chosen == 0 ? from_a == 1 : a.Len() == 1, "the value is lost");
  });
}

// The model's clock stands far before the one that a thread looks at, so this deadline has passed when the thread
// looks.
Result ThreadGivesUp(const std::vector<Mutation>& mutations) {
  return Explore(For("select of a thread: receive a or a deadline | try to send a", 3, mutations), [](Scene& scene) {
    Channel<int> a;
    size_t chosen = 9;
    int got = 0;
    bool sent = false;
    scene.Thread("select", [&] {
      chosen = sync::Select(sync::Receive(a, [&](std::optional<int> value) { got = value.value_or(-1); }),
                            sync::After(std::chrono::milliseconds(1)));
    });
    scene.Fiber("sender", [&] { sent = a.TrySend(5) == sync::TrySendResult::kSent; });
    scene.Run();
    Check(sent ? chosen == 0 && got == 5 : chosen == 1 && got == 0, "sent to nobody, or received from nobody");
  });
}

const std::vector<Program> kPrograms = {&Deadline,  &OneMeeting, &TriesAndClose, &SendAgainstClose, &BufferOfOne,
                                        &Crosswise, &TwoSenders, &ThreadsMeet,   &ThreadSelects,    &ThreadGivesUp};

TEST(SelectModel, DoesExactlyOneCaseInEveryOrder) {
  for (const Program& program : kPrograms) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
}

TEST(SelectModel, TwoWinnersOfOneRaceAreSeen) {
  const Mutation two_winners = {.function = "WakeRace::Claim", .kind = OpKind::kExchange, .fault = Fault::kSplit};
  EXPECT_FALSE(TwoSenders({two_winners}).held);
}

TEST(SelectModel, ADeadlineThatDoesNotTakePartInTheRaceIsSeen) {
  for (const char* function : {"WakeRace::Claim", "WakeRace::Commit"}) {
    OpKind kind = function == std::string("WakeRace::Claim") ? OpKind::kExchange : OpKind::kCas;
    EXPECT_FALSE(Deadline({{.function = function, .kind = kind, .fault = Fault::kSplit}}).held) << function;
  }
}

TEST(SelectModel, AForgottenWakeUpOfAThreadIsSeen) {
  for (OpKind kind : {OpKind::kStore, OpKind::kFutexWake}) {
    EXPECT_FALSE(ThreadsMeet({{.function = "SleeperHandle::WakeThread", .kind = kind, .fault = Fault::kSkipped}}).held);
  }
}

TEST(SelectModel, AChannelWithoutALockIsSeen) {
  const Mutation no_lock = {.function = "SpinLock::lock", .kind = OpKind::kExchange, .fault = Fault::kSplit};
  EXPECT_FALSE(OneMeeting({no_lock}).held);
}

}  // namespace
}  // namespace millrace::model
