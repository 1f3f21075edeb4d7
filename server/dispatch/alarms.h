// Alarms: what is to be done at a time: a job becomes ready, an attempt has run too long, a deadline passes, what has
// ended is forgotten.
//
// Two heaps (heap.h), as two clocks: delays, backoff and run_timeout follow the monotonic clock, which no one can set;
// run_at and deadline follow the wall clock, which is what people meant. An alarm knows its place, so taking it back is
// O(log n).
//   Anybody   Whatever else has something to do at a time derives from OwnAlarm and says there what it is. Alarms of
//             jobs say it by their purpose, and their job is found by it (JobEntry::Of): a million may be armed, so
//             they are 16 bytes.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "dispatch/heap.h"
#include "dispatch/in_turn.h"

namespace millrace::dispatch {

class Turn;

// Lives in whatever it belongs to. Armed: in exactly one heap.
struct Alarm {
  enum class Purpose : uint8_t { kDue, kReadAgain, kRunTimeout, kDeadline, kOwn };

  int64_t when = 0;    // Nanoseconds of its clock.
  int32_t place = -1;  // In its heap; -1: not armed.
  Purpose purpose = Purpose::kOwn;
  bool on_wall_clock = false;

  bool armed() const { return place >= 0; }
};
static_assert(sizeof(Alarm) <= 16);

class OwnAlarm : public Alarm {
 public:
  // In a Turn, disarmed. One short step, as others wait for the lock: where there is more to do, it sets itself again.
  virtual void OnDue(Turn& turn) MR_IN_TURN = 0;

 protected:
  ~OwnAlarm() = default;
};

class Alarms {
 public:
  // While an alarm on the wall clock is armed, it is looked at this often: somebody may set the clock.
  static constexpr Nanos kWallCheck = std::chrono::seconds(1);

  void Arm(Alarm* alarm, Alarm::Purpose purpose, MonoTime when);
  void Arm(Alarm* alarm, Alarm::Purpose purpose, WallTime when);
  void Disarm(Alarm* alarm);  // Also of one that is not armed.

  // The next alarm that is due, disarmed; nullptr: none is.
  Alarm* PopDue(MonoTime mono, WallTime wall);

  // When to look again; MonoTime::max(): not before something is armed.
  MonoTime Next(MonoTime mono, WallTime wall) const;

  size_t size() const { return mono_.size() + wall_.size(); }

 private:
  struct Earlier {
    bool operator()(const Alarm& a, const Alarm& b) const { return a.when < b.when; }
  };
  using Times = Heap<Alarm, Earlier>;

  void Arm(Alarm* alarm, Alarm::Purpose purpose, bool on_wall_clock, int64_t when);
  Times& HeapOf(const Alarm& alarm) { return alarm.on_wall_clock ? wall_ : mono_; }

  Times mono_, wall_;
};

}  // namespace millrace::dispatch
