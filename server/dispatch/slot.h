// Slot: the right to run one attempt of a pool's jobs, apart from whoever uses it. A Worker is the slot of a fiber, a
// LeaseSlot that of a worker in another process.
//
//   Given     An idle slot stands on its pool's stack. Whoever finds it there gives it a job, or one to read first, and
//             wakes it once the start of the attempt is committed.
//   Used      Whoever uses the slot runs the attempt and tells its end with Core::Finish, by job and claim. An attempt
//             that was given up meanwhile is answered LEASE_LOST, and changes nothing.
//   Threads   The fields are guarded by the dispatcher's lock. Nobody else changes them while the slot neither waits
//             nor is idle.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "dispatch/attempt.h"
#include "dispatch/job_entry.h"

namespace millrace::dispatch {

class Slot {
 public:
  Slot(Core& core, Pool& home, std::string slot_name) : pool(home), name(std::move(slot_name)), attempt(core, *this) {}
  virtual ~Slot() = default;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  // What the slot waits for is there: a job whose start is committed, one to read, or the end. Without the lock, once
  // for each Turn that cleared `waits`; the slot may be gone after that.
  virtual void Wake() = 0;

  Pool& pool;
  std::string name;  // "default/3", or the name of a worker in another process.

  JobEntry* job = nullptr;      // Its attempt's; given by whoever found this slot idle, or taken by itself.
  std::optional<ColdJob> cold;  // Set aside for this slot, to be read and started.
  bool idle = false;            // On the pool's stack of idle slots.
  bool waits = false;           // Whoever uses it has nothing to do until it is woken.
  bool quit = false;            // No more jobs.
  bool leased = false;          // A LeaseSlot.
  bool awaits_start = false;    // The handler may not run before the journal has committed that it does.
  Slot* next_idle = nullptr;
  Slot* next_woken = nullptr;  // In the Turn that wakes it.
  RunningAttempt attempt;
};

}  // namespace millrace::dispatch
