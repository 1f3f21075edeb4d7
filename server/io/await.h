// io::await: any operation of Asio as straight-line code on a fiber.
//
//   asio::steady_timer timer(io::Context(), 10ms);
//   timer.async_wait(io::await);                                         // parks; throws std::system_error
//   size_t n = socket.async_read_some(buffer, io::await[error]);         // the error as a value
//   size_t n = socket.async_read_some(buffer, io::await(io::Within(5s)));  // std::errc::timed_out after five seconds
//
//   Result    What the completion signature has after the error: nothing, a value, or a tuple.
//   Stopping  A deadline or a cancelled token cancels the operation and waits for its end. If it ends well
//             nevertheless, its result counts; else the error is timed_out or operation_canceled. What Asio cannot
//             cancel (a name look-up) is waited for.
//   Objects   Of io::Context(), on a fiber. As ever with Asio one object is used by one at a time; the sockets of
//             io/socket.h are the ones that two fibers can share.
//   The end   Do not read again from a socket of Asio's that has said eof: Asio 1.22 may wait for ever then.
//   Cost      The operation lives on the fiber's stack; nothing is allocated unless it has a deadline or a token.
#pragma once

#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include "io/operation.h"
#include "runtime/sanitizers.h"

namespace millrace::io {

// With a limit, which it holds: it may be kept and used again.
class AwaitUntil {
 public:
  explicit AwaitUntil(Until until, std::error_code* error = nullptr) : until_(std::move(until)), error_(error) {}
  AwaitUntil operator[](std::error_code& error) const { return AwaitUntil(until_, &error); }

  const Until* until() const { return &until_; }
  std::error_code* error() const { return error_; }

 private:
  Until until_;
  std::error_code* error_;
};

class Await {
 public:
  constexpr Await() = default;
  AwaitUntil operator()(Until until) const { return AwaitUntil(std::move(until), error_); }
  // `error` must live until the operation has ended.
  constexpr Await operator[](std::error_code& error) const { return Await(&error); }

  static constexpr const Until* until() { return nullptr; }
  std::error_code* error() const { return error_; }

 private:
  constexpr explicit Await(std::error_code* error) : error_(error) {}

  std::error_code* error_ = nullptr;
};

inline constexpr Await await;

namespace internal {

// For ThreadSanitizer, which does not see what Asio does on the machine that polls: what one fiber sent is behind
// another that received it (Go orders all I/O so). io::Stream makes its calls on the fiber, where they are seen.
inline char io_order = 0;

template <typename... Values>
struct AwaitValues {
  using Type = std::tuple<Values...>;
  static Type Take(std::tuple<Values...>&& values) { return std::move(values); }
};
template <typename Value>
struct AwaitValues<Value> {
  using Type = Value;
  static Type Take(std::tuple<Value>&& values) { return std::get<0>(std::move(values)); }
};
template <>
struct AwaitValues<> {
  using Type = void;
  static void Take(std::tuple<>&&) {}
};

template <typename... Values>
struct AwaitFrame {
  explicit AwaitFrame(AsioNetpoller& poller) : operation(poller) {}

  template <typename... Arguments>
  void Store(Arguments&&... arguments) {
    if constexpr (sizeof...(Arguments) == sizeof...(Values)) {
      values.emplace(std::forward<Arguments>(arguments)...);
    } else {
      StoreError(std::forward<Arguments>(arguments)...);
    }
  }
  template <typename... Arguments>
  void StoreError(const std::error_code& e, Arguments&&... arguments) {
    error = e;
    values.emplace(std::forward<Arguments>(arguments)...);
  }

  Operation operation;
  std::error_code error;
  std::optional<std::tuple<Values...>> values;
};

template <typename... Values>
class AwaitResult {
 public:
  using return_type = typename AwaitValues<Values...>::Type;

  template <typename Initiation, typename Token, typename... Arguments>
  static return_type initiate(Initiation&& initiation, const Token& token, Arguments&&... arguments) {
    static const Until for_ever;
    const Until& until = token.until() != nullptr ? *token.until() : for_ever;
    AwaitFrame<Values...> frame(AsioNetpoller::Current());
    rt::sanitizers::Release(&io_order);
    try {
      rt::sanitizers::IgnoreScope ignore;
      std::forward<Initiation>(initiation)(Handler(&frame, token.until() != nullptr),
                                           std::forward<Arguments>(arguments)...);
    } catch (...) {
      frame.operation.NotStarted();
      throw;
    }
    if (!frame.operation.Wait(until, rt::WaitReason::kIo)) {
      frame.operation.CancelAndAwaitEnd(rt::WaitReason::kIo);
      if (frame.error == asio::error::operation_aborted && !frame.operation.cancelled()) {
        frame.error = make_error_code(std::errc::timed_out);
      }
    }
    rt::sanitizers::Acquire(&io_order);
    if (token.error() != nullptr) {
      *token.error() = frame.error;
    } else if (frame.error) {
      throw std::system_error(frame.error);
    }
    return AwaitValues<Values...>::Take(std::move(*frame.values));
  }
};

template <typename... Values>
class AwaitResult<std::error_code, Values...> : public AwaitResult<Values...> {};

}  // namespace internal
}  // namespace millrace::io

template <typename Return, typename... Arguments>
class asio::async_result<millrace::io::Await, Return(Arguments...)>
    : public millrace::io::internal::AwaitResult<std::decay_t<Arguments>...> {};
template <typename Return, typename... Arguments>
class asio::async_result<millrace::io::AwaitUntil, Return(Arguments...)>
    : public millrace::io::internal::AwaitResult<std::decay_t<Arguments>...> {};
