// Submits many jobs in one command: over one stream, with a progress bar; waits for their ends where that is asked for.
#pragma once

#include <string>
#include <vector>

#include "client/cli/session.h"
#include "client/cli/submit_request.h"

namespace millrace::cli {

// A job for each file where there are several, else `arguments.count` times the same job. When a job is refused, that
// is reported and the others go on, unless all others would be refused for the same reason: an unknown kind or pool, a
// daemon that is gone.
ExitCode SubmitMany(Session& session, const SubmitArguments& arguments, const v1::SubmitJobRequest& request,
                    const std::vector<std::string>& files);

}  // namespace millrace::cli
