// `millrace jobs`: look at jobs and change their fate, one by one or all that match.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/session.h"

namespace millrace::cli {

// Which jobs. The words are joined by AND with the filter.
struct JobSelection {
  std::string filter;  // ListJobsRequest.filter
  std::string state, pool, kind, band;
  std::vector<std::string> labels;  // NAME=VALUE

  bool empty() const {
    return filter.empty() && state.empty() && pool.empty() && kind.empty() && band.empty() && labels.empty();
  }
};

// The selection in the language of ListJobsRequest.filter. INVALID_ARGUMENT names the option at fault.
Result<std::string> ToFilter(const JobSelection& selection);

struct ListArguments {
  JobSelection selection;
  int64_t limit = 50;  // 0: all.
  bool oldest_first = false;
  bool full = false;  // JSON only: with payload, result and log.
};
ExitCode ListJobs(Session& session, const ListArguments& arguments);

enum class Part { kAll, kLog, kResult };
ExitCode GetJobs(Session& session, const std::vector<std::string>& ids, Part part);

ExitCode WaitJobs(Session& session, const std::vector<std::string>& ids);

// One job until it ends, with its log; or every job of the selection until interrupted.
ExitCode WatchJobs(Session& session, const std::string& id, const JobSelection& selection);

struct ChangeArguments {
  std::vector<std::string> ids;
  JobSelection selection;  // Instead of ids.
  bool yes = false;        // Do not ask before changing a selection.
  bool count_only = false;
  std::string reason;  // cancel only.
};
ExitCode ChangeJobs(Session& session, client::Bulk verb, const ChangeArguments& arguments);

}  // namespace millrace::cli
