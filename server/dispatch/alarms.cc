#include "dispatch/alarms.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace::dispatch {

void Alarms::Arm(Alarm* alarm, Alarm::Purpose purpose, bool on_wall_clock, int64_t when) {
  MR_CHECK(!alarm->armed(), "an alarm was armed twice");
  alarm->purpose = purpose;
  alarm->on_wall_clock = on_wall_clock;
  alarm->when = when;
  HeapOf(*alarm).Add(alarm);
}

void Alarms::Arm(Alarm* alarm, Alarm::Purpose purpose, MonoTime when) {
  Arm(alarm, purpose, false, when.time_since_epoch().count());
}

void Alarms::Arm(Alarm* alarm, Alarm::Purpose purpose, WallTime when) {
  Arm(alarm, purpose, true, when.time_since_epoch().count());
}

void Alarms::Disarm(Alarm* alarm) {
  if (alarm->armed()) HeapOf(*alarm).Remove(alarm);
}

Alarm* Alarms::PopDue(MonoTime mono, WallTime wall) {
  for (auto [heap, now] :
       {std::pair{&mono_, mono.time_since_epoch().count()}, std::pair{&wall_, wall.time_since_epoch().count()}}) {
    Alarm* alarm = heap->front();
    if (alarm == nullptr || alarm->when > now) continue;
    heap->Remove(alarm);
    return alarm;
  }
  return nullptr;
}

MonoTime Alarms::Next(MonoTime mono, WallTime wall) const {
  MonoTime next = MonoTime::max();
  if (!mono_.empty()) next = MonoTime(Nanos(mono_.front()->when));
  if (!wall_.empty()) {
    Nanos left = std::max(Nanos(wall_.front()->when) - wall.time_since_epoch(), Nanos(0));
    next = std::min(next, Later(mono, std::min(left, kWallCheck)));
  }
  return next;
}

}  // namespace millrace::dispatch
