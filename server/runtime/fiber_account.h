// FiberAccount: where a fiber's time has gone. Its time, from the moment at which it became ready for the first time up
// to `since`, lies in heaps, one for each thing that a fiber can be doing. What it has been doing since then is not
// booked yet.
//
//   Invariant   The sum of all heaps is `since` minus the moment of BeginAt. Each of the functions below books the time
//               from `since` to `now` and moves `since` there. A `now` that lies before `since` books nothing: the
//               counters of two processors may differ by some ticks.
//   Threads     Whoever may change the fiber (fiber.h), by the functions alone. Others may read `since` at any time and
//               get a moment's view (dump.h, deadlock.h).
//   Unit        Ticks (cycles.h). accounting.h has the same in nanoseconds, for users.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/accounting.h"
#include "runtime/cycles.h"
#include "runtime/sanitizers.h"

namespace millrace::rt {

struct FiberAccount {
  uint64_t since = 0;  // When the fiber entered its present state.
  uint64_t running = 0;
  uint64_t runnable = 0;
  std::array<uint64_t, static_cast<size_t>(WaitReason::kCount)> blocked{};

  // For a new fiber.
  MR_NO_TSAN void Clear() {
    running = 0;
    runnable = 0;
    blocked.fill(0);
  }
  MR_NO_TSAN void BeginAt(uint64_t now) { since = now; }

  // Each returns the ticks that it has booked.
  MR_NO_TSAN uint64_t RanUntil(uint64_t now) { return Book(running, now); }
  MR_NO_TSAN uint64_t ReadyUntil(uint64_t now) { return Book(runnable, now); }
  MR_NO_TSAN uint64_t BlockedUntil(WaitReason reason, uint64_t now) {
    return Book(blocked[static_cast<size_t>(reason)], now);
  }
  // The fiber ran until it lost its processor. Sysmon took that because the thread slept, so what follows counts as a
  // blocking call.
  MR_NO_TSAN void DetachedUntil(uint64_t lost_at, uint64_t now) {
    RanUntil(std::min(lost_at, now));
    BlockedUntil(WaitReason::kBlocking, now);
  }

 private:
  MR_NO_TSAN uint64_t Book(uint64_t& heap, uint64_t now) {
    const uint64_t ticks = TicksBetween(since, now);
    heap += ticks;
    since += ticks;
    return ticks;
  }
};

}  // namespace millrace::rt
