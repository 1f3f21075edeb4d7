#include "io/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "base/open_files.h"
#include "io/interpreter.h"
#include "io/process_limits.h"

namespace millrace::io {
namespace {

// What the child reports when it cannot become its program.
struct Refusal {
  enum Step : int { kSetup, kDirectory, kLimit, kExec };
  Step step;
  int error;
  size_t limit;  // kLimit: which one of the plan's.
};

// Everything the child reads between vfork and exec.
struct Plan {
  const char* program;
  char* const* argv;
  char* const* env;
  const char* directory;
  std::optional<mode_t> umask;
  ResourceLimits limits;
  int input, output, errors, report;
  int side;  // -1: none.
  pid_t parent;
};

// The highest number that BecomeProgram gives to a descriptor.
constexpr int kHighestGiven = kSideDescriptor + 1;

[[noreturn]] void Refuse(int report, Refusal::Step step, size_t limit = 0) {
  Refusal refusal{step, errno, limit};
  (void)!write(report, &refusal, sizeof refusal);
  _exit(127);
}

// In the child, whose memory and stack are the parent's: only async-signal-safe calls, no allocation, no return.
[[noreturn]] void BecomeProgram(const Plan& plan) {
  // No session of its own: where the kernel has autogroups each session is a scheduling group, made and freed for every
  // child, which cost a third to a half of the rate of short programs.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent died before the line above: nobody would tell us any more.
  if (getppid() != plan.parent) _exit(127);

  // Handlers would end with exec anyway, but a signal may come before; ignored signals would stay ignored after it.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &standard, nullptr);

  // The pipes' descriptors are all above kHighestGiven, so no dup2 here hits one that is still needed, and each clears
  // close-on-exec.
  if (dup2(plan.input, 0) < 0 || dup2(plan.output, 1) < 0 || dup2(plan.errors, 2) < 0)
    Refuse(plan.report, Refusal::kSetup);
  int report = kSideDescriptor;
  if (plan.side >= 0 && dup2(plan.side, report++) < 0) Refuse(plan.report, Refusal::kSetup);
  if (dup3(plan.report, report, O_CLOEXEC) < 0) Refuse(plan.report, Refusal::kSetup);
  // close_range, or /proc/self/fd where a kernel or a container's filter has no such call; glibc keeps it
  // async-signal-safe.
  closefrom(report + 1);

  if (plan.umask) umask(*plan.umask);
  if (chdir(plan.directory) != 0) Refuse(report, Refusal::kDirectory);
  for (size_t i = 0; i < plan.limits.count; ++i) {
    if (setrlimit(plan.limits.all[i].resource, &plan.limits.all[i].value) != 0) Refuse(report, Refusal::kLimit, i);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Refuse(report, Refusal::kSetup);

  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(plan.program, plan.argv, plan.env);
  Refuse(report, Refusal::kExec);
}

// On its own so that the frame in which vfork returns twice holds nothing that could be clobbered.
__attribute__((noinline)) pid_t ForkInto(const Plan& plan) {
  pid_t pid = vfork();
  if (pid == 0) BecomeProgram(plan);
  return pid;
}

struct Pipe {
  UniqueFd read, write;
};

// Both ends close on exec and lie above the numbers that a child's have, which may be free in this process.
bool MakePipe(Pipe& pipe) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  pipe.read.Reset(ends[0]);
  pipe.write.Reset(ends[1]);
  for (UniqueFd* end : {&pipe.read, &pipe.write}) {
    if (end->get() > kHighestGiven) continue;
    int above = fcntl(end->get(), F_DUPFD_CLOEXEC, kHighestGiven + 1);
    if (above < 0) return false;
    end->Reset(above);
  }
  return true;
}

bool MakeNonBlocking(const UniqueFd& fd) {
  return fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK) == 0;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What this process or the machine is short of, for now. It says nothing about the program.
bool IsStartShortage(int error) { return error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOMEM; }

Status StartFailed(const ProcessSpec& spec, const std::string& what, int error, bool begun = false) {
  return Unavailable(IsStartShortage(error) && !begun ? "PROCESS_START_REFUSED" : "PROCESS_START_FAILED",
                     "cannot start '" + spec.program + "': " + what + std::string(strerrordesc_np(error)))
      .With("program", spec.program)
      .With("errno", std::string(strerrorname_np(error)));
}

Status Explain(const ProcessSpec& spec, const Plan& plan, const Refusal& refusal) {
  switch (refusal.step) {
    case Refusal::kDirectory:
      return StartFailed(spec, "working directory '" + spec.directory + "': ", refusal.error);
    case Refusal::kLimit:
      return StartFailed(
          spec, "the limit of " + DescribeLimit(plan.limits.all[refusal.limit]) + " could not be set: ", refusal.error);
    case Refusal::kSetup:
      return StartFailed(spec, "its process could not be set up: ", refusal.error);
    case Refusal::kExec:
      break;
  }
  if (refusal.error == ENOENT) {
    if (const std::string problem = InterpreterProblem(spec.program); !problem.empty()) {
      return StartFailed(spec, problem + ": ", refusal.error);
    }
  }
  // A limit of memory that is too small for the program is no shortage of ours: it would be there at every attempt.
  const bool too_small = refusal.error == ENOMEM && spec.limits.address_space_bytes;
  return StartFailed(spec, "", refusal.error, too_small);
}

// "123 456 7": time on a processor, time waiting for one, time slices. The kernel keeps it until the zombie is reaped;
// zero where it does not keep it at all (CONFIG_SCHED_INFO).
Nanos RunDelay(pid_t pid) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/schedstat", static_cast<int>(pid));
  UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
  char text[96] = {};
  if (!file.valid() || read(file.get(), text, sizeof text - 1) <= 0) return Nanos(0);
  int64_t running = 0, waiting = 0;
  return sscanf(text, "%" SCNd64 " %" SCNd64, &running, &waiting) == 2 ? Nanos(waiting) : Nanos(0);
}

Nanos FromTimeval(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

pid_t Wait(pid_t pid, int* status, rusage* usage) {
  pid_t reaped;
  do reaped = wait4(pid, status, 0, usage);
  while (reaped < 0 && errno == EINTR);
  return reaped;
}

}  // namespace

// Has this process so few descriptors left that they are for others? `highest`: of those just opened, the highest.
bool TakesTheLast(int highest) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  return static_cast<rlim_t>(highest) + static_cast<rlim_t>(SpareDescriptors()) >= limit.rlim_cur;
}

