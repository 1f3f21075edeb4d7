#include "runtime/timer.h"

#include "base/check.h"
#include "runtime/make_fiber.h"
#include "runtime/park.h"
#include "runtime/sanitizers.h"
#include "runtime/scheduler.h"
#include "runtime/timer_heap.h"

namespace millrace::rt {

void Timer::Start(MonoTime deadline, Fire fire, Nanos period) {
  CurrentScheduler().StartTimer(this, deadline.time_since_epoch().count(), fire, period.count());
}

bool Timer::Cancel() {
  sanitizers::IgnoreScope ignore;
  return heap_ != nullptr && heap_->Remove(this);
}

}  // namespace millrace::rt
