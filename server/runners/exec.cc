#include "runners/exec.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runners/text.h"

namespace millrace::runners {

using dispatch::AttemptContext;
using dispatch::AttemptOutcome;
using dispatch::KindOptions;

namespace {

constexpr size_t kErrorLineBytes = 512;

Status Bad(const std::string& kind, const std::string& what) {
  return InvalidArgument("BAD_EXEC_KIND", "exec kind '" + kind + "': " + what).With("kind", kind);
}

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

// errno of the reason why it is not a program we can start; 0: it is.
int NotAProgram(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return errno;
  if (!S_ISREG(file.st_mode)) return EACCES;
  return access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

Result<std::string> FindProgram(const std::string& kind, const std::string& program, std::string_view path) {
  if (program.starts_with('/')) {
    if (int error = NotAProgram(program)) {
      return Bad(kind, "program '" + program + "' cannot be run: " + std::string(strerrordesc_np(error)));
    }
    return program;
  }
  if (program.find('/') != std::string::npos) {
    return Bad(
        kind, "program '" + program + "' is a relative path; write the whole path, or only a name to be found in PATH");
  }
  for (std::string_view left = path; !left.empty();) {
    std::string_view folder = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(folder.size() + 1, left.size()));
    std::string candidate = std::string(folder) + "/" + program;
    if (folder.starts_with('/') && NotAProgram(candidate) == 0) return candidate;
  }
  return Bad(kind, "program '" + program + "' is not in PATH (" + std::string(path) + ")");
}

Status Check(const std::string& kind, const ExecOptions& exec) {
  if (exec.argv.empty() || exec.argv[0].empty()) return Bad(kind, "no program is named");
  if (std::any_of(exec.argv.begin(), exec.argv.end(), HasNul)) return Bad(kind, "an argument holds a NUL byte");
  for (const auto& [name, value] : exec.env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name) || HasNul(value)) {
      return Bad(kind,
                 "'" + Printable(name, 64) + "' cannot be set: a variable has a name without '=' and no NUL byte");
    }
    if (name.starts_with("MILLRACE_"))
      return Bad(kind, "'" + name + "' cannot be set: MILLRACE_ variables tell about the job");
  }
  struct stat folder {};
  if (!exec.directory.starts_with('/') || HasNul(exec.directory) || stat(exec.directory.c_str(), &folder) != 0 ||
      !S_ISDIR(folder.st_mode)) {
    return Bad(kind, "working directory '" + Printable(exec.directory, 256) + "' is no folder with an absolute path");
  }
  const io::ProcessLimits& limits = exec.limits;
  for (const auto& limit :
       {limits.cpu_seconds, limits.address_space_bytes, limits.file_bytes, limits.open_files, limits.processes}) {
    if (limit && *limit < 0) return Bad(kind, "the limit " + std::to_string(*limit) + " is negative");
  }
  // Fewer, and a program could not load its libraries beside stdin, stdout and stderr.
  if (limits.open_files && *limits.open_files < 8) return Bad(kind, "fewer than 8 open files let no program start");
  if (limits.cpu_seconds && *limits.cpu_seconds == 0) return Bad(kind, "0 cpu seconds let no program run");
  if (exec.grace < Nanos(0)) return Bad(kind, "the grace between TERM and KILL is negative");
  for (int code : exec.no_retry_exit_codes) {
    if (code < 1 || code > 255) return Bad(kind, "exit code " + std::to_string(code) + " is not in 1 to 255");
  }
  return OkStatus();
}

// Remembers enough of a stream to tell its last line.
class LastLine {
 public:
  void Add(std::string_view bytes) {
    tail_ += bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes));
    if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }

  std::string Text() const {
    std::string_view line(tail_);
    line = line.substr(0, line.find_last_not_of(" \t\r\n") + 1);
    if (size_t end = line.rfind('\n'); end != std::string_view::npos) line.remove_prefix(end + 1);
    return Printable(line, kErrorLineBytes);
  }

 private:
  // A line and the blank ones that may follow it.
  static constexpr size_t kTailBytes = 4 * kErrorLineBytes;
  std::string tail_;
};

