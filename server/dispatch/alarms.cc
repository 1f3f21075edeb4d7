#include "dispatch/alarms.h"

#include <algorithm>

#include "base/check.h"

namespace millrace::dispatch {

namespace {
constexpr size_t kArity =
    4;  // Flatter than binary: fewer cache lines on the way up, and pushes are more common than pops.
}  // namespace

void Alarms::Heap::SiftUp(size_t place, Alarm* alarm) {
  while (place > 0) {
    size_t parent = (place - 1) / kArity;
    if (alarms[parent]->when <= alarm->when) break;
    alarms[place] = alarms[parent];
    alarms[place]->place = static_cast<int32_t>(place);
    place = parent;
  }
  alarms[place] = alarm;
  alarm->place = static_cast<int32_t>(place);
}

void Alarms::Heap::SiftDown(size_t place, Alarm* alarm) {
  for (;;) {
    size_t first = place * kArity + 1;
    if (first >= alarms.size()) break;
    size_t last = std::min(first + kArity, alarms.size());
    size_t least = first;
    for (size_t child = first + 1; child < last; ++child) {
      if (alarms[child]->when < alarms[least]->when) least = child;
    }
    if (alarm->when <= alarms[least]->when) break;
    alarms[place] = alarms[least];
    alarms[place]->place = static_cast<int32_t>(place);
    place = least;
  }
  alarms[place] = alarm;
  alarm->place = static_cast<int32_t>(place);
}

void Alarms::Heap::Push(Alarm* alarm) {
  alarms.push_back(alarm);
  SiftUp(alarms.size() - 1, alarm);
}

void Alarms::Heap::Remove(size_t place) {
  alarms[place]->place = -1;
  Alarm* last = alarms.back();
  alarms.pop_back();
  if (place == alarms.size()) return;
  SiftDown(place, last);
  SiftUp(static_cast<size_t>(last->place), last);
}

void Alarms::Arm(Alarm* alarm, Alarm::Purpose purpose, bool on_wall_clock, int64_t when) {
  MR_CHECK(!alarm->armed(), "an alarm was armed twice");
  alarm->purpose = purpose;
  alarm->on_wall_clock = on_wall_clock;
  alarm->when = when;
  HeapOf(*alarm).Push(alarm);
}

void Alarms::Arm(Alarm* alarm, Alarm::Purpose purpose, MonoTime when) {
  Arm(alarm, purpose, false, when.time_since_epoch().count());
}

void Alarms::Arm(Alarm* alarm, Alarm::Purpose purpose, WallTime when) {
  Arm(alarm, purpose, true, when.time_since_epoch().count());
}

void Alarms::Disarm(Alarm* alarm) {
  if (alarm->armed()) HeapOf(*alarm).Remove(static_cast<size_t>(alarm->place));
}

Alarm* Alarms::PopDue(MonoTime mono, WallTime wall) {
  for (auto [heap, now] :
       {std::pair{&mono_, mono.time_since_epoch().count()}, std::pair{&wall_, wall.time_since_epoch().count()}}) {
    if (heap->alarms.empty() || heap->alarms[0]->when > now) continue;
    Alarm* alarm = heap->alarms[0];
    heap->Remove(0);
    return alarm;
  }
  return nullptr;
}

MonoTime Alarms::Next(MonoTime mono, WallTime wall) const {
  MonoTime next = MonoTime::max();
  if (!mono_.alarms.empty()) next = MonoTime(Nanos(mono_.alarms[0]->when));
  if (!wall_.alarms.empty()) {
    Nanos left = std::max(Nanos(wall_.alarms[0]->when) - wall.time_since_epoch(), Nanos(0));
    next = std::min(next, Later(mono, std::min(left, kWallCheck)));
  }
  return next;
}

}  // namespace millrace::dispatch
