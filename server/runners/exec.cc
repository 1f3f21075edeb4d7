#include "runners/exec.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "io/interpreter.h"
#include "io/process_limits.h"
#include "job/validate.h"
#include "runners/exec_checkpoint.h"
#include "runners/text.h"

namespace millrace::runners {

using dispatch::AttemptContext;
using dispatch::AttemptOutcome;
using dispatch::KindOptions;

namespace {

constexpr size_t kErrorLineBytes = 512;
constexpr size_t kOutputTailBytes = 1024;
// The time between two log lines about starts that were refused.
constexpr Nanos kShortageWordEvery = std::chrono::minutes(1);
// The kernel's MAX_ARG_STRLEN, with the 0 at the end; and its limit of all together: a quarter of the stack's, 6 MiB at
// most.
constexpr size_t kArgumentBytesMax = size_t{128} << 10;
constexpr size_t kArgumentsBytesMax = size_t{6} << 20;
// Room beside what is configured: MILLRACE_ variables, the job's trace, the name of the program twice and some tables
// of the kernel.
constexpr size_t kArgumentsReserved = (size_t{8} << 10) + kTraceparentBytesMax + kTracestateBytesMax + kBaggageBytesMax;

constexpr std::string_view kCheckpointVariable = "MILLRACE_CHECKPOINT=";

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

Result<std::string> Runnable(const std::string& kind, const std::string& program) {
  const std::string problem = io::InterpreterProblem(program);
  return problem.empty() ? Result<std::string>(program)
                         : Bad(kind, "program '" + program + "' cannot be run: " + problem);
}

Result<std::string> FindProgram(const std::string& kind, const std::string& program, std::string_view path) {
  if (program.starts_with('/')) {
    if (int error = NotAProgram(program)) {
      return Bad(kind, "program '" + program + "' cannot be run: " + std::string(strerrordesc_np(error)));
    }
    return Runnable(kind, program);
  }
  if (program.find('/') != std::string::npos) {
    return Bad(
        kind, "program '" + program + "' is a relative path; write the whole path, or only a name to be found in PATH");
  }
  for (std::string_view left = path; !left.empty();) {
    std::string_view folder = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(folder.size() + 1, left.size()));
    std::string candidate = std::string(folder) + "/" + program;
    if (folder.starts_with('/') && NotAProgram(candidate) == 0) return Runnable(kind, candidate);
  }
  return Bad(kind, "program '" + program + "' is not in PATH (" + std::string(path) + ")");
}

size_t ArgumentsBytesMax() {
  rlimit stack{};
  if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY) return kArgumentsBytesMax;
  return std::clamp(static_cast<size_t>(stack.rlim_cur) / 4, kArgumentBytesMax, kArgumentsBytesMax);
}

// Refuses what execve would answer with E2BIG at every attempt.
Status CheckSize(const std::string& kind, const ExecOptions& exec) {
  size_t all = kArgumentsReserved;
  auto add = [&all](size_t bytes) {
    all += bytes + 1 + sizeof(char*);
    return bytes < kArgumentBytesMax;
  };
  if (exec.checkpoint) add(kCheckpointVariable.size() + kCheckpointBytesMax);
  const std::string limit = std::to_string(kArgumentBytesMax - 1) + " bytes are the system's limit for one";
  for (size_t i = 0; i < exec.argv.size(); ++i) {
    if (add(exec.argv[i].size())) continue;
    return Bad(kind, "word " + std::to_string(i) + " of exec has " + std::to_string(exec.argv[i].size()) + " bytes; " +
                         limit + "; put it into a file, or into the payload, which is stdin");
  }
  for (const auto& [name, value] : exec.env) {
    const size_t bytes = name.size() + 1 + value.size();
    if (add(bytes)) continue;
    return Bad(kind, "the variable '" + Printable(name, 64) + "' has " + std::to_string(bytes) +
                         " bytes with its name; " + limit + "; put it into a file");
  }
  if (all <= ArgumentsBytesMax()) return OkStatus();
  return Bad(kind, "its arguments and variables have " + std::to_string(all) + " bytes together; " +
                       std::to_string(ArgumentsBytesMax()) +
                       " is the system's limit (a quarter of the stack's, ulimit -s)");
}

