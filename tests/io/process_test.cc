#include "io/process.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <new>
#include <thread>

#include "base/check.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "sync/cancel.h"
#include "sync/wait_group.h"
#include "tests/io/process_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;

std::string Text(size_t bytes) {
  std::string text(bytes, ' ');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

// Resident memory of this process.
size_t ResidentBytes() {
  size_t total = 0, pages = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (file && fscanf(file, "%zu %zu", &total, &pages) != 2) pages = 0;
  if (file) fclose(file);
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(Process, FeedsTheInputAndReturnsTheOutputHoweverLong) {
  std::string text = Text(1 << 20);
  ProcessSpec cat = Program("/bin/cat");
  cat.input = text;
  EXPECT_EQ(OutputOf(cat), text);
}

TEST_F(Process, AnOutputOfExactlyTheLimitIsWhole) {
  ProcessSpec spec = Shell("head -c 1000 /dev/zero");
  spec.output_bytes_max = 1000;
  Result<ProcessExit> exit = Run(spec);
  ASSERT_TRUE(exit.ok());
  EXPECT_FALSE(exit->output_overflow);
  EXPECT_EQ(exit->output.size(), 1000u);
}

TEST_F(Process, AChildThatDoesNotReadItsInputIsNoError) {
  std::string text = Text(1 << 20);
  for (const char* script : {"true", "exec 0<&-; echo closed", "head -c 10 > /dev/null"}) {
    ProcessSpec spec = Shell(script);
    spec.input = text;
    Result<ProcessExit> exit = Run(spec);
    ASSERT_TRUE(exit.ok()) << script;
    EXPECT_TRUE(exit->success()) << script;
  }
}

TEST_F(Process, HandsOverErrorOutputApartFromTheOutput) {
  std::string errors;
  ProcessSpec spec = Shell("echo out; echo one >&2; echo two >&2");
  spec.on_error_output = [&](std::string_view bytes) { errors += bytes; };
  EXPECT_EQ(OutputOf(spec), "out\n");
  EXPECT_EQ(errors, "one\ntwo\n");
}

TEST_F(Process, TellsHowTheChildEnded) {
  Result<ProcessExit> exit = Run(Shell("exit 42"));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, 42);
  EXPECT_EQ(exit->signal, 0);
  exit = Run(Shell("kill -SEGV $$"));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->signal, SIGSEGV);
  EXPECT_FALSE(exit->success());
  EXPECT_EQ(SignalName(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(SignalName(42), "signal 42");
}

TEST_F(Process, AChildThatCannotBeStartedIsAStatusThatSaysWhy) {
  Result<ProcessExit> exit = Run(Program("/no/such/program"));
  EXPECT_EQ(exit.status().reason(), "PROCESS_START_FAILED");
  EXPECT_EQ(exit.status().message(), "cannot start '/no/such/program': No such file or directory");
  EXPECT_EQ(exit.status().metadata().at("errno"), "ENOENT");

  EXPECT_EQ(Run(Program("/etc/passwd")).status().message(), "cannot start '/etc/passwd': Permission denied");

  ProcessSpec lost = Program("/bin/true");
  lost.directory = "/no/such/folder";
  EXPECT_EQ(Run(lost).status().message(),
            "cannot start '/bin/true': working directory '/no/such/folder': No such file or directory");

  ProcessSpec greedy = Program("/bin/true");
  greedy.limits.open_files = int64_t{1} << 40;  // Above fs.nr_open: refused for root as well.
  EXPECT_NE(Run(greedy).status().message().find("the limit of 1099511627776 open files ("), std::string::npos);
}

TEST_F(Process, RunsOnAPlainThreadAsWell) {
  ProcessHost host;
  Result<ProcessExit> exit = host.Run(Shell("echo plain"), {});
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->output, "plain\n");
}

TEST_F(Process, ReportsWhatTheChildUsed) {
  // On one processor with a rival that never pauses, the child must wait for its turn some of the time.
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) ++cpu;
  Result<ProcessExit> exit =
      Run(Shell("taskset -pc " + std::to_string(cpu) +
                " $$ >/dev/null; (while :; do :; done) & i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; kill $!"));
  ASSERT_TRUE(exit.ok());
  EXPECT_GT(exit->cpu, 0ns);
  EXPECT_GT(exit->run_delay, 0ns);
}

TEST_F(Process, ACancelledChildMayCleanUp) {
  sync::CancelSource source;
  ProcessSpec spec = Shell("trap 'echo bye; exit 3' TERM; echo ready >&2; while :; do sleep 0.01; done");
  spec.grace = 1h;
  spec.on_error_output = [&](std::string_view) { source.Cancel(Cancelled("TEST", "enough")); };
  Result<ProcessExit> exit = Run(spec, source.token());
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(exit->output, "bye\n");
}

