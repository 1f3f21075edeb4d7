// What workers say and are told, from messages to values and back. As convert.h.
#pragma once

#include "base/status.h"
#include "dispatch/lease.h"
#include "dispatch/lease_options.h"
#include "millrace/v1/worker_service.pb.h"

namespace millrace::rpc {

// INVALID_ARGUMENT JOB_ID_MALFORMED, and what FromProto says of durations.
Status TakeHello(v1::WorkerHello&& hello, dispatch::WorkerOffer* offer);
// All but the hello, the heartbeat's number and the goodbye.
Status TakeWords(v1::WorkRequest&& request, dispatch::WorkerWords* words);

void Fill(const dispatch::LeaseRef& ref, v1::AttemptRef* out);
void Fill(const dispatch::LeaseOptions& options, v1::WorkerWelcome* out);
void Fill(const dispatch::Lease& lease, v1::Lease* out);
void Fill(const dispatch::LeaseStop& stop, v1::AttemptStop* out);
void Fill(const dispatch::LeaseStop& refused, v1::AttemptError* out);

}  // namespace millrace::rpc
