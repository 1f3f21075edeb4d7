// millraced: flags, configuration, then the daemon (daemon.h).
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "allocator.h"
#include "base/cgroup.h"
#include "base/log.h"
#include "base/open_files.h"
#include "base/standard_streams.h"
#include "config/command_line.h"
#include "config/config.h"
#include "daemon.h"
#include "health_check.h"
#include "inherited.h"
#include "signals.h"

namespace millrace {
namespace {

constexpr std::chrono::seconds kHealthPatience{4};  // The image gives a health check five seconds.
constexpr int kExitUnhealthy = 1;
constexpr int kExitUnprinted = 1;

constexpr int64_t kLittleMemory = int64_t{512} << 20;

// The configuration for the log: whole lines, up to a limit.
std::string ShortConfig(const config::Config& config) {
  constexpr size_t kBytesMax = size_t{16} << 10;
  std::string text = config::ToToml(config, config::Secrets::kHidden);
  if (text.size() <= kBytesMax) return text;
  text.resize(text.rfind('\n', kBytesMax) + 1);
  return text + "... and more; millraced --print-config shows all";
}

// The exit code after something was printed to stdout: a full disk must not go unnoticed and leave half a
// configuration.
int Printed() {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return 0;
  perror("millraced: stdout");
  return kExitUnprinted;
}

int Main(const std::vector<std::string>& arguments) {
  ResetInherited();
  Signals signals;  // Before any thread.
  RaiseOpenFilesLimit();

  auto parsed = config::ParseCommandLine(arguments, config::ReadEnvironment());
  if (const auto* exit = std::get_if<config::EarlyExit>(&parsed)) {
    fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code == 0 ? Printed() : exit->code;
  }
  const auto& line = std::get<config::CommandLine>(parsed);

  const config::Loaded loaded = config::Load(line);
  if (!loaded.problems.empty()) {
    for (const auto& problem : loaded.problems) fprintf(stderr, "millraced: %s\n", problem.c_str());
    return config::kExitUsage;
  }
  const std::string file = line.config_file.empty() ? "no file, defaults" : line.config_file;
  if (line.action == config::CommandLine::Action::kCheckConfig) {
    printf("%s: good; %zu pools, %zu kinds\n", file.c_str(), loaded.config.pools.size(), loaded.config.kinds.size());
    return Printed();
  }
  if (line.action == config::CommandLine::Action::kPrintConfig) {
    fputs(config::ToToml(loaded.config, config::Secrets::kShown).c_str(), stdout);
    return Printed();
  }

  if (line.action == config::CommandLine::Action::kCheckHealth) {
    const Status health = CheckHealth(loaded.config, kHealthPatience);
    fprintf(health.ok() ? stdout : stderr, "%s\n", health.ok() ? "ready" : ("millraced: " + health.message()).c_str());
    return health.ok() ? 0 : kExitUnhealthy;
  }

  if (const int64_t memory = MemoryLimit(); memory > 0 && memory < kLittleMemory) GiveMemoryBackAtOnce();
  ConfigureLog(loaded.config.log_level, loaded.config.log_format);
  StartLogWriter();
  for (const auto& warning : line.warnings) LogWarning("%s", warning.c_str());
  LogInfo("configuration in effect (%s):\n%s", file.c_str(), ShortConfig(loaded.config).c_str());
  const int code = RunDaemon(loaded.config, signals);
  FlushLog(kLastWordsPatience);
  return code;
}

}  // namespace
}  // namespace millrace

MR_HOLD_STANDARD_STREAMS();

int main(int argc, char** argv) { return millrace::Main(std::vector<std::string>(argv + 1, argv + argc)); }
