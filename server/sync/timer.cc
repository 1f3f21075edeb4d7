#include "sync/timer.h"

#include <mutex>

#include "base/check.h"
#include "runtime/runtime.h"

namespace millrace::sync {

namespace internal {

// With the timer heap's lock held. A time is quiet (channel_cells.h), so sending one is a bounded copy under the
// channel's lock, and nobody who holds that waits for a heap's.
void TimeSource::Fire(rt::Timer* timer) {
  // A time that nobody has received yet stays, and this one is dropped.
  static_cast<void>(static_cast<TimeSource*>(timer)->channel_.TrySend(rt::Now()));
}

bool TimeSource::StopLocked() {
  // In this order: once Cancel has returned no time can come any more.
  bool was_armed = Cancel();
  bool unreceived = static_cast<bool>(channel_.TryReceive());
  return was_armed || unreceived;
}

bool TimeSource::Stop() {
  std::lock_guard guard(mutex_);
  return StopLocked();
}

bool TimeSource::Reset(Nanos duration, Nanos period) {
  std::lock_guard guard(mutex_);
  bool was_running = StopLocked();
  Start(Later(rt::Now(), duration), &Fire, period);
  return was_running;
}

}  // namespace internal

void Ticker::Reset(AnyDuration period) {
  MR_CHECK(period.nanos() > Nanos(0), "a Ticker with a period of %lld ns; it must be more than zero",
           static_cast<long long>(period.nanos().count()));
  source_.Reset(period, period);
}

}  // namespace millrace::sync
