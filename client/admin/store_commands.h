// `millrace admin inspect` and `verify`. The one folder of the client that knows the server's code: it reads a store as
// the daemon does, and prints a job as the daemon would.
#pragma once

#include <string>

#include "client/cli/admin.h"

namespace millrace::admin {

cli::ExitCode InspectStore(cli::Session& session, const cli::InspectArguments& arguments);
cli::ExitCode VerifyStore(cli::Session& session, const std::string& folder);

}  // namespace millrace::admin
