// What is remembered of jobs: JobRecord, the whole of one; EndedJob and SpentRequest, what the dispatcher keeps of
// those that have ended. Plain values, written by dispatch and kept by a journal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "job/job.h"
#include "job/lifecycle.h"

namespace millrace::dispatch {

// A job as it is remembered.
struct JobRecord {
  JobId id;
  std::shared_ptr<const JobSpec> spec;  // `pool` filled in.
  int64_t payload_bytes = 0;            // Also where `spec` was read without its payload.
  std::string request_id;               // Empty: none.
  uint64_t fingerprint = 0;             // The spec's, if there is a request id.
  Lifecycle life;                       // State, and the newest attempt with its token.
  WallTime created{};
  std::optional<WallTime> due;       // SCHEDULED: when. Wall time, as the monotonic clock does not survive a restart.
  std::optional<WallTime> finished;  // Terminal states.
  int attempts = 0;                  // That count against max_attempts, a running one included.
  int losses = 0;
  bool cancel_requested = false;
  bool deadline_waived = false;  // Retried after its deadline, the job has none any more.
  std::vector<Attempt> history;  // The newest kAttemptsKept.
  int64_t result_bytes = 0;      // Also where it was read without its result.
  Bytes result;
  Bytes checkpoint;  // What an attempt saved for the next one. A job that SUCCEEDED has none.
  std::string error;
  // Progress and log of the whole job, written down when it ends or is evicted while it waits; else they are in memory
  // only.
  std::optional<Progress> progress;
  Bytes log_tail;
  int64_t log_bytes = 0;
};

// A job that runs in another process holds no large payload: whoever needs it reads it from the journal.
inline bool PayloadLeftOut(const JobRecord& record) {
  return static_cast<int64_t>(PayloadOf(*record.spec).size()) != record.payload_bytes;
}

// A larger result is kept apart from the record, and read by Journal::ReadResult. Journal::Read may leave it out, and
// every JobSnapshot does. The store's format knows this number.
inline constexpr int64_t kInlineResultBytes = int64_t{1} << 20;
static_assert(kResultBytesMax == kInlineResultBytes);
inline void SetResult(Bytes result, JobRecord* record) {
  record->result_bytes = result ? static_cast<int64_t>(result->size()) : 0;
  record->result = std::move(result);
}
inline bool ResultApart(const JobRecord& record) { return record.result_bytes > kInlineResultBytes; }

// What retention has to know of a job that has ended.
struct EndedJob {
  JobId id;
  JobState state = JobState::kSucceeded;
  WallTime finished{};
  int64_t bytes = 0;  // Payload, result and log.
  bool operator==(const EndedJob&) const = default;
};
EndedJob EndedOf(const JobRecord& record);

// A request id of a job that has ended: it outlives the job for a while, so that a late repeat does not become a second
// job.
struct SpentRequest {
  std::string request_id;
  JobId job;
  // The spec's. nullopt: noted by an older daemon, whose fingerprints say nothing to others.
  std::optional<uint64_t> fingerprint;
  JobState final_state = JobState::kSucceeded;
  std::optional<WallTime> until;  // nullopt: the job is remembered still.
  bool operator==(const SpentRequest&) const = default;
};

// The copy for those who look. `full`: with payload, result, history and log.
JobSnapshot SnapshotOf(const JobRecord& record, bool full);

}  // namespace millrace::dispatch
