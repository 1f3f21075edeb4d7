// One operation in every way a select can be written around it: with each kind of operand and function, alone or beside
// a case that is never ready, with each kind of end. Go's test/chan/select5, whose generated program goes through the
// shapes of its grammar.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "sync/select.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class SelectShapesTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, SelectShapesTest, test::kAnyProcs);

enum End { kNoEnd, kAfter, kAt, kDefault, kEnds };
enum Beside { kAlone, kReceiveFirst, kReceiveLast, kSendFirst, kSendLast, kBesides };
enum Operand { kReference, kPointer, kRef, kOperands };

struct Shape {
  Beside beside = kAlone;
  End end = kNoEnd;
  Channel<int>* never = nullptr;  // What the other case is about.
  std::string text;  // For messages. Not gtest's traces: they belong to a thread, which a fiber that waits may change.

  size_t place() const { return beside == kReceiveFirst || beside == kSendFirst ? 1 : 0; }
  size_t cases() const { return beside == kAlone ? 1 : 2; }
};

template <typename... Cases>
size_t WithEnd(End end, Cases&&... cases) {
  switch (end) {
    case kAfter:
      return Select(std::forward<Cases>(cases)..., After(1h));
    case kAt:
      return Select(std::forward<Cases>(cases)..., At(rt::Now() + 1h));
    case kDefault:
      return Select(std::forward<Cases>(cases)..., Default());
    default:
      return Select(std::forward<Cases>(cases)...);
  }
}

template <typename Case>
size_t InShape(const Shape& shape, Case&& one) {
  auto no = [] { ADD_FAILURE() << "the other case was chosen"; };
  switch (shape.beside) {
    case kReceiveFirst:
      return WithEnd(shape.end, Receive(shape.never, no), std::forward<Case>(one));
    case kReceiveLast:
      return WithEnd(shape.end, std::forward<Case>(one), Receive(shape.never, no));
    case kSendFirst:
      return WithEnd(shape.end, Send(shape.never, 7, no), std::forward<Case>(one));
    case kSendLast:
      return WithEnd(shape.end, std::forward<Case>(one), Send(shape.never, 7, no));
    default:
      return WithEnd(shape.end, std::forward<Case>(one));
  }
}

// The case is the same for each operand, so it takes no template to go through them.
template <typename... Rest>
auto ReceiveFrom(Operand operand, Channel<int>& channel, Rest&&... rest) {
  switch (operand) {
    case kPointer:
      return Receive(&channel, std::forward<Rest>(rest)...);
    case kRef:
      return Receive(ChannelRef<int>(channel), std::forward<Rest>(rest)...);
    default:
      return Receive(channel, std::forward<Rest>(rest)...);
  }
}
template <typename... Rest>
auto SendTo(Operand operand, Channel<int>& channel, Rest&&... rest) {
  switch (operand) {
    case kPointer:
      return Send(&channel, std::forward<Rest>(rest)...);
    case kRef:
      return Send(ChannelRef<int>(channel), std::forward<Rest>(rest)...);
    default:
      return Send(channel, std::forward<Rest>(rest)...);
  }
}

// A way to write the operation. `value` is what there is to send, or to receive (nullopt: the channel is closed);
// `right`: what its function was told was right.
struct Writing {
  const char* name;
  std::function<size_t(const Shape&, Operand, Channel<int>&, std::optional<int> value, bool* right)> run;
};

const Writing kReceives[] = {
    {"receive",
     [](const Shape& shape, Operand operand, Channel<int>& channel, std::optional<int>, bool* right) {
       *right = true;
       return InShape(shape, ReceiveFrom(operand, channel));
     }},
    {"receive, function",
     [](const Shape& shape, Operand operand, Channel<int>& channel, std::optional<int>, bool* right) {
       return InShape(shape, ReceiveFrom(operand, channel, [right] { *right = true; }));
     }},
    {"receive, function of the value",
     [](const Shape& shape, Operand operand, Channel<int>& channel, std::optional<int> value, bool* right) {
       return InShape(shape,
                      ReceiveFrom(operand, channel, [=](std::optional<int> received) { *right = received == value; }));
     }},
};

const Writing kSends[] = {
    {"send of a temporary",
     [](const Shape& shape, Operand operand, Channel<int>& channel, std::optional<int> value, bool* right) {
       *right = true;
       return InShape(shape, SendTo(operand, channel, *value + 0));
     }},
    {"send of a temporary, function",
     [](const Shape& shape, Operand operand, Channel<int>& channel, std::optional<int> value, bool* right) {
       return InShape(shape, SendTo(operand, channel, *value + 0, [right] { *right = true; }));
     }},
    {"send of a variable",
     [](const Shape& shape, Operand operand, Channel<int>& channel, std::optional<int> value, bool* right) {
       int variable = *value;
       size_t chosen = InShape(shape, SendTo(operand, channel, variable));
       *right = variable == *value;
       return chosen;
     }},
    {"send of a variable, function",
     [](const Shape& shape, Operand operand, Channel<int>& channel, std::optional<int> value, bool* right) {
       const int variable = *value;
       return InShape(shape, SendTo(operand, channel, variable, [right] { *right = true; }));
     }},
};

