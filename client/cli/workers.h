// `millrace workers`: the workers in other processes.
#pragma once

#include <string>

#include "client/cli/session.h"

namespace millrace::cli {

// All of them, or those that offer `kind`.
ExitCode ListWorkers(Session& session, const std::string& kind);

// `worker`: an id, or a name that only one has.
enum class WorkerVerb { kGet, kDrain, kResume };
ExitCode ShowWorker(Session& session, WorkerVerb verb, const std::string& worker);

}  // namespace millrace::cli
