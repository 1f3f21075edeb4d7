// `millrace submit`.
#pragma once

#include "client/cli/session.h"
#include "client/cli/submit_request.h"

namespace millrace::cli {

// One job, or many over one stream. Prints ids, or with --wait a line for each finished job (job_report.h).
ExitCode RunSubmit(Session& session, const SubmitArguments& arguments);

}  // namespace millrace::cli
