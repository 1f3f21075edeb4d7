// Wire messages to job values and back. Only rpc/ and client/ see proto messages; everything below sees plain values.
//
//   Errors    What only the wire can get wrong (an unknown enum value, a malformed id, a time that no value of ours can
//             hold) is refused here with INVALID_ARGUMENT that names the field and the fix. What a job may ask for is
//             job/validate's.
//   Moves     Take... functions move strings and bytes out of the message, which is then only good for Clear.
//   Threads   Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "dispatch/dispatcher.h"
#include "job/job.h"
#include "job/validate.h"
#include "millrace/v1/job_service.pb.h"
#include "millrace/v1/pool_service.pb.h"
#include "rpc/view.h"

namespace millrace::rpc {

// ---- Requests
// Overwrites all of `item`, so that one item serves many requests.
Status TakeSubmit(v1::SubmitJobRequest&& request, dispatch::Submission::Item* item);
Result<dispatch::OnFull> FromProto(v1::OnFull on_full);
Result<JobId> ParseJobId(const std::string& text, std::string field);
// `otherwise`: what an unspecified view means for this method.
Result<View> ViewOf(v1::JobView view, View otherwise);
// `least` and `most`: the limits of the field, as in job/validate.h.
Result<Nanos> FromProto(const google::protobuf::Duration& duration, const std::string& field, Nanos most = kDelayMax,
                        Nanos least = Nanos(0));
// A time before 1970 becomes 1970: it only matters that it is long ago.
Result<WallTime> FromProto(const google::protobuf::Timestamp& time, std::string field);
// REASON_TOO_LONG when it is longer than what is kept as a job's error.
Status CheckReason(const std::string& reason);
// The field "spec.kind" inside "requests[3]." is "requests[3].spec.kind".
Status InField(std::string_view prefix, Status status);

// ---- Answers
// The text with '?' for bytes that are not UTF-8: a handler may have written anything into an error, and a client
// refuses a whole message for one such string.
std::string Utf8(const std::string& text);
v1::JobState ToProto(JobState state);
v1::Durability ToProto(Durability durability);
std::string WordFor(Durability durability);  // "fsync": the proto's name without its prefix, in lower case.
void Fill(WallTime time, google::protobuf::Timestamp* out);
void Fill(Nanos duration, google::protobuf::Duration* out);
void Fill(const dispatch::SubmitAck& ack, Durability durability, v1::SubmitJobResponse* out);
void Fill(const Progress& progress, v1::Progress* out);
void Fill(const JobSnapshot& job, View view, v1::Job* out);
void Fill(const dispatch::PoolStatus& pool, v1::Pool* out);

}  // namespace millrace::rpc
