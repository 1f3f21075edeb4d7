// Which jobs a command is about, as the options --filter, --state, --pool and so on say it.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::cli {

// The words are joined by AND with the filter.
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

}  // namespace millrace::cli
