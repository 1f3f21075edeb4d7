// `millrace jobs list`, `get`, `wait` and `watch`: look at jobs. The commands that change jobs are in jobs_change.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/selection.h"
#include "client/cli/session.h"

namespace millrace::cli {

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

}  // namespace millrace::cli
