// RetrySlots: when whoever found no room is to come again. Each gets a moment of its own, as far apart as places become
// free, so that those who go by it find room, instead of all coming at once. Whoever comes before it has no more right
// than others: nothing is reserved.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace millrace::dispatch {

class RetrySlots {
 public:
  static constexpr Nanos kLeast = std::chrono::milliseconds(20);
  static constexpr Nanos kMost = std::chrono::seconds(30);  // And an eighth of it.

  // The delay of the next one who is refused, where a place frees once in `interval`. `random`, in [0, 1): so that
  // those who were told the longest delay do not come together either.
  Nanos Next(MonoTime now, Nanos interval, double random) {
    // The floor: nothing was measured yet, or places free faster than a client is able to come again.
    constexpr Nanos kIntervalLeast = std::chrono::milliseconds(1);
    given_until_ = std::min(std::max(given_until_, now) + std::max(interval, kIntervalLeast), now + kMost);
    const Nanos delay = given_until_ - now;
    const Nanos spread = std::max(delay / 8, kLeast);
    return delay + Nanos(static_cast<int64_t>(random * static_cast<double>(spread.count()))) + kLeast;
  }

 private:
  MonoTime given_until_ = MonoTime::min();
};

}  // namespace millrace::dispatch
