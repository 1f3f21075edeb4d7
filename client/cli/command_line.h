// The command line of `millrace`. What each command is called and takes is in the files that commands.h names.
#pragma once

#include "client/cli/admin.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"

namespace millrace::cli {

// Parses and runs one command. `store`: what reads a stopped store.
ExitCode RunCommandLine(int argc, char** argv, Interrupt& interrupt, const StoreCommands& store);

}  // namespace millrace::cli
