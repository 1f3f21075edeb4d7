// `millrace admin`: care of the daemon and of its store.
#pragma once

#include <functional>
#include <string>

#include "client/cli/session.h"

namespace millrace::cli {

// Has the daemon make a copy of its store. As long as it takes, unless --timeout says otherwise; the daemon goes on
// when we do not.
ExitCode Backup(Session& session, const std::string& folder);

// ---- Of a store that no daemon has open, without one.

struct InspectArguments {
  std::string folder;
  std::string job;  // Only this one; empty: the whole.
};

// What does these commands. They need RocksDB, and no other command should have to load it: so `millrace` hands them
// over to the program millrace-admin (client/admin), which understands the same command line and has them.
struct StoreCommands {
  std::function<ExitCode(Session&, const InspectArguments&)> inspect;
  std::function<ExitCode(Session&, const std::string& folder)> verify;  // kDamaged: something is wrong with it.
};

// Those of `millrace`: the program beside this one goes on with the same arguments. Returns only when it is not there.
StoreCommands InProgramBeside(char** argv);

}  // namespace millrace::cli
