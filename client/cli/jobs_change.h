// `millrace jobs cancel`, `retry` and `delete`: change jobs, one by one or all that match.
#pragma once

#include <string>
#include <vector>

#include "client/cli/selection.h"
#include "client/cli/session.h"

namespace millrace::cli {

struct ChangeArguments {
  std::vector<std::string> ids;
  JobSelection selection;  // Instead of ids.
  bool yes = false;        // Do not ask before changing a selection.
  bool count_only = false;
  std::string reason;  // cancel only.
};
ExitCode ChangeJobs(Session& session, client::Bulk verb, const ChangeArguments& arguments);

}  // namespace millrace::cli
