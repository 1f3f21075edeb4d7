// Record: a job to bytes and back. FORMAT.md describes every byte.
//
//   Parts      What never changes (the spec and the payload) is written once, when the job is accepted; its state,
//              lease and attempt included, is one record that each step of its life replaces. So a step costs some
//              hundred bytes whatever the payload weighs. A payload that is not small is a record of its own, so that a
//              restart need not read it; a large result is one as well, and is read only by those who ask for it.
//   Trust      A record carries its version and a checksum over itself, its key and its part. What does not check out
//              is refused: bytes that were damaged, or put under another job's key, never become a job.
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

// The version that is written into every record. Older ones are read, newer ones are refused.
inline constexpr uint8_t kRecordVersion = 6;
// A payload up to this size lies in the spec record.
inline constexpr size_t kInlinePayloadBytes = 512;

// 16 bytes that order as ids do.
std::string KeyOf(const JobId& id);
std::optional<JobId> IdOf(std::string_view key);

// ---- The part that never changes
struct SpecPart {
  std::shared_ptr<const JobSpec> spec;
  std::string request_id;
  uint64_t fingerprint = 0;
  WallTime created{};

  bool payload_apart() const { return PayloadOf(*spec).size() > kInlinePayloadBytes; }
};
SpecPart SpecOf(const dispatch::JobRecord& record);
std::string EncodeSpec(const JobId& id, const SpecPart& part);
std::string EncodePayload(const JobId& id, const SpecPart& part);  // payload_apart

// ---- The state, in two steps: PrepareState is quick, and called with the dispatcher's lock held; EncodeState copies
// what may be megabytes, and can do so later.
struct StatePart {
  std::string head;
  Bytes checkpoint;
  Bytes result;
  Bytes log_tail;
};
StatePart PrepareState(const dispatch::JobRecord& record);
std::string EncodeState(const JobId& id, const StatePart& part);

// ---- A result of more than dispatch::kInlineResultBytes, which its state record has the size of only.
std::string EncodeResult(const JobId& id, const Bytes& result);
// `bytes`: the size that the state record says. INTERNAL STORE_DAMAGED.
Result<Bytes> DecodeResult(const JobId& id, std::string record, int64_t bytes);

// All parts. INTERNAL STORE_DAMAGED: these bytes were not written by EncodeSpec, EncodePayload and EncodeState for this
// job. FAILED_PRECONDITION STORE_TOO_NEW: a later version of the daemon wrote them.
struct JobBytes {
  std::string_view spec;
  std::string_view state;
  std::optional<std::string_view> payload;  // nullopt: it is left out, where it is not in the spec record.
};
Result<dispatch::JobRecord> DecodeJob(const JobId& id, const JobBytes& bytes,
                                      dispatch::Journal::Part part = dispatch::Journal::Part::kWhole);

// ---- What retention knows of a job that has ended. Keys order as finish times do.
std::string KeyOfEnded(const dispatch::EndedJob& job);
std::string EncodeEnded(const dispatch::EndedJob& job);
Result<dispatch::EndedJob> DecodeEnded(std::string_view key, std::string_view bytes);

// ---- A request id whose job has ended
std::string EncodeRequest(const dispatch::SpentRequest& request);
Result<dispatch::SpentRequest> DecodeRequest(std::string_view request_id, std::string_view bytes);

}  // namespace millrace::store
