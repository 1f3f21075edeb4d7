// How long leases last: what the dispatcher expects of workers in other processes (leases.h).
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace millrace::dispatch {

struct LeaseOptions {
  Nanos lease = std::chrono::seconds(30);          // A worker that is silent for so long has lost what it held.
  Nanos accept_within = std::chrono::seconds(5);   // A lease that the worker does not accept in time is taken back.
  Nanos resume_grace = std::chrono::seconds(5);    // So long a worker whose stream broke may come back for its leases.
  Nanos finish_within = std::chrono::seconds(30);  // An attempt that was asked to stop is given up then.
  // Six of them in a lease, so that some may be late or lost: a worker opens a new stream when it hears nothing
  // within two of them of a heartbeat, and has half of the lease for that. One that holds nothing has no lease to keep,
  // and sends a third of them.
  Nanos heartbeat_interval() const { return lease / 6; }
  bool operator==(const LeaseOptions&) const = default;
};

// A lease travels in one message, of which a gRPC client takes 4 MiB.
inline constexpr size_t kLeasePayloadBytesMax = size_t{3} << 20;

}  // namespace millrace::dispatch