Status CheckOptions(const std::string& kind, const ExecOptions& exec) {
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
  MR_RETURN_IF_ERROR(CheckSize(kind, exec));
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
  // With fewer, a program could not load its libraries beside stdin, stdout and stderr.
  if (limits.open_files && *limits.open_files < 8) return Bad(kind, "fewer than 8 open files let no program start");
  if (limits.cpu_seconds && *limits.cpu_seconds == 0) return Bad(kind, "0 cpu seconds let no program run");
  if (const std::string problem = io::LimitProblem(limits); !problem.empty()) {
    return Bad(kind, "its limit of " + problem +
                         " cannot be set; lower it, or raise the hard limit of the daemon's user or service");
  }
  if (exec.grace < Nanos(0)) return Bad(kind, "the grace between TERM and KILL is negative");
  for (int code : exec.no_retry_exit_codes) {
    if (code < 1 || code > 255) return Bad(kind, "exit code " + std::to_string(code) + " is not in 1 to 255");
  }
  return OkStatus();
}

// The program's path.
Result<std::string> Examine(const std::string& kind, const ExecOptions& exec) {
  // Another one could be configured, and no job could ask for it.
  if (!IsKindName(kind)) return Bad(Printable(kind, 64), "a kind's name is 1 to 63 of A-Z a-z 0-9 . _ -");
  MR_RETURN_IF_ERROR(CheckOptions(kind, exec));
  auto path = exec.env.find("PATH");
  return FindProgram(kind, exec.argv[0], path == exec.env.end() ? kDefaultPath : std::string_view(path->second));
}

// Remembers enough of a stream to tell its last line.
class LastLine {
 public:
  void Add(std::string_view bytes) {
    tail_ += bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes));
    if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }

  bool nothing() const { return tail_.empty(); }  // Nothing was added.
  bool in_line() const { return !tail_.empty() && tail_.back() != '\n'; }

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

std::string Verdict(const io::ProcessExit& exit) {
  if (exit.output_overflow)
    return "the program wrote more than the " + std::to_string(kResultBytesMax) +
           " bytes a result may have and was stopped";
  if (exit.signal != 0) return "killed by " + io::SignalName(exit.signal);
  return "exit status " + std::to_string(exit.code);
}

// The job's trace, instead of one that the configuration may name (the names are OpenTelemetry's, "Environment
// Variables as Context Propagation Carriers").
void HandOn(const TraceContext& trace, std::vector<std::string>* env) {
  const std::pair<std::string_view, const std::string&> variables[] = {
      {"TRACEPARENT=", trace.traceparent}, {"TRACESTATE=", trace.tracestate}, {"BAGGAGE=", trace.baggage}};
  for (const auto& [name, value] : variables) {
    std::erase_if(*env, [&name = name](const std::string& variable) { return variable.starts_with(name); });
    if (!value.empty()) env->push_back(std::string(name) + value);
  }
}

// The checkpoints of one attempt, on their way between it and its program.
class Checkpoints {
 public:
  Checkpoints(AttemptContext& attempt, const LastLine& log) : attempt_(attempt), log_(log) {}

  void HandOn(std::vector<std::string>* env) {
    env->push_back("MILLRACE_CHECKPOINT_FD=" + std::to_string(io::kSideDescriptor));
    const Bytes earlier = attempt_.checkpoint();
    if (!earlier) return;
    // Where the kind was another runner's before.
    if (HasNul(*earlier)) {
      attempt_.Log(
          "millraced: the earlier checkpoint was not given to this attempt: it holds a NUL byte, which no variable can "
          "hold\n");
      return;
    }
    env->push_back(std::string(kCheckpointVariable) + *earlier);
  }

  void Add(std::string_view bytes) {
    if (std::optional<std::string> newest = lines_.Add(bytes)) {
      const Status saved = attempt_.SaveCheckpoint(*std::move(newest));
      if (!saved.ok()) attempt_.Log("millraced: a checkpoint was not saved: " + saved.message() + "\n");
    }
    Complain();
  }

  void End() {
    lines_.End();
    Complain();
  }

 private:
  void Complain() {
    bool in_line = log_.in_line();
    for (std::string_view text; !(text = lines_.TakeComplaint()).empty();) {
      if (std::exchange(in_line, false)) attempt_.Log("\n");
      attempt_.Log(text);
    }
  }

  AttemptContext& attempt_;
  const LastLine& log_;  // What the program has written there.
  CheckpointLines lines_;
};

}  // namespace

Result<ExecRunner::Kind> ExecRunner::Prepare(KindOptions options, ExecOptions exec) {
  Result<std::string> path = Examine(options.name, exec);
  if (!path.ok()) return path.status();
  exec.env.try_emplace("PATH", kDefaultPath);
  Program program{.options = std::move(exec), .path = *std::move(path)};
  for (const auto& [variable, value] : program.options.env) program.env.push_back(variable + "=" + value);
  program.env.push_back("MILLRACE_KIND=" + options.name);
  return Kind{std::move(options), std::move(program)};
}

