// What workers say and are told, from messages to values and back. As convert.h.
#pragma once

#include <string>

#include "base/status.h"
#include "dispatch/lease.h"
#include "dispatch/lease_options.h"
#include "dispatch/worker_status.h"
#include "millrace/v1/worker_service.pb.h"

namespace millrace::rpc {

// The one version of the protocol there is.
inline constexpr int kProtocol = 1;
// The capabilities of this daemon; see "Skew" in worker_service.proto.
inline constexpr const char kPayloadRefCapability[] = "payload_ref";
inline constexpr const char kCheckpointCapability[] = "checkpoint";
// It knows slots, at_once_max and beat_within of KindOffer.
inline constexpr const char kCostsCapability[] = "costs";

// As far as a worker knows them.
AttemptTimings TimingsOf(const v1::AttemptTimings& timings);
// INVALID_ARGUMENT JOB_ID_MALFORMED.
Result<dispatch::LeaseRef> TakeRef(const v1::AttemptRef& ref, const std::string& field);
// As TakeRef; FAILED_PRECONDITION PROTOCOL_UNSUPPORTED. What a worker may offer is dispatch's to judge.
Status TakeHello(v1::WorkerHello&& hello, dispatch::WorkerOffer* offer);
// All but the hello, the heartbeat's number and the goodbye. As TakeRef; INVALID_ARGUMENT TOO_MANY_WORDS.
Status TakeWords(v1::WorkRequest&& request, dispatch::WorkerWords* words);

void Fill(const dispatch::LeaseRef& ref, v1::AttemptRef* out);
void Fill(const dispatch::LeaseOptions& options, v1::WorkerWelcome* out);
void Fill(const dispatch::Lease& lease, v1::Lease* out);
void Fill(const dispatch::LeaseStop& stop, v1::AttemptStop* out);
void Fill(const dispatch::LeaseStop& refused, v1::AttemptError* out);
void Fill(const dispatch::WorkerStatus& worker, v1::Worker* out);

}  // namespace millrace::rpc
