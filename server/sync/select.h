// Select: waits until one of several channel operations can proceed, and does exactly that one.
//
//   size_t chosen = sync::Select(
//       sync::Receive(in, [&](std::optional<Job> job) { ... }),   // nullopt: closed and empty; or no argument at all
//       sync::Send(out, std::move(result), [&] { ... }),
//       sync::Cancelled(token, [&] { ... }),
//       sync::After(10ms, [&] { ... }));                          // or Default(...), to not wait at all
//
//   Choice     Random among the cases that are ready. Default runs when none is, After when none has become ready in
//              time. The chosen case's function runs after the operation, outside every lock. Returns its position,
//              from 0.
//   Send       The case owns its value: a copy, or what was moved into it, which is gone when another case is chosen.
//              Lend(value) leaves it where it is and moves from it only if the case is chosen. Fatal on a closed
//              channel, as Channel::Send.
//   Holding    A case holds all it was given, so a function may make and return one: a shared channel and a token are
//              kept, values and functions too. What it refers to is what cannot be a temporary: a Channel, a
//              ChannelRef's, and what was lent.
//   Nil        A case whose channel is nil (an empty ChannelRef, a null pointer) is never ready; with no other case,
//              and neither Default nor After, whoever selects waits for ever.
//   Twice      The same channel may appear in several cases, to send and to receive too; a select never meets itself.
//   Number     One known where it is written; for others, case_list.h.
//   Callers    Any fiber; a plain thread too, which blocks unless there is a Default. Allocates nothing: all state is
//              in the caller's frame.
//
// The method is that of Go's runtime/select.go: look at the cases in random order, then lock all channels in the order
// of their addresses, look again, queue on each, sleep; one compare-and-swap settles who wakes it (wake_race.h).
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "sync/cancel.h"
#include "sync/channel.h"
#include "sync/channel_case.h"
#include "sync/shared_channel.h"

namespace millrace::sync {

// A value that Send leaves with its owner unless its case is chosen. It outlives the select.
template <typename T>
struct Lent {
  T* value;
};
template <typename T>
Lent<T> Lend(T& value) {
  static_assert(!std::is_const_v<T>, "a value that is moved from when it is chosen cannot be const");
  return {&value};
}

namespace internal {

enum class CaseKind : uint8_t { kChannel, kEnd };

struct DoNothing {
  void operator()() const {}
};

// How a case gets at its channel: `channel` for the operation, `kept` to hold it meanwhile.
template <typename T, typename K>
struct Operand {
  using Value = T;
  using Kept = K;
  Channel<T>* channel;
  [[no_unique_address]] K kept;
};
template <typename T>
Operand<T, DoNothing> OperandOf(Channel<T>& channel) {
  return {&channel, {}};
}
template <typename T>
void OperandOf(Channel<T>&& channel) = delete;  // It ends with the expression that makes the case.
template <typename T>
Operand<T, DoNothing> OperandOf(Channel<T>* channel) {
  return {channel, {}};
}
template <typename T>
Operand<T, DoNothing> OperandOf(const ChannelRef<T>& channel) {
  return {channel.get(), {}};
}
template <typename T>
Operand<T, SharedChannel<T>> OperandOf(SharedChannel<T> channel) {
  Channel<T>* pointer = channel.get();
  return {pointer, std::move(channel)};
}
template <typename C>
using OperandFor = decltype(internal::OperandOf(std::declval<C>()));

}  // namespace internal

// What a case can be made of: a Channel that is no temporary, a pointer to one, a ChannelRef, a SharedChannel.
template <typename C>
concept ChannelOperand = requires {
  typename internal::OperandFor<C>::Value;
};

template <typename C>
using ChannelValue = typename internal::OperandFor<C>::Value;

template <typename T, typename K, typename F>
struct [[nodiscard]] ReceiveCase : internal::ChannelCase<T> {
  static constexpr internal::CaseKind kKind = internal::CaseKind::kChannel;

  [[no_unique_address]] K kept;
  std::optional<T> received;
  F fn;

  ReceiveCase(internal::Operand<T, K> from, F then)
      : internal::ChannelCase<T>(from.channel), kept(std::move(from.kept)), fn(std::move(then)) {}
  void Bind() {
    received.reset();
    this->BindReceive(received);
  }
  void Run() {
    if constexpr (std::invocable<F&, std::optional<T>>) {
      fn(std::move(received));
    } else {
      fn();
    }
  }
};

// V is T, or T& for a value that is lent.
template <typename T, typename K, typename V, typename F>
struct [[nodiscard]] SendCase : internal::ChannelCase<T> {
  static constexpr internal::CaseKind kKind = internal::CaseKind::kChannel;

