// What a child finds when it starts, and that it ends with its daemon.
#include "io/spawn.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/open_files.h"
#include "runtime/park.h"
#include "tests/io/process_fixture.h"
#include "tests/support/capability.h"

namespace millrace::io {
namespace {

class Spawning : public Process {
 protected:
  // This test program once more, as another process that plays the part of a daemon: `role` is one of the disabled
  // tests below.
  static ProcessSpec Daemon(const std::string& role) {
    char path[4096] = {};
    (void)!readlink("/proc/self/exe", path, sizeof path - 1);
    return {.program = path,
            .argv = {path, "--gtest_also_run_disabled_tests", "--gtest_filter=SpawningRole.DISABLED_" + role},
            .env = {"PATH=/usr/bin:/bin"}};
  }
};

TEST_F(Spawning, TheEnvironmentIsExactlyTheOneGiven) {
  setenv("MILLRACE_SECRET", "of the daemon", 1);
  ProcessSpec spec = Program("/usr/bin/env");
  spec.env = {"ONE=1", "TWO=two words"};
  EXPECT_EQ(OutputOf(spec), "ONE=1\nTWO=two words\n");
  unsetenv("MILLRACE_SECRET");
}

TEST_F(Spawning, NothingIsOpenButTheThreeStandardDescriptors) {
  UniqueFd inheritable(open("/dev/null", O_RDONLY));  // NOLINT: without O_CLOEXEC on purpose
  UniqueFd high(dup2(inheritable.get(), 200));
  EXPECT_EQ(OutputOf(Program("/bin/ls", {"/proc/self/fd"})), "0\n1\n2\n3\n") << "3 is the folder that ls reads";
}

TEST_F(Spawning, TheChildLeadsAProcessGroupOfItsOwn) {
  std::string output = OutputOf(Shell("echo $$; cut -d' ' -f5 /proc/$$/stat"));
  size_t line = output.find('\n');
  EXPECT_EQ(output, output.substr(0, line) + "\n" + output.substr(0, line) + "\n");
  EXPECT_NE(std::stoi(output), getpgrp());
}

TEST_F(Spawning, SignalsAreUnblockedAndAtTheirDefaults) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGUSR1, &ignore, &before);
  EXPECT_EQ(OutputOf(Program("/bin/grep", {"-E", "^Sig(Blk|Ign|Pnd)", "/proc/self/status"})),
            "SigPnd:\t0000000000000000\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(Spawning, TheUmaskIsThatOfThisProcessUnlessTheSpecNamesOne) {
  const mode_t before = umask(077);
  EXPECT_EQ(OutputOf(Shell("umask")), "0077\n");
  umask(before);
}

TEST_F(Spawning, DirectoryUmaskAndPrivilegesAreSet) {
  ProcessSpec spec = Shell("pwd; umask; grep NoNewPrivs /proc/self/status");
  spec.directory = "/usr";
  spec.umask = 027;
  EXPECT_EQ(OutputOf(spec), "/usr\n0027\nNoNewPrivs:\t1\n");
}

TEST_F(Spawning, ALimitThatCannotBeSetIsNamed) {
  const test::WithoutCapability unprivileged(CAP_SYS_RESOURCE);
  rlimit own{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &own), 0);
  ProcessSpec spec = Program("/bin/true");
  spec.limits.open_files = static_cast<int64_t>(own.rlim_max) + 1;
  Result<ProcessExit> exit = Run(spec);
  EXPECT_EQ(exit.status().reason(), "PROCESS_START_FAILED");
  EXPECT_EQ(exit.status().message(), "cannot start '/bin/true': the limit of " + std::to_string(own.rlim_max + 1) +
                                         " open files (the hard limit of this process is " +
                                         std::to_string(own.rlim_max) +
                                         ", see ulimit -Hn) could not be set: Operation not permitted");
}

