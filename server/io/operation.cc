#include "io/operation.h"

#include "runtime/sanitizers.h"

#include "sync/race_until.h"

namespace millrace::io::internal {

using Outcome = sync::internal::WakeRace::Outcome;

bool Operation::Wait(const Until& until, rt::WaitReason reason) {
  sync::internal::RaceUntil limit(race_, until);
  race_.Park(reason);
  bool over = limit.Stop();
  cancelled_ = limit.cancelled();
  return !over;
}

void Operation::Complete() {
  rt::sanitizers::Publish(&race_);  // Descriptors that were opened here, say.
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
  {
    rt::sanitizers::IgnoreScope ignore;
    asio::post(poller_.context(), [this, &emitted] {
      signal_.emit(asio::cancellation_type::all);
      poller_.NoteNews();
      emitted.Wake();
    });
  }
  AwaitEnd(reason);
  emitted.Wait(reason);
}

}  // namespace millrace::io::internal
