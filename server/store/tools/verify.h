// Whether a stopped store is sound: `millrace admin verify`. Every checksum of every file, every record, every key and
// what belongs together (FORMAT.md; of a store of format 1 what held there). Damage is what it looks for, so whatever
// the bytes are, it ends with a report. The memory it takes does not grow with the store.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::store {

enum class Problem : uint8_t {
  kFile,        // RocksDB cannot read it, or its checksum differs.
  kKey,         // Not the key of a job.
  kRecord,      // It is not what was written under this key.
  kNoState,     // A spec without a state.
  kNoSpec,      // A state, a payload or a result without a spec.
  kNoPayload,   // The spec says that it has a record of its own, and there is none.
  kNoResult,    // The same of a state and its large result.
  kNoEnded,     // A job that ended, of which retention does not know.
  kNoRequest,   // A job that ended, whose request id is not remembered.
  kNoJob,       // What retention knows, or a request id, of a job that is not there or did not end so.
  kTwoStates,   // Among the live and among the finished.
  kWrongShelf,  // A state that ended among the live, or one that did not among the finished.
  kMismatch,    // Two records of a job that contradict each other.
};
inline constexpr size_t kProblems = 13;
const char* ToString(Problem problem);  // "record"

struct Finding {
  Problem problem;
  std::string shelf;  // Empty: of a file. "spec+live": the two do not make a job, or contradict each other.
  std::string key;    // A job id, a request id, or the bytes in hexadecimal.
  std::string what;
};

struct VerifyReport {
  std::string folder;
  int64_t jobs = 0, records = 0, spent_request_ids = 0;  // Read, whatever is wrong with them.
  uint64_t files = 0;
  std::array<int64_t, kProblems> problems{};
  std::vector<Finding> first;
  // A file could not be read to its end, so what it holds was not all looked at.
  bool cut_short = false;

  int64_t problem_count() const;
};

// `folder` as in StoreReader::Open, and so are the errors, but for STORE_DAMAGED, which is a report.
Result<VerifyReport> Verify(const std::string& folder, size_t findings_max);

}  // namespace millrace::store