// Calls `fn(writing, shape, operand)` for all there are; `ends`: the first that many.
template <size_t kWritings, typename F>
void ForEach(const Writing (&writings)[kWritings], End ends, F&& fn) {
  Channel<int> never;
  for (const Writing& writing : writings) {
    for (int beside = 0; beside < kBesides; ++beside) {
      for (int end = 0; end < ends; ++end) {
        for (int operand = 0; operand < kOperands; ++operand) {
          for (Channel<int>* other : {&never, static_cast<Channel<int>*>(nullptr)}) {
            Shape shape{static_cast<Beside>(beside), static_cast<End>(end), other, writing.name};
            shape.text += ", beside " + std::to_string(beside) + (other == nullptr ? " of nil" : "") + ", end " +
                          std::to_string(end) + ", operand " + std::to_string(operand);
            fn(writing, shape, static_cast<Operand>(operand));
          }
        }
      }
    }
  }
  // Nobody is left in its queues.
  EXPECT_EQ(never.TrySend(1), TrySendResult::kFull);
  EXPECT_FALSE(never.TryReceive());
}

TEST_P(SelectShapesTest, WhatIsReadyIsDone) {
  Run([] {
    int value = 0;
    ForEach(kReceives, kEnds, [&](const Writing& writing, const Shape& shape, Operand operand) {
      Channel<int> channel(1);
      channel.Send(++value);
      bool right = false;
      EXPECT_EQ(writing.run(shape, operand, channel, value, &right), shape.place()) << shape.text;
      EXPECT_TRUE(right) << shape.text;
      EXPECT_EQ(channel.Len(), 0u) << shape.text;
      channel.Close();
      right = false;
      EXPECT_EQ(writing.run(shape, operand, channel, std::nullopt, &right), shape.place()) << shape.text;
      EXPECT_TRUE(right) << shape.text;
    });
    ForEach(kSends, kEnds, [&](const Writing& writing, const Shape& shape, Operand operand) {
      Channel<int> channel(1);
      bool right = false;
      EXPECT_EQ(writing.run(shape, operand, channel, ++value, &right), shape.place()) << shape.text;
      EXPECT_TRUE(right) << shape.text;
      EXPECT_EQ(channel.Receive(), value) << shape.text;
    });
  });
}

TEST_P(SelectShapesTest, WhatIsNotReadyIsLeftToDefault) {
  Run([] {
    auto expect_default = [](const Writing& writing, Shape shape, Operand operand) {
      shape.end = kDefault;
      Channel<int> channel;
      bool ignored = false;
      EXPECT_EQ(writing.run(shape, operand, channel, 1, &ignored), shape.cases()) << shape.text;
      EXPECT_EQ(channel.TrySend(1), TrySendResult::kFull) << shape.text;
      EXPECT_FALSE(channel.TryReceive()) << shape.text;
    };
    ForEach(kReceives, kAfter, expect_default);
    ForEach(kSends, kAfter, expect_default);
  });
}

TEST_P(SelectShapesTest, WhatIsNotReadyIsWaitedForWithoutDefault) {
  Run([] {
    int value = 0;
    ForEach(kReceives, kDefault, [&](const Writing& writing, const Shape& shape, Operand operand) {
      Channel<int> channel;
      bool right = false;
      size_t chosen = 99;
      ++value;
      {
        WatchedFiber fiber([&] { chosen = writing.run(shape, operand, channel, value, &right); });
        fiber.AwaitParked();
        channel.Send(value);
      }
      EXPECT_EQ(chosen, shape.place()) << shape.text;
      EXPECT_TRUE(right) << shape.text;
    });
    ForEach(kSends, kDefault, [&](const Writing& writing, const Shape& shape, Operand operand) {
      Channel<int> channel;
      bool right = false;
      size_t chosen = 99;
      ++value;
      {
        WatchedFiber fiber([&] { chosen = writing.run(shape, operand, channel, value, &right); });
        fiber.AwaitParked();
        EXPECT_EQ(channel.Receive(), value) << shape.text;
      }
      EXPECT_EQ(chosen, shape.place()) << shape.text;
      EXPECT_TRUE(right) << shape.text;
    });
  });
}

}  // namespace
}  // namespace millrace::sync
