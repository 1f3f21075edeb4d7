// Many jobs in one command: over one stream, with a progress bar, followed to their ends when asked.
#pragma once

#include <string>
#include <vector>

#include "client/cli/session.h"
#include "client/cli/submit_request.h"

namespace millrace::cli {

// A job for each file when there are several, else `arguments.count` times the same job. A job that is refused is reported and the
// others go on, unless every other one would be refused as well: an unknown kind or pool, a daemon that is gone.
ExitCode SubmitMany(Session& session, const SubmitArguments& arguments, const v1::SubmitJobRequest& request,
                    const std::vector<std::string>& files);

}  // namespace millrace::cli