  [[no_unique_address]] K kept;
  V value;
  F fn;

  template <typename U>
  SendCase(internal::Operand<T, K> to, U&& from, F then)
      : internal::ChannelCase<T>(to.channel),
        kept(std::move(to.kept)),
        value(std::forward<U>(from)),
        fn(std::move(then)) {}
  void Bind() { this->BindSend(value); }
  void Run() { fn(); }
};

// Default, After or At: what happens when no channel case does.
template <typename F>
struct [[nodiscard]] EndCase {
  static constexpr internal::CaseKind kKind = internal::CaseKind::kEnd;

  internal::SelectWait wait;
  F fn;

  void Run() { fn(); }
};

template <ChannelOperand C, typename F = internal::DoNothing>
auto Receive(C&& channel, F fn = {}) {
  auto from = internal::OperandOf(std::forward<C>(channel));
  using O = decltype(from);
  return ReceiveCase<typename O::Value, typename O::Kept, F>(std::move(from), std::move(fn));
}

template <ChannelOperand C, typename V, typename F = internal::DoNothing>
requires(std::constructible_from<ChannelValue<C>, V> &&
         !std::same_as<std::remove_cvref_t<V>, Lent<ChannelValue<C>>>) auto Send(C&& channel, V&& value, F fn = {}) {
  auto to = internal::OperandOf(std::forward<C>(channel));
  using O = decltype(to);
  using T = typename O::Value;
  return SendCase<T, typename O::Kept, T, F>(std::move(to), std::forward<V>(value), std::move(fn));
}
template <ChannelOperand C, typename F = internal::DoNothing>
auto Send(C&& channel, Lent<ChannelValue<C>> lent, F fn = {}) {
  auto to = internal::OperandOf(std::forward<C>(channel));
  using O = decltype(to);
  using T = typename O::Value;
  return SendCase<T, typename O::Kept, T&, F>(std::move(to), *lent.value, std::move(fn));
}

template <typename F = internal::DoNothing>
auto Cancelled(CancelToken token, F fn = {}) {
  Channel<Nothing>* done = token.done();
  return ReceiveCase<Nothing, CancelToken, F>({done, std::move(token)}, std::move(fn));
}

template <typename F = internal::DoNothing>
EndCase<F> After(AnyDuration duration, F fn = {}) {
  return {{internal::SelectWait::Kind::kFor, duration.nanos().count()}, std::move(fn)};
}
template <typename F = internal::DoNothing>
EndCase<F> At(MonoTime deadline, F fn = {}) {
  return {{internal::SelectWait::Kind::kUntil, deadline.time_since_epoch().count()}, std::move(fn)};
}
template <typename F = internal::DoNothing>
EndCase<F> Default(F fn = {}) {
  return {{internal::SelectWait::Kind::kNone, 0}, std::move(fn)};
}

template <typename... Cases>
size_t Select(Cases&&... cases) {
  static_assert((std::is_rvalue_reference_v<Cases&&> && ...),
                "a case serves one select: write it in the call, or move it in");
  constexpr size_t kEnds = (size_t{Cases::kKind == internal::CaseKind::kEnd} + ... + 0);
  constexpr size_t kChannels = sizeof...(Cases) - kEnds;
  static_assert(kEnds <= 1, "one Default, After or At");

  std::array<internal::SelectCase*, kChannels + 1> list;
  std::array<internal::ChannelCore*, kChannels + 1> locks;
  internal::SelectWait wait;
  size_t listed = 0;
  [[maybe_unused]] auto add = [&](auto& one) {
    if constexpr (std::remove_reference_t<decltype(one)>::kKind == internal::CaseKind::kChannel) {
      one.Bind();
      one.index = listed;
      list[listed++] = &one;
    } else {
      wait = one.wait;
    }
  };
  (add(cases), ...);

  size_t done = internal::SelectChannels(list.data(), locks.data(), kChannels, wait);

  size_t position = 0, channel_cases = 0, chosen = 0;
  [[maybe_unused]] auto run = [&](auto& one) {
    bool is_channel = std::remove_reference_t<decltype(one)>::kKind == internal::CaseKind::kChannel;
    if (is_channel ? channel_cases++ == done : done == kChannels) {
      chosen = position;
      one.Run();
    }
    ++position;
  };
  (run(cases), ...);
  return chosen;
}

}  // namespace millrace::sync