TEST_F(Process, AChildThatIgnoresTermIsKilledAfterTheGrace) {
  sync::CancelSource source;
  ProcessSpec spec = Shell("trap '' TERM; echo ready >&2; while :; do sleep 1000; done");
  spec.grace = 20ms;
  spec.on_error_output = [&](std::string_view) { source.Cancel(Cancelled("TEST", "enough")); };
  Result<ProcessExit> exit = Run(spec, source.token());
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->signal, SIGKILL);
}

TEST_F(Process, AStoppedChildHearsTheTerm) {
  sync::CancelSource source;
  ProcessSpec spec = Shell("echo ready >&2; kill -STOP $$");
  spec.grace = 1h;
  spec.on_error_output = [&](std::string_view) { source.Cancel(Cancelled("TEST", "enough")); };
  Result<ProcessExit> exit = Run(spec, source.token());
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->signal, SIGTERM);
}

TEST_F(Process, IsNotStartedWhenItIsCancelledAlready) {
  sync::CancelSource source;
  source.Cancel(DeadlineExceeded("RUN_TIMEOUT", "too late"));
  Result<ProcessExit> exit = Run(Program("/bin/true"), source.token());
  EXPECT_EQ(exit.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(exit.status().message(), "'/bin/true' was not started: too late");
}

TEST_F(Process, CancellingRacesWithItsEnd) {
  ProcessHost host;
  for (int round = 0; round < 100; ++round) {
    sync::CancelSource source;
    std::atomic<bool> go{false};
    std::thread canceller([&] {
      while (!go) std::this_thread::yield();
      for (volatile int wait = 0; wait < round * 2000;) wait = wait + 1;
      source.Cancel(Cancelled("TEST", "enough"));
    });
    go = true;
    Result<ProcessExit> exit = host.Run(Program("/bin/true"), source.token());
    canceller.join();
    if (exit.ok()) {
      EXPECT_TRUE(exit->success() || exit->signal == SIGTERM) << exit->code << " " << exit->signal;
    } else {
      EXPECT_EQ(exit.status().code(), StatusCode::kCancelled);
    }
  }
}

TEST_F(Process, AFloodIsStoppedAndKeepsOnlyItsBeginning) {
  Result<ProcessExit> exit = Run(Program("/usr/bin/yes"));
  ASSERT_TRUE(exit.ok());
  EXPECT_TRUE(exit->output_overflow);
  EXPECT_EQ(exit->output.size(), size_t{1} << 20);
  EXPECT_EQ(exit->signal, SIGTERM);
}

TEST_F(Process, AFloodThatIgnoresTermIsDroppedWithoutGrowingMemory) {
  size_t before = ResidentBytes();
  ProcessSpec spec = Shell("trap '' TERM; head -c 400m /dev/zero; echo over >&2");
  spec.grace = 1h;
  std::string errors;
  size_t resident = 0;
  spec.on_error_output = [&](std::string_view bytes) {
    errors += bytes;
    resident = ResidentBytes();
  };
  Result<ProcessExit> exit = Run(spec);
  ASSERT_TRUE(exit.ok());
  EXPECT_TRUE(exit->output_overflow);
  EXPECT_TRUE(exit->success());
  EXPECT_EQ(errors, "over\n");
  EXPECT_LT(resident, before + (size_t{64} << 20));
}

TEST_F(Process, AnErrorOutputThatMemoryIsRefusedForEndsThisChildOnly) {
  ProcessHost host;
  ProcessSpec spec = Shell("echo more >&2; exec sleep 1000");
  spec.on_error_output = [](std::string_view) { throw std::bad_alloc(); };
  Result<ProcessExit> exit = host.Run(spec, {});
  EXPECT_EQ(exit.status().reason(), "PROCESS_STOPPED_FOR_MEMORY");
  EXPECT_EQ(exit.status().message(), "'/bin/sh' was stopped: no memory is left for its input and output");
  EXPECT_TRUE(host.Run(Program("/bin/true"), {})->success());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // They take memory as they like.
// No more than `room` bytes can be had while it lives.
class LittleMemory {
 public:
  explicit LittleMemory(rlim_t room) {
    // Else what was reserved earlier may be enough for large ones too.
    MR_CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1, "malloc is another one");
    MR_CHECK(getrlimit(RLIMIT_DATA, &before_) == 0, "no limit");
    rlim_t pages = 0;  // The sixth number: what this process has and may write to.
    std::ifstream statm("/proc/self/statm");
    for (int i = 0; i < 6; ++i) statm >> pages;
    rlimit tight = before_;
    tight.rlim_cur = pages * static_cast<rlim_t>(getpagesize()) + room;
    MR_CHECK(setrlimit(RLIMIT_DATA, &tight) == 0, "the limit stays");
  }
  ~LittleMemory() { setrlimit(RLIMIT_DATA, &before_); }

 private:
  rlimit before_{};
};

TEST_F(Process, AnOutputThatMemoryIsRefusedForEndsThisChildOnly) {
  ProcessHost host;
  ProcessSpec flood = Program("/usr/bin/head", {"-c", "100000000", "/dev/zero"});
  flood.output_bytes_max = size_t{1} << 30;
  EXPECT_TRUE(host.Run(Program("/bin/true"), {})->success()) << "the thread has all that it needs";
  LittleMemory shortage(size_t{8} << 20);
  EXPECT_EQ(host.Run(flood, {}).status().reason(), "PROCESS_STOPPED_FOR_MEMORY");
  EXPECT_TRUE(host.Run(Program("/bin/true"), {})->success());
}

TEST_F(Process, AStartThatMemoryIsRefusedForIsARefusal) {
  ProcessHost host;
  ProcessSpec large = Program("/bin/true");
  large.argv.resize(2'000'000);  // The table of pointers to them is too much.
  EXPECT_TRUE(host.Run(Program("/bin/true"), {})->success()) << "the thread has all that it needs";
  LittleMemory shortage(size_t{8} << 20);
  Result<ProcessExit> exit = host.Run(large, {});
  EXPECT_EQ(exit.status().reason(), "PROCESS_START_REFUSED");
  EXPECT_EQ(exit.status().metadata().at("errno"), "ENOMEM");
  EXPECT_TRUE(host.Run(Program("/bin/true"), {})->success());
}
#endif

TEST_F(Process, AFloodOfErrorOutputPassesThrough) {
  size_t bytes = 0;
  ProcessSpec spec = Shell("head -c 100m /dev/zero >&2");
  spec.on_error_output = [&](std::string_view chunk) { bytes += chunk.size(); };
  EXPECT_EQ(OutputOf(spec), "");
  EXPECT_EQ(bytes, size_t{100} << 20);
}

TEST_F(Process, StragglersInItsGroupAreKilledWhenTheLeaderEnds) {
  Subreaper subreaper;
  std::string output = OutputOf(Shell("sleep 1000 & echo $!"));
  EXPECT_EQ(Subreaper::SignalThatEnded(std::stoi(output)), SIGKILL);
}

TEST_F(Process, ADescendantThatLeftTheGroupCannotHoldThePipes) {
  Subreaper subreaper;
  std::string output =
      OutputOf(Shell("trap 'exit 0' USR1; setsid sh -c \"echo \\$\\$; kill -USR1 $$; exec sleep 1000\" & wait"));
  pid_t escaped = std::stoi(output);
  ASSERT_EQ(kill(escaped, SIGTERM), 0) << "it is alive";
  EXPECT_EQ(Subreaper::SignalThatEnded(escaped), SIGTERM);
}

TEST_F(Process, ADescendantThatLeftTheGroupAndNeverStopsWritingIsCutOff) {
  Subreaper subreaper;
  ProcessSpec spec = Shell("trap 'exit 0' USR1; setsid sh -c \"echo \\$\\$ >&2; kill -USR1 $$; exec yes\" & wait");
  std::string errors;
  spec.on_error_output = [&](std::string_view bytes) { errors += bytes; };
  ASSERT_TRUE(Run(spec).ok());
  // Its next write finds nobody at the other end.
  EXPECT_EQ(Subreaper::SignalThatEnded(std::stoi(errors)), SIGPIPE);
}

TEST_F(Process, AChildThatClosesItsOutputIsStillWaitedFor) {
  Result<ProcessExit> exit = Run(Shell("exec >&- 2>&-; sleep 0.05; exit 9"));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, 9);
}

