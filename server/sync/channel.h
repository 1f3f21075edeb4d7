// Channel<T>: a bounded queue between fibers; with capacity 0, a meeting of two fibers.
//
//   Channel<std::string> lines(100);
//   lines.Send("hello");                                       // parks while 100 lines wait
//   while (std::optional<std::string> line = lines.Receive())  // nullopt once closed and empty
//   for (std::string line : lines)                             // the same
//
//   Ownership  A value belongs to the channel from Send to Receive; it is moved, never copied. T's move must not throw.
//   Waiting    Send parks the fiber while the channel is full, Receive while it is empty; the machine runs others
//              meanwhile.
//   Closing    Buffered values still arrive, then Receive gives nullopt. Fatal, as in Go: Send on a closed channel,
//              also for a sender that waits when it is closed; a second Close. SendUnlessClosed gives false instead and
//              leaves the value.
//   Fairness   Waiters are served oldest first; a new sender does not overtake a parked one. Values of one sender stay
//              in order.
//   Patience   The Try forms do not wait; with an Until (until.h) they wait that long. What can be done at once is done
//              whatever the Until says.
//   Callers    Any fiber, any plain thread. A thread that waits blocks; where it must not, as in a gRPC callback, it
//              calls what does not wait: TrySend, TryReceive, Close.
//   Moves      T's move constructor never runs under a runtime lock: it may log, lock or wait (channel_cells.h).
//   Lifetime   The channel outlives all who use it; shared_channel.h is one that they own together. Values still inside
//              are destroyed with it.
//
// Everything is as in Go's runtime/chan.go: one lock; a value goes straight into a waiting receiver's frame; operations
// that do not wait look before they lock.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "sync/channel_case.h"
#include "sync/channel_cells.h"
#include "sync/channel_core.h"

namespace millrace::sync {

// The value of a channel that only signals.
struct Nothing {};

// The result of a send that does not wait, or not for ever. kFull: the channel was still full at the end.
enum class TrySendResult { kSent, kFull, kClosed };

template <typename T>
struct TryReceived {
  std::optional<T> value;
  bool closed = false;  // No value, and there will be none.

  explicit operator bool() const { return value.has_value(); }
  T& operator*() { return *value; }
};

template <typename T>
class ChannelRef;
template <typename T, typename Handle = ChannelRef<T>>
class ChannelIterator;

template <typename T>
class Channel {
  static_assert(std::is_nothrow_move_constructible_v<T>, "a value in flight has nowhere to go when its move throws");

