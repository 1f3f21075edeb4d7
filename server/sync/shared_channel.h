// SharedChannel<T>: a channel that all who use it own together. Go's chan as a value: copied into fibers, kept in
// structures, sent through other channels; the last handle frees it.
//
//   SharedChannel<int> numbers = MakeChannel<int>(10);
//   Go([numbers] { numbers.Send(1); numbers.Close(); });
//   for (int number : numbers) ...
//
//   Nil      One that was made without MakeChannel: waits for ever, is never ready in a Select, must not be closed.
//   Cost     That of Channel; a copy of the handle counts an atomic up and down. A Select and a range-for hold a copy
//            each.
//   Threads  As Channel. One handle is like any variable: whoever assigns to it is alone with it.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "sync/channel.h"

namespace millrace::sync {

template <typename T>
class SharedChannel {
 public:
  SharedChannel() = default;
  SharedChannel(std::nullptr_t) {}  // NOLINT: nil

  bool nil() const { return channel_ == nullptr; }
  Channel<T>* get() const { return channel_.get(); }
  // Does not own it.
  ChannelRef<T> ref() const { return ChannelRef<T>(get()); }

  // All as in channel.h.
  void Send(T&& value) const { ref().Send(std::move(value)); }
  void Send(const T& value) const requires std::copy_constructible<T> { Send(T(value)); }
  std::optional<T> Receive() const { return ref().Receive(); }
  [[nodiscard]] TrySendResult TrySend(T&& value) const { return ref().TrySend(std::move(value)); }
  [[nodiscard]] TrySendResult TrySend(const T& value) const requires std::copy_constructible<T> {
    return TrySend(T(value));
  }
  [[nodiscard]] TrySendResult TrySend(T&& value, const Until& until) const {
    return ref().TrySend(std::move(value), until);
  }
  [[nodiscard]] TrySendResult TrySend(const T& value, const Until& until) const requires std::copy_constructible<T> {
    return TrySend(T(value), until);
  }
  [[nodiscard]] TryReceived<T> TryReceive() const { return ref().TryReceive(); }
  [[nodiscard]] TryReceived<T> TryReceive(const Until& until) const { return ref().TryReceive(until); }
  void Close() const { ref().Close(); }
  size_t Len() const { return ref().Len(); }
  size_t Cap() const { return ref().Cap(); }

  ChannelIterator<T, SharedChannel> begin() const { return ChannelIterator<T, SharedChannel>(*this); }
  std::default_sentinel_t end() const { return {}; }

  // The same channel?
  bool operator==(const SharedChannel&) const = default;

 private:
  template <typename U>
  friend SharedChannel<U> MakeChannel(size_t capacity);
  explicit SharedChannel(std::shared_ptr<Channel<T>> channel) : channel_(std::move(channel)) {}

  std::shared_ptr<Channel<T>> channel_;
};

template <typename T>
SharedChannel<T> MakeChannel(size_t capacity = 0) {
  return SharedChannel<T>(std::make_shared<Channel<T>>(capacity));
}

}  // namespace millrace::sync
