// Record: a job to bytes and back. FORMAT.md describes every byte.
//
//   Two parts  What never changes (the spec, the payload with it) is written once, when the job is accepted; its state, lease and
//              attempt included, is one record that each step of its life replaces. So a step costs some hundred bytes whatever
//              the payload weighs.
//   Trust      A record carries its version and a checksum over itself, its key and its part. What does not check out is
//              refused: bytes that were damaged, or put under another job's key, never become a job.
//   Threads    Pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "dispatch/journal.h"
#include "job/job.h"

namespace millrace::store {

// Of every record. An older one is read, a newer one refused.
inline constexpr uint8_t kRecordVersion = 2;

// 16 bytes that order as ids do.
std::string KeyOf(const JobId& id);
std::optional<JobId> IdOf(std::string_view key);

// ---- The part that never changes
struct SpecPart {
  std::shared_ptr<const JobSpec> spec;
  std::string request_id;
  WallTime created{};
};
std::string EncodeSpec(const JobId& id, const SpecPart& part);

// ---- The state, in two steps: PrepareState is quick, and called with the dispatcher's lock held; EncodeState copies what may be
// megabytes, and can do so later.
struct StatePart {
  std::string head;
  Bytes result;
  Bytes log_tail;
};
StatePart PrepareState(const dispatch::JobRecord& record);
std::string EncodeState(const JobId& id, const StatePart& part);

// Both parts. INTERNAL STORE_DAMAGED: these bytes were not written by EncodeSpec and EncodeState for this job.
// FAILED_PRECONDITION STORE_TOO_NEW: a later version of the daemon wrote them.
Result<dispatch::JobRecord> DecodeJob(const JobId& id, std::string_view spec, std::string_view state);

// ---- A request id whose job is forgotten already
std::string EncodeRequest(const dispatch::SpentRequest& request);
Result<dispatch::SpentRequest> DecodeRequest(std::string_view request_id, std::string_view bytes);

}  // namespace millrace::store
