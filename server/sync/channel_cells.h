// ChannelCells<T>: the memory of a channel's buffered values, and when they are moved.
//
// No user code may run under a runtime lock: a move constructor could wait for another fiber, or be preempted, with
// everybody spinning. So there are two ways to fill a cell.
//   Quiet   T is trivially copyable and small: moving it is a bounded copy, done under the channel's lock.
//   Loud    Any other T. Under the lock a send or receive only draws the cell's next turn; the move happens after the
//           lock is released, and a turn waits for the one before it. That wait is real only if the neighbour is in the
//           middle of a move, so it yields instead of parking. Order is that of the turns, hence of the lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "runtime/runtime.h"

namespace millrace::sync::internal {

inline constexpr size_t kQuietBytesMax = 128;

template <typename T>
inline constexpr bool kQuiet = std::is_trivially_copyable_v<T> && sizeof(T) <= kQuietBytesMax;

template <typename T>
struct QuietCell {
  alignas(T) unsigned char place[sizeof(T)];

  T* value() { return std::launder(reinterpret_cast<T*>(place)); }
  void Put(T& from) { new (place) T(std::move(from)); }
  void Take(std::optional<T>& to) { to.emplace(std::move(*value())); }
};

template <typename T>
struct LoudCell {
  // Even turns put, odd turns take. `drawn` belongs to the channel's lock, `done` to whoever holds the turn it names.
  uint32_t drawn = 0;
  std::atomic<uint32_t> done{0};
  alignas(T) unsigned char place[sizeof(T)];

  T* value() { return std::launder(reinterpret_cast<T*>(place)); }

  uint32_t DrawTurn() { return drawn++; }

  void Put(uint32_t turn, T& from) {
    AwaitTurn(turn);
    new (place) T(std::move(from));
    done.store(turn + 1, std::memory_order_release);
  }
  void Take(uint32_t turn, std::optional<T>& to) {
    AwaitTurn(turn);
    to.emplace(std::move(*value()));
    value()->~T();
    done.store(turn + 1, std::memory_order_release);
  }

 private:
  void AwaitTurn(uint32_t turn) {
    for (int tries = 1; done.load(std::memory_order_acquire) != turn; ++tries) {
      rt::Yield();
      // The neighbour may be on a thread that waits for our core.
      if (tries % 8 == 0) std::this_thread::yield();
    }
  }
};

template <typename T>
using ChannelCell = std::conditional_t<kQuiet<T>, QuietCell<T>, LoudCell<T>>;

}  // namespace millrace::sync::internal
