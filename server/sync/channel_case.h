// ChannelCase: one operation on a channel that may have to compete, for select.h and for what waits with an Until.
// SelectCase is what the engine in select.cc knows of it, ChannelCase<T> what depends on the channel's type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "sync/channel_core.h"

namespace millrace::sync {

struct Until;
template <typename T>
class Channel;

namespace internal {

struct SelectCase {
  ChannelCore* core = nullptr;                               // nullptr: nil
  Verdict (*begin)(SelectCase& self, Deal& deal) = nullptr;  // Under the channel's lock, which nobody checks.
  void (*finish)(SelectCase& self, Deal& deal) = nullptr;    // After it, when begin said kDone.
  bool sends = false;
  bool close_is_told = false;  // A send on a closed channel is no bug of the caller's: `closed` tells.
  bool closed = false;
  size_t index = 0;  // Among the channel cases of its select.
  ChannelWaiter waiter;
};

// How long to wait: `ns` from now, until `ns` on the monotonic clock, for ever, or not at all. The greatest `ns` is for
// ever too.
struct SelectWait {
  enum class Kind : uint8_t { kForEver, kNone, kFor, kUntil } kind = Kind::kForEver;
  int64_t ns = 0;
  rt::WaitReason reason = rt::WaitReason::kSelect;
};

// Returns the index of the case that was done, `count` when the wait was over. Reorders `cases`; `locks` is room for
// `count`.
size_t SelectChannels(SelectCase** cases, ChannelCore** locks, size_t count, SelectWait wait);

// Does one operation or gives up: false. `one` is a send or a receive that is not nil.
bool DoUntil(SelectCase& one, const Until& until);
// For an operation that is never done: returns at the end of `until`.
void WaitOut(const Until& until);

// The channel lends its Begin and Finish to this alone.
template <typename T>
struct ChannelCase : SelectCase {
  Channel<T>* channel;

  explicit ChannelCase(Channel<T>* chosen) : channel(chosen) {
    if (channel != nullptr) core = &channel->core_;
  }

  // The operand is the waiter's `value`, where a partner looks for it too.
  void BindReceive(std::optional<T>& value) {
    waiter.value = &value;
    begin = [](SelectCase& self, Deal& deal) MR_NO_THREAD_SAFETY_ANALYSIS {
      return Of(self).BeginReceive(deal, *static_cast<std::optional<T>*>(self.waiter.value));
    };
    finish = [](SelectCase& self, Deal& deal) {
      Of(self).FinishReceive(deal, *static_cast<std::optional<T>*>(self.waiter.value));
    };
  }
  void BindSend(T& value) {
    waiter.value = &value;
    sends = true;
    begin = [](SelectCase& self, Deal& deal)
                MR_NO_THREAD_SAFETY_ANALYSIS { return Of(self).BeginSend(deal, *static_cast<T*>(self.waiter.value)); };
    finish = [](SelectCase& self, Deal& deal) { Of(self).FinishSend(deal, *static_cast<T*>(self.waiter.value)); };
  }

 private:
  static Channel<T>& Of(SelectCase& self) { return *static_cast<ChannelCase&>(self).channel; }
};

}  // namespace internal
}  // namespace millrace::sync
