// Timer and Ticker: times that arrive on a channel, so that they can be cases of a Select. Go's time.Timer and
// time.Ticker, as they are since Go 1.23: no receive gives a time from before a Stop or Reset that has returned.
//
//   Timer timeout(5s);
//   Select(Receive(answers, ...), Receive(timeout.channel(), [&] { ... }));
//   timeout.Reset(5s);
//
//   Ticker ticker(1s);
//   for (MonoTime now : ticker.channel()) { if (Done()) break; ... }     // the channel is never closed
//
//   Late      The channel keeps one time. A ticker drops what nobody has received by the next one.
//   Limits    A duration of zero or less is due at once; the greatest one never comes. A ticker's period is more than
//             zero, else fatal.
//   Callers   Made and reset on fibers. Stop, and receiving: any thread. Several may call at once.
//   Lifetime  The destructor stops it. Nobody waits on its channel by then. It must not outlive the runtime.
#pragma once

#include "base/clock.h"
#include "runtime/timer.h"
#include "sync/channel.h"
#include "sync/mutex.h"

namespace millrace::sync {

namespace internal {

// A timer of the runtime that sends the time to a channel.
class TimeSource : private rt::Timer {
 public:
  TimeSource() = default;
  ~TimeSource() { Stop(); }

  ChannelRef<MonoTime> channel() { return channel_; }
  bool Stop();
  // In `duration` and, unless that is zero, every `period` from then on.
  bool Reset(Nanos duration, Nanos period);

 private:
  static void Fire(rt::Timer* timer);
  bool StopLocked();

  Mutex mutex_;  // Several may stop and reset it at once.
  Channel<MonoTime> channel_{1};
};

}  // namespace internal

class Timer {
 public:
  explicit Timer(AnyDuration duration) { source_.Reset(duration, Nanos(0)); }

  // To receive from; carries the time at which it was due, or a little later.
  ChannelRef<MonoTime> channel() { return source_.channel(); }

  // True: nobody has received its time, nor will. False: somebody has, or it was stopped before.
  bool Stop() { return source_.Stop(); }
  // Starts it anew. Returns what Stop would have.
  bool Reset(AnyDuration duration) { return source_.Reset(duration, Nanos(0)); }

 private:
  internal::TimeSource source_;
};

class Ticker {
 public:
  explicit Ticker(AnyDuration period) { Reset(period); }

  ChannelRef<MonoTime> channel() { return source_.channel(); }

  // No more ticks, also not one that waits in the channel. Whoever waits for one goes on waiting.
  void Stop() { source_.Stop(); }
  // The next tick comes after `period`.
  void Reset(AnyDuration period);

 private:
  internal::TimeSource source_;
};

}  // namespace millrace::sync