AttemptOutcome NotRun(const Status& why) {
  AttemptOutcome outcome = AttemptOutcome::Failed(why.message());
  // The daemon is ending: nothing was tried, so nothing has failed.
  if (why.reason() == "PROCESS_HOST_STOPPED") outcome.result = AttemptResult::kLost;
  return outcome;
}

std::string Verdict(const io::ProcessExit& exit) {
  if (exit.output_overflow)
    return "the program wrote more than the " + std::to_string(kResultBytesMax) +
           " bytes a result may have and was stopped";
  if (exit.signal != 0) return "killed by " + io::SignalName(exit.signal);
  return "exit status " + std::to_string(exit.code);
}

}  // namespace

Status ExecRunner::Register(KindOptions options, ExecOptions exec) {
  std::string name = options.name;
  if (name.empty() || HasNul(name)) return InvalidArgument("BAD_EXEC_KIND", "an exec kind needs a name");
  MR_RETURN_IF_ERROR(Check(name, exec));
  exec.env.try_emplace("PATH", kDefaultPath);
  Result<std::string> program = FindProgram(name, exec.argv[0], exec.env["PATH"]);
  if (!program.ok()) return program.status();

  std::vector<std::string> env;
  for (const auto& [variable, value] : exec.env) env.push_back(variable + "=" + value);
  env.push_back("MILLRACE_KIND=" + name);
  if (!kinds_.try_emplace(name, Kind{std::move(options), std::move(exec), *std::move(program), std::move(env)})
           .second) {
    return AlreadyExists("KIND_EXISTS", "exec kind '" + name + "' is registered twice").With("kind", name);
  }
  return OkStatus();
}

const KindOptions* ExecRunner::FindKind(std::string_view kind) const {
  auto found = kinds_.find(kind);
  return found == kinds_.end() ? nullptr : &found->second.options;
}

std::vector<std::string> ExecRunner::Kinds() const {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds_) names.push_back(name);
  return names;
}

AttemptOutcome ExecRunner::Run(AttemptContext& attempt) {
  auto found = kinds_.find(attempt.spec().kind);
  if (found == kinds_.end())
    return AttemptOutcome::Failed("no program is configured for kind '" + attempt.spec().kind + "'");
  const Kind& kind = found->second;

  LastLine last_line;
  io::ProcessSpec child{.program = kind.program,
                        .argv = kind.exec.argv,
                        .env = kind.env,
                        .directory = kind.exec.directory,
                        .limits = kind.exec.limits,
                        .input = PayloadOf(attempt.spec()),
                        .output_bytes_max = kResultBytesMax,
                        .on_error_output =
                            [&](std::string_view bytes) {
                              last_line.Add(bytes);
                              attempt.Log(bytes);
                            },
                        .grace = kind.exec.grace};
  child.env.push_back("MILLRACE_JOB_ID=" + attempt.id().ToString());
  child.env.push_back("MILLRACE_ATTEMPT=" + std::to_string(attempt.attempt()));

  Result<io::ProcessExit> exit = host_.Run(child, attempt.cancel());
  if (!exit.ok()) return NotRun(exit.status());

  AttemptOutcome outcome;
  if (exit->success() && !exit->output_overflow) {
    outcome = AttemptOutcome::Succeeded(std::move(exit->output));
  } else {
    std::string line = last_line.Text();
    outcome = AttemptOutcome::Failed(line.empty() ? Verdict(*exit) : Verdict(*exit) + ": " + line);
    const std::vector<int>& final = kind.exec.no_retry_exit_codes;
    outcome.do_not_retry = exit->signal == 0 && std::find(final.begin(), final.end(), exit->code) != final.end();
  }
  outcome.exit_code = exit->signal != 0 ? -exit->signal : exit->code;
  outcome.child_cpu = exit->cpu;
  outcome.child_run_delay = exit->run_delay;
  return outcome;
}

}  // namespace millrace::runners