Result<Spawned> Spawn(const ProcessSpec& spec, const std::string& variable) {
  Pipe input, output, errors, side, report;
  if (!MakePipe(input) || !MakePipe(output) || !MakePipe(errors) || !MakePipe(report) ||
      !MakeNonBlocking(input.write) || !MakeNonBlocking(output.read) || !MakeNonBlocking(errors.read) ||
      (spec.on_side_output && (!MakePipe(side) || !MakeNonBlocking(side.read)))) {
    return StartFailed(spec, "pipes: ", errno);
  }
  // The number that the pidfd will need: without one it could not be had once the program runs.
  UniqueFd reserved(fcntl(report.read.get(), F_DUPFD_CLOEXEC, 0));
  if (!reserved.valid()) return StartFailed(spec, "descriptors: ", errno);
  if (TakesTheLast(
          std::max({input.write.get(), output.read.get(), errors.read.get(), side.read.get(), reserved.get()}))) {
    return StartFailed(spec, "the last descriptors are kept for connections and the store: ", EMFILE);
  }
  std::vector<char*> argv = Pointers(spec.argv), env = Pointers(spec.env);
  if (!variable.empty()) env.insert(env.end() - 1, const_cast<char*>(variable.c_str()));
  Plan plan{.program = spec.program.c_str(),
            .argv = argv.data(),
            .env = env.data(),
            .directory = spec.directory.c_str(),
            .umask = spec.umask,
            .limits = ResourceLimitsOf(spec.limits),
            .input = input.read.get(),
            .output = output.write.get(),
            .errors = errors.write.get(),
            .report = report.write.get(),
            .side = side.write.get(),
            .parent = getpid()};

  pid_t pid = ForkInto(plan);
  if (pid < 0) return StartFailed(spec, "fork: ", errno);
  report.write.Reset();

  // End of file means that exec closed the pipe. (After a real vfork this never waits; a sanitizer may turn it into a
  // fork.)
  Refusal refusal{};
  ssize_t got;
  do got = read(report.read.get(), &refusal, sizeof refusal);
  while (got < 0 && errno == EINTR);
  if (got != 0) {
    int status;
    Wait(pid, &status, nullptr);
    return Explain(spec, plan, refusal);
  }

  reserved.Reset();
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    const int error = errno;
    SignalGroup(pid, SIGKILL);
    Reap(pid);
    return StartFailed(spec, "pidfd_open: ", error, true);
  }
  return Spawned{pid,
                 std::move(pidfd),
                 std::move(input.write),
                 std::move(output.read),
                 std::move(errors.read),
                 std::move(side.read)};
}

Ending Reap(pid_t pid) {
  // Wait without reaping first: until it is reaped its number, and with it its group's, cannot belong to somebody else.
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  SignalGroup(pid, SIGKILL);
  Ending ending;
  ending.run_delay = RunDelay(pid);
  rusage usage{};
  pid_t reaped = Wait(pid, &ending.status, &usage);
  MR_CHECK(reaped == pid, "child %d was reaped by somebody else: errno %d", static_cast<int>(pid), errno);
  ending.cpu = FromTimeval(usage.ru_utime) + FromTimeval(usage.ru_stime);
  return ending;
}

void SignalGroup(pid_t pid, int signal) {
  MR_CHECK(pid > 1, "a signal for process %d, which is no child", static_cast<int>(pid));
  kill(-pid, signal);
  if (getpgid(pid) != pid) kill(pid, signal);
}

}  // namespace millrace::io