TEST_F(Spawning, LimitsAreSet) {
  ProcessSpec spec = Shell("ulimit -c; ulimit -n; ulimit -v; ulimit -f; ulimit -t");
  spec.limits = {.cpu_seconds = 7, .address_space_bytes = int64_t{1} << 30, .file_bytes = 1 << 20, .open_files = 64};
  EXPECT_EQ(OutputOf(spec), "0\n64\n1048576\n2048\n7\n") << "core, files, KiB of memory, blocks of 512 bytes, seconds";
}

TEST_F(Spawning, AChildThatComputesForTooLongIsStopped) {
  ProcessSpec spec = Shell("while :; do :; done");
  spec.limits.cpu_seconds = 1;
  Result<ProcessExit> exit = Run(spec);
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->signal, SIGXCPU);
}

// As the daemon below: starts a child that would run for long, and tells both numbers.
TEST(SpawningRole, DISABLED_RunsALongChild) {
  ProcessHost host;
  ProcessSpec child{
      .program = "/bin/sh", .argv = {"sh", "-c", "echo $$ >&2; exec sleep 1000"}, .env = {"PATH=/usr/bin:/bin"}};
  child.on_error_output = [](std::string_view pid) {
    dprintf(STDERR_FILENO, "%d %s", getpid(), std::string(pid).c_str());
  };
  (void)host.Run(child, {});
}

TEST_F(Spawning, ChildrenDieWhenTheirDaemonIsKilled) {
  Subreaper subreaper;
  int daemon = 0, child = 0;
  ProcessSpec spec = Daemon("RunsALongChild");
  spec.on_error_output = [&](std::string_view text) {
    if (sscanf(std::string(text).c_str(), "%d %d", &daemon, &child) == 2) kill(daemon, SIGKILL);
  };
  Result<ProcessExit> exit = Run(spec);
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->signal, SIGKILL);
  ASSERT_GT(child, 1);
  EXPECT_EQ(Subreaper::SignalThatEnded(child), SIGKILL);
}

// The limit is put back before anything else needs a descriptor.
TEST_F(Spawning, TheLastDescriptorsAreNotForPrograms) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  const ProcessSpec sleep = Program("/bin/sleep", {"1000"});
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const UniqueFd next(dup(STDIN_FILENO));
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next.get()) + 80;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  const auto spare = static_cast<size_t>(SpareDescriptors());
  std::vector<Spawned> running;
  Result<Spawned> last = Spawn(sleep);
  for (; last.ok(); last = Spawn(sleep)) running.push_back(*std::move(last));
  std::vector<UniqueFd> left;
  for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) left.emplace_back(fd);
  setrlimit(RLIMIT_NOFILE, &before);
  left.shrink_to_fit();
  EXPECT_EQ(last.status().reason(), "PROCESS_START_REFUSED");
  EXPECT_EQ(last.status().metadata().at("errno"), "EMFILE");
  EXPECT_GE(running.size(), 10u);
  EXPECT_GE(spare, 10u);
  EXPECT_GE(left.size(), spare);
  for (const Spawned& each : running) {
    SignalGroup(each.pid, SIGKILL);
    Reap(each.pid);
  }
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

TEST(SpawningRole, DISABLED_HasNoStandardDescriptors) {
  close(STDIN_FILENO);
  close(STDERR_FILENO);
  for (int number : {3, 4}) dup2(STDOUT_FILENO, number);  // So that the host takes neither.
  ProcessHost host;
  for (int number : {3, 4}) close(number);
  std::string errors, side;
  ProcessSpec child{
      .program = "/bin/sh", .argv = {"sh", "-c", "cat; echo errors >&2; echo side >&3"}, .env = {"PATH=/usr/bin:/bin"}};
  child.input = "input";
  child.on_error_output = [&](std::string_view bytes) { errors += bytes; };
  child.on_side_output = [&](std::string_view bytes) { side += bytes; };
  Result<ProcessExit> exit = host.Run(child, {});
  bool right = exit.ok() && exit->success() && exit->output == "input" && errors == "errors\n" && side == "side\n";
  _exit(right ? 0 : 1);
}

TEST_F(Spawning, WorksInADaemonWhoseStandardDescriptorsAreClosed) { OutputOf(Daemon("HasNoStandardDescriptors")); }

}  // namespace
}  // namespace millrace::io
