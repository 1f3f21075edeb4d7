// Select: waits until one of several channel operations can proceed, and does exactly that one.
//
//   size_t chosen = sync::Select(
//       sync::Receive(in, [&](std::optional<Job> job) { ... }),   // nullopt: closed and empty; a lambda without argument will do
//       sync::Send(out, std::move(result), [&] { ... }),
//       sync::Cancelled(token, [&] { ... }),
//       sync::After(10ms, [&] { ... }));                          // or Default(...), to not wait at all
//
//   Choice     Random among the cases that are ready. Default runs when none is, After when none has become ready in time. The
//              chosen case's function runs after the operation, outside every lock. Returns its position, from 0.
//   Send       A value given by std::move is moved from only if the case is chosen; any other is copied first. Fatal on a closed
//              channel, as Channel::Send.
//   Nil        A case whose channel is nil (an empty ChannelRef, a null pointer) is never ready; with no other case, and neither
//              Default nor After, the fiber parks for ever.
//   Twice      The same channel may appear in several cases, to send and to receive too; a select never meets itself.
//   Callers    Any fiber; a plain thread when there is a Default. Allocates nothing: all state is in the caller's frame.
//
// The method is that of Go's runtime/select.go: look at the cases in random order, then lock all channels in the order of their
// addresses, look again, queue on each, sleep; one compare-and-swap settles who wakes it (wake_race.h).
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

namespace millrace::sync {

namespace internal {

// A case of a channel operation, as the non-template engine in select.cc sees it.
struct SelectCase {
  ChannelCore* core = nullptr;                               // nullptr: nil
  Verdict (*begin)(SelectCase& self, Deal& deal) = nullptr;  // Under the channel's lock.
  void (*finish)(SelectCase& self, Deal& deal) = nullptr;    // After it, when begin said kDone.
  bool sends = false;
  size_t index = 0;  // Among the channel cases of its select.
  ChannelWaiter waiter;
};

// How long to wait: `ns` from now, until `ns` on the monotonic clock, for ever, or not at all.
struct SelectWait {
  enum class Kind : uint8_t { kForEver, kNone, kFor, kUntil } kind = Kind::kForEver;
  int64_t ns = 0;
  rt::WaitReason reason = rt::WaitReason::kSelect;
};

// Returns the index of the case that was done, `count` when the wait was over. Reorders `cases`; `locks` is room for `count`.
size_t SelectChannels(SelectCase** cases, ChannelCore** locks, size_t count, SelectWait wait);

enum class CaseKind : uint8_t { kChannel, kEnd };

struct DoNothing {
  void operator()() const {}
};

template <typename T>
Channel<T>* AsPointer(Channel<T>& channel) {
  return &channel;
}
template <typename T>
Channel<T>* AsPointer(Channel<T>* channel) {
  return channel;
}
template <typename T>
Channel<T>* AsPointer(const ChannelRef<T>& channel) {
  return channel.get();
}
template <typename T>
T ValueOf(Channel<T>*);

}  // namespace internal

// The part of a case that knows the channel's type. The channel lends its Begin and Finish to it alone.
template <typename T>
struct ChannelCase : internal::SelectCase {
  static constexpr internal::CaseKind kKind = internal::CaseKind::kChannel;

  Channel<T>* channel;

  explicit ChannelCase(Channel<T>* chosen) : channel(chosen) {
    if (channel != nullptr) core = &channel->core_;
  }

  // The operand is the waiter's `value`, where a partner looks for it too.
  void BindReceive(std::optional<T>& value) {
    waiter.value = &value;
    begin = [](SelectCase& self, internal::Deal& deal) {
      return Of(self).BeginReceive(deal, *static_cast<std::optional<T>*>(self.waiter.value));
    };
    finish = [](SelectCase& self, internal::Deal& deal) {
      Of(self).FinishReceive(deal, *static_cast<std::optional<T>*>(self.waiter.value));
    };
  }
  void BindSend(T& value) {
    waiter.value = &value;
    sends = true;
    begin = [](SelectCase& self, internal::Deal& deal) {
      return Of(self).BeginSend(deal, *static_cast<T*>(self.waiter.value));
    };
    finish = [](SelectCase& self, internal::Deal& deal) {
      Of(self).FinishSend(deal, *static_cast<T*>(self.waiter.value));
    };
  }

 private:
  static Channel<T>& Of(SelectCase& self) { return *static_cast<ChannelCase&>(self).channel; }
};

template <typename T, typename F>
struct [[nodiscard]] ReceiveCase : ChannelCase<T> {
  std::optional<T> received;
  F fn;

  ReceiveCase(Channel<T>* from, F then) : ChannelCase<T>(from), fn(std::move(then)) {}
  void Bind() { this->BindReceive(received); }
  void Run() {
    if constexpr (std::invocable<F&, std::optional<T>>) {
      fn(std::move(received));
    } else {
      fn();
    }
  }
};

// V is T& for a value that stays with the caller until it is chosen, T for a copy.
template <typename T, typename V, typename F>
struct [[nodiscard]] SendCase : ChannelCase<T> {
  V value;
  F fn;

  template <typename U>
  SendCase(Channel<T>* to, U&& from, F then) : ChannelCase<T>(to), value(std::forward<U>(from)), fn(std::move(then)) {}
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

template <typename C, typename F = internal::DoNothing>
auto Receive(C&& channel, F fn = {}) {
  auto* from = internal::AsPointer(channel);
  return ReceiveCase<decltype(internal::ValueOf(from)), F>(from, std::move(fn));
}

template <typename C, typename V, typename F = internal::DoNothing>
auto Send(C&& channel, V&& value, F fn = {}) {
  auto* to = internal::AsPointer(channel);
  using T = decltype(internal::ValueOf(to));
  if constexpr (std::is_same_v<V, T>) {  // V deduced without a reference: an rvalue.
    return SendCase<T, T&, F>(to, value, std::move(fn));
  } else {
    return SendCase<T, T, F>(to, std::forward<V>(value), std::move(fn));
  }
}

template <typename F = internal::DoNothing>
auto Cancelled(const CancelToken& token, F fn = {}) {
  return Receive(token.done(), std::move(fn));
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
                "write the cases inside the call: they refer to their arguments");
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
