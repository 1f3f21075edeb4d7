// The commands of `millrace`, and how each joins the command line: its words, its help, its options, what it runs.
//
// To add a command: write what it does with its arguments as ExitCode F(Session&, const Arguments&) in a file of its own, add its
// words and options to the AddX of its group, and for a new group a line to command_line.cc. The files that include CLI11 are
// command_line.cc and the *_commands.cc.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "client/cli/admin.h"
#include "client/cli/exit_code.h"
#include "client/cli/session.h"

namespace CLI {
class App;
}

namespace millrace::cli {

class Menu {
 public:
  using Run = std::function<ExitCode(Session&)>;

  explicit Menu(CLI::App& app) : app_(app) {}
  Menu(const Menu&) = delete;
  Menu& operator=(const Menu&) = delete;

  // A word that does nothing without one of its own commands behind it: `jobs`.
  CLI::App* AddGroup(const char* name, const char* about);
  // A command of the group, or with nullptr of the top. When it is on the command line, `run` is what runs.
  CLI::App* Add(CLI::App* group, const char* name, const char* about, Run run);

  // What the options of a command are parsed into, at their defaults. It lives as long as the menu.
  template <typename Arguments>
  Arguments& Keep() {
    auto arguments = std::make_shared<Arguments>();
    kept_.push_back(arguments);
    return *arguments;
  }

  // Of the command that was on the command line.
  const Run& chosen() const { return chosen_; }

 private:
  CLI::App& app_;
  std::vector<std::shared_ptr<void>> kept_;
  Run chosen_;
};

void AddSubmitCommands(Menu& menu);  // submit, run
void AddJobsCommands(Menu& menu);
void AddPoolsCommands(Menu& menu);
void AddAdminCommands(Menu& menu, const StoreCommands& store);  // `store` outlives the menu.
void AddBenchCommand(Menu& menu);

}  // namespace millrace::cli
