// JobReport: a line on stdout for each submitted job, for people or for programs, and the sum of all.
//
//   JSON      index, file, id, state, existing, durability; when finished also attempts, seconds (from accepted to
//             finished), resultText or resultBase64, error. A job that was not accepted has state REJECTED, reason and
//             error.
//   Threads   Any; a short lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/status.h"
#include "client/cli/exit_code.h"
#include "client/cli/progress.h"
#include "millrace/v1/job_service.pb.h"

namespace millrace::cli {

struct SubmittedJob {
  std::string file;  // Empty: its input is no file.
  v1::SubmitJobResponse answer;
};

class JobReport {
 public:
  // `waits`: Accepted prints nothing, since Finished follows. `progress` outlives the report.
  JobReport(bool json, bool waits, ProgressBar& progress) : json_(json), waits_(waits), progress_(progress) {}

  void Accepted(size_t index, const SubmittedJob& item);
  void Refused(size_t index, const std::string& file, const Status& status);
  void Finished(size_t index, const SubmittedJob& item, const Result<v1::Job>& job);

  void Fail(ExitCode code);
  ExitCode exit_code() const;
  std::string Summary() const;  // "200 jobs: FAILED 2, SUCCEEDED 198"

 private:
  void Count(const std::string& what, ExitCode code);

  const bool json_;
  const bool waits_;
  ProgressBar& progress_;
  mutable std::mutex mutex_;
  ExitCode exit_ = ExitCode::kOk;
  std::map<std::string, int64_t> counts_;
};

}  // namespace millrace::cli
