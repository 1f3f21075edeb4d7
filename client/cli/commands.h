// The commands of `millrace`, and how each joins the command line: its words, its help, its options, what it runs.
//
// README.md says how to add one. CLI11 is included in command_line.cc and in the files of the Add functions below.
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

  // A word that needs one of its own commands behind it: `jobs`.
  CLI::App* AddGroup(const char* name, const char* about);
  // A command of the group; with nullptr one of the top. Where it is on the command line, `run` is what runs.
  CLI::App* Add(CLI::App* group, const char* name, const char* about, Run run);

  // The arguments of a command at their defaults, for its options to be parsed into. They live as long as the menu.
  template <typename Arguments>
  Arguments& Keep() {
    auto arguments = std::make_shared<Arguments>();
    kept_.push_back(arguments);
    return *arguments;
  }

  // What the command on the command line runs.
  const Run& chosen() const { return chosen_; }

 private:
  CLI::App& app_;
  std::vector<std::shared_ptr<void>> kept_;
  Run chosen_;
};

void AddSubmitCommands(Menu& menu);  // submit, run
void AddJobsCommands(Menu& menu);
void AddPoolsCommands(Menu& menu);
void AddWorkersCommands(Menu& menu);
void AddAdminCommands(Menu& menu, const StoreCommands& store);  // `store` outlives the menu.
void AddBenchCommand(Menu& menu);

}  // namespace millrace::cli