 public:
  explicit Channel(size_t capacity = 0) : core_(capacity), cells_(new Cell[capacity]) { core_.cells = cells_.get(); }
  ~Channel() {
    if constexpr (!std::is_trivially_destructible_v<T>) {
      for (uint32_t left = core_.count; left > 0; --left) std::destroy_at(cells_[core_.NextHead()].value());
    }
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void Send(T&& value) {
    if (!SendUnlessClosed(std::move(value))) [[unlikely]]
      internal::FatalSendOnClosed();
  }
  void Send(const T& value) requires std::copy_constructible<T> { Send(T(value)); }

  // False: closed; the value is still the caller's.
  [[nodiscard]] bool SendUnlessClosed(T&& value) {
    internal::Deal deal;
    core_.lock.lock();
    internal::Verdict verdict = BeginSend(deal, value);
    if (verdict == internal::Verdict::kWouldBlock) return core_.ParkSender(&value);
    core_.lock.unlock();
    if (verdict == internal::Verdict::kClosed) [[unlikely]]
      return false;
    FinishSend(deal, value);
    return true;
  }

  // The value is moved from only when it was sent.
  [[nodiscard]] TrySendResult TrySend(T&& value) {
    if (core_.SendWouldBlock()) return TrySendResult::kFull;
    internal::Deal deal;
    core_.lock.lock();
    internal::Verdict verdict = BeginSend(deal, value);
    core_.lock.unlock();
    if (verdict != internal::Verdict::kDone) {
      return verdict == internal::Verdict::kClosed ? TrySendResult::kClosed : TrySendResult::kFull;
    }
    FinishSend(deal, value);
    return TrySendResult::kSent;
  }
  [[nodiscard]] TrySendResult TrySend(const T& value) requires std::copy_constructible<T> { return TrySend(T(value)); }

  [[nodiscard]] TrySendResult TrySend(T&& value, const Until& until) {
    TrySendResult at_once = TrySend(static_cast<T&&>(value));  // It is moved from only when it was sent.
    if (at_once != TrySendResult::kFull) return at_once;
    internal::ChannelCase<T> send(this);
    send.BindSend(value);
    send.close_is_told = true;
    if (!internal::DoUntil(send, until)) return TrySendResult::kFull;
    return send.closed ? TrySendResult::kClosed : TrySendResult::kSent;
  }
  [[nodiscard]] TrySendResult TrySend(const T& value, const Until& until) requires std::copy_constructible<T> {
    return TrySend(T(value), until);
  }

  std::optional<T> Receive() {
    std::optional<T> value;
    internal::Deal deal;
    core_.lock.lock();
    internal::Verdict verdict = BeginReceive(deal, value);
    if (verdict == internal::Verdict::kWouldBlock) {
      core_.ParkReceiver(&value);
      return value;
    }
    core_.lock.unlock();
    if (verdict == internal::Verdict::kDone) FinishReceive(deal, value);
    return value;
  }

  [[nodiscard]] TryReceived<T> TryReceive() {
    TryReceived<T> received;
    if (core_.ReceiveWouldBlock()) return received;
    internal::Deal deal;
    core_.lock.lock();
    internal::Verdict verdict = BeginReceive(deal, received.value);
    core_.lock.unlock();
    received.closed = verdict == internal::Verdict::kClosed;
    if (verdict == internal::Verdict::kDone) FinishReceive(deal, received.value);
    return received;
  }

  [[nodiscard]] TryReceived<T> TryReceive(const Until& until) {
    TryReceived<T> received = TryReceive();
    if (received || received.closed) return received;
    internal::ChannelCase<T> receive(this);
    receive.BindReceive(received.value);
    received.closed = internal::DoUntil(receive, until) && !received.value.has_value();
    return received;
  }

  void Close() { core_.Close(); }

  // A moment's view.
  size_t Len() const { return core_.count.load(std::memory_order_relaxed); }
  size_t Cap() const { return core_.capacity; }
  bool closed() const { return core_.closed.load(std::memory_order_acquire); }

  ChannelIterator<T> begin() { return ChannelIterator<T>(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  template <typename U>
  friend struct internal::ChannelCase;
  using Cell = internal::ChannelCell<T>;
  using Waiters = internal::WaitList<internal::ChannelWaiter>;

  static T& SentBy(internal::ChannelWaiter* sender) { return *static_cast<T*>(sender->value); }
  static std::optional<T>& WantedBy(internal::ChannelWaiter* receiver) {
    return *static_cast<std::optional<T>*>(receiver->value);
  }

  // Each operation is a Begin under the lock and a Finish after it, so that a select can use them under several locks.
  internal::Verdict BeginSend(internal::Deal& deal, T& value) MR_REQUIRES(core_.lock) {
    if (core_.closed.load(std::memory_order_relaxed)) [[unlikely]]
      return internal::Verdict::kClosed;
    deal.partner = internal::PopLive(core_.receivers);
    if (deal.partner != nullptr) return internal::Verdict::kDone;
    uint32_t count = core_.count.load(std::memory_order_relaxed);
    // A sender waits only while the buffer is full, so whoever finds room overtakes nobody.
    if (count == core_.capacity) return internal::Verdict::kWouldBlock;
    core_.SetCount(count + 1);
    Cell& cell = cells_[core_.NextTail()];
    if constexpr (internal::kQuiet<T>) {
      cell.Put(value);
    } else {
      deal.cell = &cell;
      deal.turn = cell.DrawTurn();
    }
    return internal::Verdict::kDone;
  }

  void FinishSend(internal::Deal& deal, T& value) {
    if (deal.partner != nullptr) {
      WantedBy(deal.partner).emplace(std::move(value));
      deal.partner->passed = true;
      rt::Ready(deal.partner->who);
    } else if constexpr (!internal::kQuiet<T>) {
      static_cast<Cell*>(deal.cell)->Put(deal.turn, value);
    }
  }

  internal::Verdict BeginReceive(internal::Deal& deal, std::optional<T>& value) MR_REQUIRES(core_.lock) {
    deal.partner = core_.senders.empty() ? nullptr : internal::PopLive(core_.senders);
    uint32_t count = core_.count.load(std::memory_order_relaxed);
    if (count == 0) {
      if (deal.partner != nullptr) return internal::Verdict::kDone;
      return core_.closed.load(std::memory_order_relaxed) ? internal::Verdict::kClosed : internal::Verdict::kWouldBlock;
    }
    Cell& cell = cells_[core_.NextHead()];
    if constexpr (internal::kQuiet<T>) {
      cell.Take(value);
    } else {
      deal.cell = &cell;
      deal.turn = cell.DrawTurn();
    }
    if (deal.partner == nullptr) {
      core_.SetCount(count - 1);
      return internal::Verdict::kDone;
    }
    // The buffer was full: the oldest waiting sender's value goes to the end of the queue, which is the cell that came
    // free.
    core_.NextTail();
    if constexpr (internal::kQuiet<T>) {
      cell.Put(SentBy(deal.partner));
    } else {
      deal.partner_turn = cell.DrawTurn();
    }
    return internal::Verdict::kDone;
  }

  void FinishReceive(internal::Deal& deal, std::optional<T>& value) {
    if constexpr (!internal::kQuiet<T>) {
      if (deal.cell != nullptr) {
        Cell& cell = *static_cast<Cell*>(deal.cell);
        cell.Take(deal.turn, value);
        if (deal.partner != nullptr) cell.Put(deal.partner_turn, SentBy(deal.partner));
      }
    }
    if (deal.partner == nullptr) return;
    if (!value.has_value()) value.emplace(std::move(SentBy(deal.partner)));  // A meeting without a buffer.
    deal.partner->passed = true;
    rt::Ready(deal.partner->who);
  }

  internal::ChannelCore core_;
  std::unique_ptr<Cell[]> cells_;
};

// A name for a channel, or for none: Go's channel variable. Sending to or receiving from nil parks for ever, a nil case
// of a Select is never ready, closing nil is fatal. Does not own the channel.
template <typename T>
class ChannelRef {
 public:
  ChannelRef() = default;
  ChannelRef(std::nullptr_t) {}
  ChannelRef(Channel<T>& channel) : channel_(&channel) {}  // NOLINT: a channel is usable wherever a name for one is
  ChannelRef(Channel<T>* channel) : channel_(channel) {}   // NOLINT

  bool nil() const { return channel_ == nullptr; }
  Channel<T>* get() const { return channel_; }

  void Send(T&& value) const {
    if (nil()) internal::ParkForEver(rt::WaitReason::kChannelSend);
    channel_->Send(std::move(value));
  }
  void Send(const T& value) const requires std::copy_constructible<T> { Send(T(value)); }
  std::optional<T> Receive() const {
    if (nil()) internal::ParkForEver(rt::WaitReason::kChannelReceive);
    return channel_->Receive();
  }
  [[nodiscard]] TrySendResult TrySend(T&& value) const {
    return nil() ? TrySendResult::kFull : channel_->TrySend(std::move(value));
  }
  [[nodiscard]] TrySendResult TrySend(T&& value, const Until& until) const {
    if (!nil()) return channel_->TrySend(std::move(value), until);
    internal::WaitOut(until);
    return TrySendResult::kFull;
  }
  [[nodiscard]] TrySendResult TrySend(const T& value, const Until& until) const requires std::copy_constructible<T> {
    return TrySend(T(value), until);
  }
  [[nodiscard]] TryReceived<T> TryReceive() const { return nil() ? TryReceived<T>{} : channel_->TryReceive(); }
  [[nodiscard]] TryReceived<T> TryReceive(const Until& until) const {
    if (!nil()) return channel_->TryReceive(until);
    internal::WaitOut(until);
    return {};
  }
  void Close() const {
    if (nil()) internal::FatalCloseOfNil();
    channel_->Close();
  }
  size_t Len() const { return nil() ? 0 : channel_->Len(); }
  size_t Cap() const { return nil() ? 0 : channel_->Cap(); }

  ChannelIterator<T> begin() const { return ChannelIterator<T>(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  Channel<T>* channel_ = nullptr;
};

// For range-for: `for (auto&& value : channel)` until it is closed and empty. A value may be moved out.
template <typename T, typename Handle>
class ChannelIterator {
 public:
  explicit ChannelIterator(Handle channel) : channel_(std::move(channel)), value_(channel_.Receive()) {}

  T&& operator*() { return std::move(*value_); }
  ChannelIterator& operator++() {
    value_.reset();
    // Receive gives a fresh optional; emplacing from it spares T a move assignment, which it need not have.
    if (std::optional<T> next = channel_.Receive()) value_.emplace(std::move(*next));
    return *this;
  }
  bool operator==(std::default_sentinel_t) const { return !value_.has_value(); }

 private:
  Handle channel_;
  std::optional<T> value_;
};

}  // namespace millrace::sync
