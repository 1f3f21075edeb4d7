// What a case holds: one that a function has made and returned works, and what it could not hold does not compile.
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "sync/select.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

class SelectHoldsTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, SelectHoldsTest, test::kAnyProcs);

template <typename C>
concept CanReceiveFrom = requires(C&& channel) {
  Receive(std::forward<C>(channel));
};
template <typename C, typename V>
concept CanSendTo = requires(C&& channel, V&& value) {
  Send(std::forward<C>(channel), std::forward<V>(value));
};
template <typename V>
concept CanLend = requires(V&& value) {
  Lend(std::forward<V>(value));
};
template <typename T>
concept CanGiveDone = requires(T&& token) {
  std::forward<T>(token).done();
};

static_assert(CanReceiveFrom<Channel<int>&> && CanReceiveFrom<Channel<int>*> && CanReceiveFrom<ChannelRef<int>>);
static_assert(CanReceiveFrom<SharedChannel<int>&> && CanReceiveFrom<SharedChannel<int>>);
static_assert(CanSendTo<Channel<int>&, int> && CanSendTo<SharedChannel<std::string>, const char*>);
// A temporary channel ends with the expression that makes the case.
static_assert(!CanReceiveFrom<Channel<int>> && !CanSendTo<Channel<int>, int>);
static_assert(!CanSendTo<Channel<int>&, std::string>);
// Only what has a place of its own can be lent.
static_assert(CanLend<std::string&> && !CanLend<std::string>);
// The channel of a token ends with it.
static_assert(CanGiveDone<CancelToken&> && !CanGiveDone<CancelToken>);
// The reason of a token that is a temporary is a value.
static_assert(std::is_reference_v<decltype(std::declval<CancelToken&>().reason())>);
static_assert(!std::is_reference_v<decltype(std::declval<CancelToken>().reason())>);

std::string LongText() { return "a text that is too long for the room that a string has inside"; }

// Each is called, returns, and leaves its frame to whoever calls the next.
auto SendOfATemporary(Channel<std::string>& to) { return Send(to, LongText()); }
auto SendOfAMovedVariable(Channel<std::string>& to) {
  std::string text = LongText();
  return Send(to, std::move(text));
}
auto SendOfAMoveOnlyValue(Channel<std::unique_ptr<std::string>>& to) {
  return Send(to, std::make_unique<std::string>(LongText()));
}
auto ReceiveOfASharedChannel(std::string* got) {
  auto channel = MakeChannel<std::string>(1);
  channel.Send(LongText());
  return Receive(channel, [got](std::optional<std::string> text) { *got = text.value_or("closed"); });
}
auto CancelledByASourceThatIsGone() {
  CancelSource source;
  source.Cancel(millrace::Cancelled("TEST", "enough"));
  return Cancelled(source.token());
}
__attribute__((noinline)) void OverwriteTheStack() {
  volatile char frame[4096];
  for (volatile char& byte : frame) byte = 'x';
}

TEST_P(SelectHoldsTest, ACaseThatAFunctionMadeHasItsValue) {
  Run([] {
    Channel<std::string> texts(1);
    auto of_a_temporary = SendOfATemporary(texts);
    auto of_a_variable = SendOfAMovedVariable(texts);
    OverwriteTheStack();
    EXPECT_EQ(Select(std::move(of_a_temporary)), 0u);
    EXPECT_EQ(texts.Receive(), LongText());
    EXPECT_EQ(Select(std::move(of_a_variable)), 0u);
    EXPECT_EQ(texts.Receive(), LongText());
    Channel<std::unique_ptr<std::string>> pointers;
    test::WatchedFiber sends([&] { Select(SendOfAMoveOnlyValue(pointers)); });
    sends.AwaitParked();
    EXPECT_EQ(**pointers.Receive(), LongText());
  });
}

TEST_P(SelectHoldsTest, ACaseThatAFunctionMadeHoldsItsChannelAndItsToken) {
  Run([] {
    std::string got;
    auto receive = ReceiveOfASharedChannel(&got);
    auto cancelled = CancelledByASourceThatIsGone();
    OverwriteTheStack();
    EXPECT_EQ(Select(std::move(receive)), 0u);
    EXPECT_EQ(got, LongText());
    EXPECT_EQ(Select(std::move(cancelled)), 0u);
  });
}

TEST_P(SelectHoldsTest, AValueMovedIntoACaseThatIsNotChosenIsGoneAndOneThatIsLentStays) {
  Run([] {
    Channel<std::shared_ptr<int>> full;
    auto given = std::make_shared<int>(1), lent = std::make_shared<int>(2);
    std::weak_ptr<int> given_watched = given;
    EXPECT_EQ(Select(Send(full, std::move(given)), Send(full, Lend(lent)), Default()), 2u);
    EXPECT_TRUE(given_watched.expired());
    EXPECT_EQ(*lent, 2);
  });
}

}  // namespace
}  // namespace millrace::sync
