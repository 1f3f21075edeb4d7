#include "client/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/suggest.h"
#include "base/version.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"

namespace millrace::cli {
namespace {

constexpr char kAbout[] =
    "Submit jobs to Millrace, look at them, change their fate; take care of its store.\n"
    "Times are written 500ms, 30s, 5m, 2h or 1d; sizes 512, 64k or 1MiB.";

// An empty value is what a variable that is not set leaves behind: `--pool "$POOL"`. It is a mistake: to go on as if
// the option were not there would delete the jobs of all pools. Only a payload and a reason may be empty.
void RefuseEmptyValues(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    if (option->get_expected_max() == 0 || name == "--payload" || name == "--reason") continue;
    option->check([](const std::string& value) { return value.empty() ? std::string("is empty") : std::string(); });
  }
  for (CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) RefuseEmptyValues(*sub);
}

// The commands that end with `word`: "'jobs list' or 'pools list'" for `list`. Also for `list jobs`, in which the words
// stand the wrong way round.
std::string WholeCommands(const CLI::App& app, const std::string& word) {
  std::string text;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    for (const CLI::App* leaf : sub->get_subcommands([](const CLI::App*) { return true; })) {
      if (leaf->get_name() != word) continue;
      text += (text.empty() ? "'" : " or '") + sub->get_name() + " " + word + "'";
    }
  }
  return text;
}

// Says what is wrong with the arguments, the nearest word for an unknown one, and where to read on.
std::string Explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* deepest = &app;
  std::string path = "millrace";
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().back();
    path += " " + deepest->get_name();
  }
  std::string text = error.what();
  if (const std::vector<std::string> rest = app.remaining(true); !rest.empty()) {
    std::vector<std::string> known;
    for (const CLI::App* sub : deepest->get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(sub->get_name());
    for (const CLI::App* at : {deepest, &app}) {
      for (const CLI::Option* option : at->get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      }
    }
    const std::string word = rest[0].substr(0, rest[0].find('='));
    const std::string nearest = Nearest(word, known);
    text = std::string(word.starts_with('-') ? "unknown option '" : "unknown word '") + word + "'";
    if (const std::string whole = deepest == &app ? WholeCommands(app, word) : ""; !whole.empty()) {
      text += ", did you mean " + whole + "?";
    } else if (nearest == word) {
      text += " in this place, did you mean '" + deepest->get_name() + " " + word + "'?";
    } else if (!nearest.empty()) {
      text += ", did you mean '" + nearest + "'?";
    }
  }
  return text + "\n  " + path + " --help lists what there is";
}

}  // namespace

CLI::App* Menu::AddGroup(const char* name, const char* about) {
  CLI::App* group = app_.add_subcommand(name, about);
  group->require_subcommand(1);
  return group;
}

CLI::App* Menu::Add(CLI::App* group, const char* name, const char* about, Run run) {
  CLI::App* command = (group == nullptr ? &app_ : group)->add_subcommand(name, about);
  command->callback([this, run = std::move(run)] { chosen_ = run; });
  return command;
}

ExitCode RunCommandLine(int argc, char** argv, Interrupt& interrupt, const StoreCommands& store) {
  GlobalOptions global;
  CLI::App app(kAbout, "millrace");
  app.require_subcommand(1);
  app.fallthrough();  // Options of all commands may stand after the command.
  app.set_version_flag("--version", std::string("millrace ") + Version());
  app.add_option("--address", global.address, "Where millraced listens; the port may be left out")
      ->envname("MILLRACE_ADDRESS")
      ->capture_default_str();
  app.add_flag("--json", global.json, "JSON for programs: one document, or one a line");
  app.add_option("--timeout", global.timeout,
                 "Of this command; default 30s for what is answered at once, none for waiting");
  app.footer(kExitCodeHelp);
  Menu menu(app);
  AddSubmitCommands(menu);
  AddJobsCommands(menu);
  AddPoolsCommands(menu);
  AddWorkersCommands(menu);
  AddAdminCommands(menu, store);
  AddBenchCommand(menu);
  RefuseEmptyValues(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream text;
    app.exit(help, text);
    Print(text.str());
    return FinishOutput() ? ExitCode::kOk : ExitCode::kInternal;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "millrace: %s\n", PrintableLines(Explain(app, error)).c_str());
    return ExitCode::kUsage;
  }

  Session session(global, interrupt);
  if (const Status opened = session.Open(); !opened.ok()) return session.Fail(opened);
  const ExitCode code = menu.chosen()(session);
  return FinishOutput() ? code : ExitCode::kInternal;
}

}  // namespace millrace::cli
