// `millrace run`.
#pragma once

#include "client/cli/session.h"
#include "client/cli/submit_request.h"

namespace millrace::cli {

// Submits one job, shows its log on stderr as it is written and its result on stdout. The exit code is the outcome.
ExitCode RunRun(Session& session, const SubmitArguments& arguments);

}  // namespace millrace::cli
