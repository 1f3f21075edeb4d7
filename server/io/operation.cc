#include "io/operation.h"

namespace millrace::io::internal {

using Outcome = sync::internal::WakeRace::Outcome;

bool Operation::Wait(const Until& until, rt::WaitReason reason) {
  sync::internal::RaceTimer timer(race_);
  if (until.deadline != MonoTime::max()) timer.Start(until.deadline);
  {
    // Its destructor waits for a callback that is still running, so the callback may look at the race after it has readied us.
    sync::CancelCallback on_cancel(until.cancel, [this](const Status&) {
      Outcome outcome = race_.Claim();
      if (outcome == Outcome::kLost) return;
      cancelled_ = true;
      if (outcome == Outcome::kParked) rt::Ready(race_.fiber());
    });
    race_.Park(reason);
  }
  return !timer.Stop() && !cancelled_;
}

void Operation::Complete() {
  poller_.EndWatching();
  poller_.CountCompleted();
  // As soon as the race is claimed the fiber may go on.
  rt::Fiber* fiber = race_.fiber();
  switch (race_.Claim()) {
    case Outcome::kParked:
      rt::Ready(fiber);
      break;
    case Outcome::kEarly:
      break;
    case Outcome::kLost:
      ended_.Wake();
      break;
  }
}

void Operation::CancelAndAwaitEnd(rt::WaitReason reason) {
  rt::Parker emitted;
  asio::post(poller_.context(), [this, &emitted] {
    signal_.emit(asio::cancellation_type::all);
    poller_.NoteNews();
    emitted.Wake();
  });
  AwaitEnd(reason);
  emitted.Wait(reason);
}

}  // namespace millrace::io::internal
