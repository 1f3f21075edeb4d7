// ExecRunner: jobs that are programs named in the configuration. A client chooses a kind and a payload, never a
// program, an argument or a variable.
//
//   In         The payload is stdin. The environment holds PATH, what the configuration says, and MILLRACE_JOB_ID,
//              MILLRACE_ATTEMPT, MILLRACE_KIND; where the host marks its children, MILLRACE_TREE as well. A job with a
//              trace adds TRACEPARENT, TRACESTATE and BAGGAGE, instead of any that the configuration says.
//   Out        stdout is the job's result (1 MiB at most), stderr its log. A failed attempt that wrote nothing to
//              stderr has the newest KiB of its stdout as its log.
//   Verdict    Exit status 0 succeeds. Any other fails with the last line of stderr, or else of stdout, and is retried
//              unless it is one of `no_retry_exit_codes`; 75, EX_TEMPFAIL of sysexits.h, is the way for a program to
//              say "later". A program that cannot be started fails like any other: it may be there again at the next
//              attempt.
//   Shortage   Where the system refuses a process, a descriptor or memory nothing has begun: no attempt is spent, the
//              job waits.
//   Cancel     TERM to the program and what it has started, KILL after `grace`.
//   Checkpoint A program of a kind with `checkpoint` may keep up to 64 KiB of text for the job's next attempt. What an
//              earlier attempt saved is in MILLRACE_CHECKPOINT, which is not set where there is nothing. Descriptor 3
//              (MILLRACE_CHECKPOINT_FD=3) is a pipe, and a line that is written there is a checkpoint as soon as its
//              line feed is: `echo "$n" >&3`. It replaces the one before; an empty line removes that.
//   Whole      A line that has no line feed yet is never saved, so no half is, whoever dies. Neither is one that is too
//              long or has a NUL byte: the job's log says so, and what was saved before stays. Text of several lines or
//              bytes are encoded by the program (JSON, base64). What is written at once, up to 4096 bytes (PIPE_BUF),
//              does not mix with what others write; a longer line, or one in pieces, should have one writer.
//   When       A line is saved when it comes, and written down soon, as the checkpoints of other runners are: a timeout
//              and a crash of the program find it saved, and kill -9 of the daemon all but what came in the last
//              moment. The rest of the pipe is read at the leader's end, and nobody waits for a descendant that keeps
//              it open.
//   Why so     With a file that a program replaces by rename, who writes it in place, which is what everyone tries
//              first, saves nothing or a half; and each attempt needs a folder on a disk that may be full, a watch, and
//              somebody who clears up after kill -9. Here the first try is right, and costs one pipe. Kinds without
//              `checkpoint` have none of it: no descriptor, no variable.
//   Threads    Register before the dispatcher starts; everything else from any thread, while jobs run
//              (runners/kind_table.h).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "dispatch/runner.h"
#include "io/process.h"
#include "runners/kind_table.h"

namespace millrace::runners {

struct ExecOptions {
  std::vector<std::string> argv;  // argv[0]: a program's path, or a name to be found in the kind's PATH.
  std::map<std::string, std::string> env;
  std::string directory = "/";
  io::ProcessLimits limits;
  Nanos grace = std::chrono::seconds(5);  // Between TERM and KILL.
  std::vector<int> no_retry_exit_codes;
  bool checkpoint = false;  // It may save checkpoints.
  bool operator==(const ExecOptions&) const = default;
};

inline constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

class ExecRunner final : public dispatch::Runner {
 public:
  static constexpr std::string_view kName = "exec";

  // `host` outlives the runner.
  explicit ExecRunner(io::ProcessHost& host) : host_(host) {}

  // A kind whose program was found.
  struct Program {
    ExecOptions options;
    std::string path;              // argv[0], found.
    std::vector<std::string> env;  // What is the same in every attempt.
    bool operator==(const Program&) const = default;
  };
  using Kind = KindTable<Program>::Kind;

  // INVALID_ARGUMENT names the kind and what is wrong with its program, variables, directory or numbers.
  static Result<Kind> Prepare(dispatch::KindOptions options, ExecOptions exec);
  // One more kind. ALREADY_EXISTS: the name is taken; and the errors of Prepare.
  Status Register(dispatch::KindOptions options, ExecOptions exec);
  // From now on these are all; their names differ. Attempts that run go on with what they began with.
  void Replace(std::vector<Kind> kinds) { kinds_.Replace(std::move(kinds)); }

  std::string_view name() const override { return kName; }
  const dispatch::KindOptions* FindKind(std::string_view kind) const override { return kinds_.FindOptions(kind); }
  std::vector<std::string> Kinds() const override { return kinds_.Names(); }
  dispatch::AttemptOutcome Run(dispatch::AttemptContext& attempt) override;

 private:
  dispatch::AttemptOutcome NotRun(const Status& why);
  void TellOfShortage(const Status& why);

  io::ProcessHost& host_;
  KindTable<Program> kinds_{kName};
  std::atomic<int64_t> refused_starts_{0};  // Not told in the log yet.
  std::atomic<Nanos::rep> next_word_{0};    // When the log may tell of them, by the steady clock.
};

}  // namespace millrace::runners
