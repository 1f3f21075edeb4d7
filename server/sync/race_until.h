// RaceUntil: an Until that takes part in a race (wake_race.h), for what waits in a queue of its own.
//
//   WakeRace race(rt::CurrentFiber());
//   RaceUntil limit(race, until);      // Before a lock is taken: it takes others.
//   ... publish the race, race.Park(...)
//   if (limit.Stop()) ... gave up: take the race back from those who would have woken it
#pragma once

#include "sync/until.h"
#include "sync/wake_race.h"

namespace millrace::sync::internal {

class RaceUntil {
 public:
  RaceUntil(WakeRace& race, const Until& until) : timer_(race), on_cancel_(until.cancel, Claims{this, &race}) {
    if (until.deadline != MonoTime::max()) timer_.Start(until.deadline);
  }

  // Before the frame is left; once. True: the Until was over first.
  bool Stop() {
    bool late = timer_.Stop();
    on_cancel_.Stop();
    return late || cancelled_;
  }
  // After Stop: by its token.
  bool cancelled() const { return cancelled_; }

 private:
  // Stop waits for one that is still running, so it may look at us after it has readied the other.
  struct Claims {
    RaceUntil* self;
    WakeRace* race;
    void operator()(const Status&) const {
      rt::SleeperHandle sleeper = race->handle();
      WakeRace::Outcome outcome = race->Claim();
      if (outcome == WakeRace::Outcome::kLost) return;
      self->cancelled_ = true;
      if (outcome == WakeRace::Outcome::kParked) rt::Ready(sleeper);
    }
  };

  bool cancelled_ = false;
  RaceTimer timer_;
  CancelCallback<Claims> on_cancel_;
};

}  // namespace millrace::sync::internal