Status ExecRunner::Register(KindOptions options, ExecOptions exec) {
  Result<Kind> kind = Prepare(std::move(options), std::move(exec));
  return kind.ok() ? kinds_.Add(*std::move(kind)) : kind.status();
}

AttemptOutcome ExecRunner::Run(AttemptContext& attempt) {
  const Kind* kind = kinds_.Find(attempt.spec().kind);
  if (kind == nullptr) {
    return AttemptOutcome::Failed("no program is configured for kind '" + attempt.spec().kind + "'");
  }
  const Program& program = kind->own;
  const ExecOptions& exec = program.options;

  LastLine last_line;
  io::ProcessSpec child{.program = program.path,
                        .argv = exec.argv,
                        .env = program.env,
                        .directory = exec.directory,
                        .limits = exec.limits,
                        .input = PayloadOf(attempt.spec()),
                        .output_bytes_max = kResultBytesMax,
                        .on_error_output =
                            [&](std::string_view bytes) {
                              last_line.Add(bytes);
                              attempt.Log(bytes);
                            },
                        .grace = exec.grace};
  child.env.push_back("MILLRACE_JOB_ID=" + attempt.id().ToString());
  child.env.push_back("MILLRACE_ATTEMPT=" + std::to_string(attempt.attempt()));
  if (attempt.spec().trace) HandOn(*attempt.spec().trace, &child.env);

  Checkpoints checkpoints(attempt, last_line);
  if (exec.checkpoint) {
    checkpoints.HandOn(&child.env);
    child.on_side_output = [&](std::string_view bytes) { checkpoints.Add(bytes); };
  }

  Result<io::ProcessExit> exit = host_.Run(child, attempt.cancel());
  if (!exit.ok()) return NotRun(exit.status());
  checkpoints.End();

  AttemptOutcome outcome;
  if (exit->success() && !exit->output_overflow) {
    outcome = AttemptOutcome::Succeeded(std::move(exit->output));
  } else {
    std::string line = last_line.Text();
    if (line.empty() && !exit->output_overflow) {
      // Many programs complain on stdout, and a failure without a word helps nobody.
      std::string_view tail(exit->output);
      tail.remove_prefix(tail.size() - std::min(tail.size(), kOutputTailBytes));
      if (last_line.nothing()) attempt.Log(tail);
      last_line.Add(tail);
      line = last_line.Text();
    }
    outcome = AttemptOutcome::Failed(line.empty() ? Verdict(*exit) : Verdict(*exit) + ": " + line);
    const std::vector<int>& final = exec.no_retry_exit_codes;
    outcome.do_not_retry = exit->signal == 0 && std::find(final.begin(), final.end(), exit->code) != final.end();
  }
  outcome.exit_code = exit->signal != 0 ? -exit->signal : exit->code;
  outcome.child_cpu = exit->cpu;
  outcome.child_run_delay = exit->run_delay;
  return outcome;
}

AttemptOutcome ExecRunner::NotRun(const Status& why) {
  if (why.reason() == "PROCESS_START_REFUSED") {
    TellOfShortage(why);
    return AttemptOutcome::NotStarted(why.message());
  }
  // The daemon is ending: nothing was tried, so nothing has failed.
  if (why.reason() == "PROCESS_HOST_STOPPED") return AttemptOutcome::NotStarted(why.message());
  return AttemptOutcome::Failed(why.message());
}

void ExecRunner::TellOfShortage(const Status& why) {
  // relaxed: of several fibers that come at the same time one writes the line, no matter which.
  refused_starts_.fetch_add(1, std::memory_order_relaxed);
  const Nanos::rep now = std::chrono::steady_clock::now().time_since_epoch() / Nanos(1);
  Nanos::rep next = next_word_.load(std::memory_order_relaxed);
  if (now < next) return;
  if (!next_word_.compare_exchange_strong(next, now + kShortageWordEvery.count(), std::memory_order_relaxed)) return;
  LogWarning(
      "%s; the job waits and spends no attempt, as do all whose program is refused a process, a descriptor or memory "
      "(%" PRId64
      " starts lately): see the limits of this user, its service or container (nproc, nofile, pids, memory)",
      why.message().c_str(), refused_starts_.exchange(0, std::memory_order_relaxed));
}

}  // namespace millrace::runners