TEST_F(Process, ManyRunInParallel) {
  ProcessHost host;
  test::OnProcs(2, [&] {
    std::atomic<int> right{0};
    sync::WaitGroup all;
    for (int i = 0; i < 200; ++i) {
      all.Go([&, i] {
        std::string text = Text(static_cast<size_t>(i) * 1000);
        ProcessSpec cat = Program("/bin/cat");
        cat.input = text;
        Result<ProcessExit> exit = host.Run(cat, {});
        if (exit.ok() && exit->success() && exit->output == text) ++right;
      });
    }
    all.Wait();
    host.Stop();
    EXPECT_EQ(right, 200);
  });
}

TEST_F(Process, StopKillsWhatRunsAndStartsNoMore) {
  ProcessSpec spec = Shell("trap '' TERM; echo ready >&2; sleep 1000");
  rt::Parker ready;
  spec.on_error_output = [&](std::string_view) { ready.Wake(); };
  ProcessHost host;
  std::thread stopper([&] {
    ready.Wait(rt::WaitReason::kExternal);
    host.Stop();
  });
  test::OnProcs(2, [&] {
    Result<ProcessExit> exit = host.Run(spec, {});
    stopper.join();
    ASSERT_TRUE(exit.ok());
    EXPECT_EQ(exit->signal, SIGKILL);
    EXPECT_EQ(host.Run(Program("/bin/true"), {}).status().reason(), "PROCESS_HOST_STOPPED");
    host.Stop();
  });
}

}  // namespace
}  // namespace millrace::io
