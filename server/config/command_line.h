// What the daemon is told besides its file: MILLRACE_* variables, then flags.
//
// Both set keys of the file, by one table (command_line.cc); a flag wins over a variable, which wins over the file.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/node.h"

namespace millrace::config {

struct Override {
  std::string section;  // "server"
  std::string key;      // "grpc_address"
  Node value;
};

struct CommandLine {
  enum class Action { kRun, kCheckConfig, kPrintConfig, kCheckHealth };

  Action action = Action::kRun;
  std::string config_file;            // Empty: none, every setting has a default.
  std::vector<Override> overrides;    // In the order of effect.
  std::vector<std::string> warnings;  // Variables that look misspelt.
};

// Print the text (to stdout when the code is 0, else to stderr) and exit.
struct EarlyExit {
  int code = 0;
  std::string text;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

// The variables of this process that begin with MILLRACE_.
Environment ReadEnvironment();

// `arguments` without the program's name.
std::variant<CommandLine, EarlyExit> ParseCommandLine(const std::vector<std::string>& arguments,
                                                      const Environment& environment);

inline constexpr int kExitUsage = 2;  // Wrong flags or configuration; nothing was started.

}  // namespace millrace::config
