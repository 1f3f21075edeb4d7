// `millrace jobs explain`: why a job waits, or what became of it, in sentences.
#pragma once

#include <string>

#include "client/cli/session.h"
#include "client/cli/units.h"

namespace millrace::cli {

// Lines for people. With --json what the daemon says: the Waiting of a job that waits, else the job without its
// payload.
ExitCode ExplainJob(Session& session, const std::string& id);

std::string Explanation(const v1::Job& job, WallNanos now);

}  // namespace millrace::cli
