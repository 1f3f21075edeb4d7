// Alarms: when a job that waits for its time becomes ready, when an attempt has run too long, when a deadline passes.
//
// Two 4-ary heaps, as two clocks: delays, backoff and run_timeout follow the monotonic clock, which no one can set; run_at and
// deadline follow the wall clock, which is what people meant. An alarm knows its place, so taking it back is O(log n).
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace millrace::dispatch {

struct JobEntry;

// Lives in its job. Armed: in exactly one heap.
struct Alarm {
  enum class Purpose : uint8_t { kDue, kReadAgain, kRunTimeout, kDeadline };

  JobEntry* job = nullptr;
  Purpose purpose = Purpose::kDue;
  bool on_wall_clock = false;
  int32_t place = -1;  // In its heap; -1: not armed.
  int64_t when = 0;    // Nanoseconds of its clock.

  bool armed() const { return place >= 0; }
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

  size_t size() const { return mono_.alarms.size() + wall_.alarms.size(); }

 private:
  struct Heap {
    std::vector<Alarm*> alarms;
    void Push(Alarm* alarm);
    void Remove(size_t place);
    void SiftUp(size_t place, Alarm* alarm);
    void SiftDown(size_t place, Alarm* alarm);
  };
  void Arm(Alarm* alarm, Alarm::Purpose purpose, bool on_wall_clock, int64_t when);
  Heap& HeapOf(const Alarm& alarm) { return alarm.on_wall_clock ? wall_ : mono_; }

  Heap mono_, wall_;
};

}  // namespace millrace::dispatch
