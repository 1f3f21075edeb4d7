// Lease: an attempt that runs in another process. What the dispatcher and such a worker tell each other, as plain
// values; leases.h says what follows from it, and proto/millrace/v1/worker_service.proto how it travels.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "dispatch/attempt.h"
#include "job/job.h"
#include "job/lifecycle.h"

namespace millrace::dispatch {

inline constexpr int kLeaseSlotsMax = 10'000;
inline constexpr size_t kOfferedKindsMax = 256;

// Names one attempt, wherever somebody speaks of it. The token is the attempt's, and never changes during it.
struct LeaseRef {
  JobId job;
  Claim claim;
  bool operator==(const LeaseRef&) const = default;
};

struct Lease {
  LeaseRef ref;
  std::shared_ptr<const JobSpec> spec;
  std::optional<Nanos> run_timeout;  // By the job or its kind.
  int losses = 0;                    // Attempts of the job that were lost.
};

// An attempt that is to stop, or that the worker does not hold any more; and why.
struct LeaseStop {
  LeaseRef ref;
  Status why;
};

// What a worker brings along when it comes, or comes back.
struct HeldLease {
  LeaseRef ref;
  bool finished = false;  // Its end was told, and never acknowledged; it is told again.
};

struct WorkerOffer {
  std::string worker;  // Its name, for people; several may have the same.
  std::string key;     // Of this process of the worker and of no other: whoever brings it again takes over.
  std::vector<std::string> kinds;
  int slots = 1;  // Attempts at once.
  std::vector<HeldLease> held;
};

// What a worker says, all at one time; in this order it is acted upon.
struct WorkerWords {
  struct Shown {
    LeaseRef ref;
    std::optional<Progress> progress;  // Without its time.
    std::string log;
  };
  struct Ended {
    LeaseRef ref;
    FinishedAttempt finished;
  };

  std::vector<LeaseRef> accepted;
  std::vector<Shown> shown;
  std::vector<Ended> ended;
  std::vector<LeaseRef> released;  // Given back without a word on the job: they run elsewhere.
  std::optional<int64_t>
      slots_granted;      // In all, since it came: it may be given so many leases. Never less than before.
  bool draining = false;  // It takes no more leases from now on.
  std::optional<std::vector<LeaseRef>> held;  // All that it holds.
};

// What it said of attempts that are not its own, or not any more.
struct Unheard {
  std::vector<LeaseRef> refused;
  std::vector<LeaseRef> ended;  // Their ends. It may have told them before (Leases::AckAgain).
};
// FAILED_PRECONDITION LEASE_LOST.
Status LeaseLost(const LeaseRef& ref);

// What there is to tell a worker.
struct WorkerNews {
  std::vector<Lease> given;
  std::vector<LeaseStop> stopped;  // They should stop, and tell their end.
  std::vector<LeaseStop> revoked;  // They are not the worker's any more. What they return is not wanted.
  std::vector<LeaseRef> unknown;   // The same, of what it said that it holds.
  std::vector<LeaseRef> acked;     // Their end is committed.
  bool replaced = false;           // Another stream of the same worker took over. There will be no more news.

  bool empty() const {
    return given.empty() && stopped.empty() && revoked.empty() && unknown.empty() && acked.empty() && !replaced;
  }
};

// Where a worker is told that there is news.
class WorkerDoor {
 public:
  virtual ~WorkerDoor() = default;
  // Without a lock, on any thread or fiber; also for news that was taken meanwhile. It does not wait.
  virtual void OnNews() = 0;
};

}  // namespace millrace::dispatch
