// Lease: an attempt that runs in another process. What the dispatcher and such a worker tell each other, as plain
// values; leases.h says what follows from it, and proto/millrace/v1/worker_service.proto how it travels.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "dispatch/attempt.h"
#include "job/job.h"
#include "job/labels.h"
#include "job/lifecycle.h"

namespace millrace::dispatch {

inline constexpr int kLeaseSlotsMax = 10'000;
inline constexpr size_t kOfferedKindsMax = 256;
// A larger payload is left out of its lease, for a worker that reads it apart (WorkerOffer::reads_payloads).
inline constexpr size_t kLeaseInlineBytes = size_t{64} << 10;

// Is there room for so many bytes in memory? Asked without a lock, before they are read from the disk. Empty: there is.
using MayHold = std::function<Status(int64_t bytes)>;

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
  Bytes checkpoint;                  // What an earlier attempt saved; nullptr: nothing.
  int64_t payload_apart = 0;         // Not 0: so many bytes are left out, and read by Leases::ReadPayload.
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

struct KindOffer {
  std::string name;
  int slots = 1;        // What an attempt takes of the worker's slots.
  int at_once_max = 0;  // Attempts of the kind; 0: as many as have slots.
  // An attempt that shows nothing for so long is stopped.
  std::optional<Nanos> beat_within = std::nullopt;
  bool operator==(const KindOffer&) const = default;
};

struct WorkerOffer {
  std::string worker;  // Its name, for people; several may have the same.
  std::string key;     // Names this process of the worker and no other: whoever brings it again takes over.
  std::vector<KindOffer> kinds;
  int slots = 1;  // What runs at once takes no more.
  std::vector<HeldLease> held;
  std::string sdk, build_id;  // For people; build_id is a label as well.
  LabelSet labels;            // What jobs may require.
  bool reads_payloads = false;
};

// What a worker says, all at one time; in this order it is acted upon.
struct WorkerWords {
  struct Shown {
    LeaseRef ref;
    std::optional<Progress> progress;  // Without its time.
    std::string log;
    std::optional<std::string> checkpoint;  // Empty: there is none any more.
  };
  struct Ended {
    LeaseRef ref;
    FinishedAttempt finished;
  };

  std::vector<LeaseRef> accepted;
  std::vector<Shown> shown;
  std::vector<Ended> ended;
  std::vector<LeaseRef> released;  // Given back without a word on the job: they run elsewhere.
  // In all, since it came: it may be given leases that take so many. Never less than before.
  std::optional<int64_t> slots_granted;
  bool draining = false;                      // It takes no more leases from now on.
  std::optional<std::vector<LeaseRef>> held;  // All that it holds.
};

// What it said of attempts that are not its own, or not any more.
struct Unheard {
  std::vector<LeaseRef> refused;
  std::vector<LeaseRef> ended;   // Their ends. It may have told them before (Leases::AckAgain).
  std::vector<LeaseStop> other;  // CHECKPOINT_TOO_LARGE.
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
  std::optional<bool> drained;     // By an operator: it gets no more leases; false: it does again.

  bool empty() const {
    return given.empty() && stopped.empty() && revoked.empty() && unknown.empty() && acked.empty() && !replaced &&
           !drained;
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
