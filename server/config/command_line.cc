#include "config/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <string_view>

#include "base/suggest.h"
#include "base/version.h"
#include "config/schema.h"

extern char** environ;

namespace millrace::config {
namespace {

struct Setting {
  const char* section;
  const char* key;
  const char* flag;
  const char* variable;
  const char* value;  // nullptr: a switch.
  const char* help;
};

constexpr Setting kSettings[] = {
    {"server", "grpc_address", "--grpc-address", "MILLRACE_GRPC_ADDRESS", "HOST:PORT",
     "Where clients connect (127.0.0.1:7070)"},
    {"server", "http_address", "--http-address", "MILLRACE_HTTP_ADDRESS", "HOST:PORT",
     "Metrics and health (127.0.0.1:7071)"},
    {"server", "store", "--store", "MILLRACE_STORE", "auto|memory|rocksdb",
     "Where jobs are kept (auto: rocksdb where there is a data folder, else memory)"},
    {"server", "data_dir", "--data-dir", "MILLRACE_DATA_DIR", "DIR", "The daemon's own folder, made when missing"},
    {"server", "ack", "--ack", "MILLRACE_ACK", "fsync|interval|none", "When a job counts as kept by rocksdb (fsync)"},
    {"server", "drain_timeout", "--drain-timeout", "MILLRACE_DRAIN_TIMEOUT", "DURATION",
     "Patience with running jobs at the end (30s)"},
    {"server", "insecure", "--insecure", "MILLRACE_INSECURE", nullptr, "Allow addresses that other machines can reach"},
    {"runtime", "procs", "--procs", "MILLRACE_PROCS", "N", "Fibers that run at once (0: the CPU limit)"},
    {"log", "level", "--log-level", "MILLRACE_LOG_LEVEL", "LEVEL", "debug, info, warning or error (info)"},
    {"log", "format", "--log-format", "MILLRACE_LOG_FORMAT", "FORMAT", "text or json (text)"},
};
constexpr std::string_view kPrefix = "MILLRACE_";
constexpr const char* kConfigVariable = "MILLRACE_CONFIG";
constexpr const char* kClientVariable = "MILLRACE_ADDRESS";  // The millrace command's.

constexpr const char* kFooter = R"(
Every flag has a variable (MILLRACE_GRPC_ADDRESS, ..., MILLRACE_CONFIG) and a key in the file; a flag wins over a
variable, which wins over the file. Pools and kinds are declared in the file; deploy/config.example.toml shows all of)"
                                R"( it.

Signals: TERM or INT drains (running jobs get the drain timeout) and exits, during a start when that is over; a second
one exits at once.
Exit codes: 0 drained; 1 a second signal cut the start or the end short, or an internal failure; 2 it did not start: a
wrong flag or configuration, an address in use, a folder that cannot be written; 3 another daemon owns its store.)";

EarlyExit UsageError(const std::string& problem) {
  return {kExitUsage, "millraced: " + problem + "\nmillraced --help shows all flags.\n"};
}

// Kubernetes sets variables like MILLRACE_SERVICE_HOST for a service named millrace, so an unknown variable is no
// error; one that is nearly right earns a warning.
void AddVariables(const Environment& environment, CommandLine* line) {
  std::vector<std::string> known = {kConfigVariable};
  for (const Setting& setting : kSettings) known.emplace_back(setting.variable);
  for (std::string& name : known) name = name.substr(kPrefix.size());

  for (const auto& variable : environment) {
    const auto& name = variable.first;
    if (name == kClientVariable) continue;
    if (name == kConfigVariable) {
      line->config_file = variable.second;
      continue;
    }
    auto setting =
        std::find_if(std::begin(kSettings), std::end(kSettings), [&](const Setting& s) { return name == s.variable; });
    if (setting != std::end(kSettings)) {
      line->overrides.push_back({setting->section, setting->key, Node::Untyped(name, variable.second)});
    } else if (const std::string nearest = Nearest(name.substr(kPrefix.size()), known); !nearest.empty()) {
      line->warnings.push_back("the variable " + name + " means nothing to millraced; did you mean " +
                               std::string(kPrefix) + nearest + "?");
    }
  }
}

}  // namespace

Environment ReadEnvironment() {
  Environment found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    size_t equals = text.find('=');
    if (text.starts_with(kPrefix) && equals != std::string_view::npos) {
      found.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::variant<CommandLine, EarlyExit> ParseCommandLine(const std::vector<std::string>& arguments,
                                                      const Environment& environment) {
  CommandLine line;
  AddVariables(environment, &line);

  CLI::App app("millraced: runs jobs that clients submit over gRPC, in bounded worker pools.", "millraced");
  app.footer(kFooter);
  app.allow_extras();
  bool version = false, check = false, print = false, health = false;
  app.add_option("--config", line.config_file, "TOML file with settings, pools and kinds")->type_name("FILE");
  for (const Setting& setting : kSettings) {
    auto set = [&line, &setting](const std::string& value) {
      line.overrides.push_back({setting.section, setting.key, Node::Untyped(setting.flag, value)});
    };
    if (setting.value == nullptr) {
      app.add_flag_callback(
          setting.flag, [set] { set("true"); }, setting.help);
    } else {
      app.add_option_function<std::string>(setting.flag, set, setting.help)->type_name(setting.value);
    }
  }
  app.add_flag("--check-config", check, "Check everything, say what is wrong, and exit");
  app.add_flag("--print-config", print, "Print the configuration in effect as TOML, and exit");
  app.add_flag("--check-health", health,
               "Ask the daemon with this configuration whether it is ready, and exit (0: it is)");
  app.add_flag("--version", version, "Print the version and exit");

  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{0, app.help() + "\n"};
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what());
  }
  if (version) return EarlyExit{0, std::string("millraced ") + Version() + "\n"};
  if (auto extras = app.remaining(); !extras.empty()) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app.get_options()) flags.push_back(option->get_name());
    std::string name = extras[0].substr(0, extras[0].find('='));
    if (!name.starts_with("-")) return UsageError("'" + name + "' was not expected: there are only flags");
    return UsageError("unknown flag " + name + Suggest(name, flags));
  }
  if (check) line.action = CommandLine::Action::kCheckConfig;
  if (health) line.action = CommandLine::Action::kCheckHealth;
  if (print) line.action = CommandLine::Action::kPrintConfig;
  return line;
}

}  // namespace millrace::config
