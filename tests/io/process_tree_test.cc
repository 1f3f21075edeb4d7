// What a program started in turn ends with it, wherever it has gone, and also when the daemon was killed.
#include "io/process_tree.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "runtime/park.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"
#include "tests/io/process_fixture.h"
#include "tests/support/temp_folder.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;

bool Gone(pid_t pid) { return kill(pid, 0) != 0 && errno == ESRCH; }

// Bounded only to catch a hang.
template <typename Condition>
bool Becomes(Condition condition) {
  for (auto until = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < until;) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

class Tree : public Process {
 protected:
  void TearDown() override {
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    Process::TearDown();
  }
  static std::string MarkOfThisTest() { return "test" + std::to_string(getpid()); }

  // A host that adopts, on the main fiber of a runtime.
  static ProcessExit RunAdopting(const ProcessSpec& spec, const sync::CancelToken& cancel = {}) {
    ProcessExit result;
    ProcessHost host({.adopt = true, .mark = MarkOfThisTest()});
    test::OnProcs(2, [&] {
      Result<ProcessExit> exit = host.Run(spec, cancel);
      EXPECT_TRUE(exit.ok()) << exit.status().ToString();
      if (exit.ok()) result = *std::move(exit);
      host.Stop();
    });
    return result;
  }
};

TEST_F(Tree, ADescendantWithASessionOfItsOwnIsGoneWhenRunReturns) {
  ProcessExit exit =
      RunAdopting(Shell("trap 'exit 0' USR1; setsid sh -c \"echo \\$\\$; kill -USR1 $$; exec sleep 1000\" & wait"));
  EXPECT_TRUE(exit.success());
  EXPECT_TRUE(Gone(std::stoi(exit.output)));
}

TEST_F(Tree, ADescendantWhoseParentHasEndedIsGoneWhenRunReturns) {
  // Twice forked and with a session of its own, as a service starts: when the leader ends, nothing but the mark tells
  // whose it was. The substitution waits until it has closed the pipe.
  ProcessExit exit =
      RunAdopting(Shell("echo $( (setsid sh -c 'trap \"\" TERM HUP; echo $$; exec sleep 1000 >/dev/null 2>&1' &) )"));
  EXPECT_TRUE(exit.success());
  EXPECT_TRUE(Gone(std::stoi(exit.output)));
}

TEST_F(Tree, WhatADescendantWithASessionOfItsOwnStartsIsFoundThoughItClearsTheMark) {
  ProcessExit exit =
      RunAdopting(Shell("echo $( (setsid sh -c 'env -i sh -c \"echo \\$\\$; exec sleep 1000 >/dev/null 2>&1\" & exec "
                        ">/dev/null; wait' 2>/dev/null &) )"));
  EXPECT_TRUE(exit.success());
  EXPECT_TRUE(Gone(std::stoi(exit.output)));
}

// While a program is being started (execve) its process shows no environment, and so no mark. This one starts itself
// again and again, so some of its leaders end at just such a moment.
TEST_F(Tree, AnOrphanThatIsJustStartingAProgramIsGoneWhenRunReturns) {
  const test::TempFolder folder;
  const std::string again = folder.path() + "/again";
  std::ofstream(again) << "#!/bin/sh\nexec \"$0\"\n";
  ASSERT_EQ(chmod(again.c_str(), 0755), 0);
  ProcessHost host({.adopt = true, .mark = MarkOfThisTest()});
  test::OnProcs(2, [&] {
    for (int i = 0; i < 50; ++i) {
      Result<ProcessExit> exit =
          host.Run(Shell("echo $( (setsid sh -c 'echo $$; exec \"$0\" >/dev/null 2>&1' " + again + " &) )"), {});
      ASSERT_TRUE(exit.ok());
      const pid_t orphan = std::stoi(exit->output);
      const bool gone = Gone(orphan);
      if (!gone) kill(orphan, SIGKILL);
      ASSERT_TRUE(gone) << i;
    }
    host.Stop();
  });
}

// Else the orphan of one job would make every end of all others look at all processes.
TEST_F(Tree, AnOrphanOfAnotherLeaderIsToldByItsMarkAndOneThatIsOlderByItsStart) {
  int hold[2];
  ASSERT_EQ(pipe2(hold, O_CLOEXEC), 0);
  const std::string mark = MarkOfThisTest();
  const std::string variable = std::string(kMarkVariable) + "=" + mark + "-1";
  const pid_t orphan = fork();
  if (orphan == 0) {
    dup2(hold[0], 0);
    char* const argv[] = {const_cast<char*>("cat"), nullptr};
    char* const env[] = {const_cast<char*>(variable.c_str()), nullptr};
    execve("/bin/cat", argv, env);
    _exit(127);
  }
  // This process in the place of a leader that is older.
  EXPECT_TRUE(Becomes([&] { return !MayBelong({orphan}, {.leader = getpid(), .mark = mark + "-2"}); }));
  EXPECT_FALSE(MayBelong({orphan}, {.leader = getpid(), .mark = mark + "-11"}));
  EXPECT_TRUE(MayBelong({orphan}, {.leader = getpid(), .mark = mark + "-1"}));
  EXPECT_TRUE(MayBelong({orphan}, {.leader = getpid(), .mark = "other-2"})) << "of no host that we know";
  EXPECT_TRUE(MayBelong({orphan}, {.leader = getpid()})) << "nothing tells";
  EXPECT_FALSE(MayBelong({}, {.leader = getpid()}));
  // It starts later than this process by more than the kernel counts, 10 ms.
  EXPECT_TRUE(Becomes([&] {
    const pid_t leader = fork();
    if (leader == 0) _exit(0);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(leader), &info, WEXITED | WNOWAIT);
    const bool may_belong = MayBelong({orphan}, {.leader = leader});
    waitpid(leader, nullptr, 0);
    return !may_belong;
  }));
  close(hold[0]);
  close(hold[1]);
  EXPECT_EQ(Subreaper::SignalThatEnded(orphan), 0);
}

// A process that was killed takes a moment to go, and the parent by which it was found may be gone before.
TEST(FindTree, AMemberStaysOneWhenItsParentIsGone) {
  const std::vector<ProcessEntry> before = {{.pid = 100, .parent = 1, .group = 100, .session = 100, .start = 7},
                                            {.pid = 101, .parent = 100, .group = 101, .session = 101, .start = 8},
                                            {.pid = 102, .parent = 101, .group = 102, .session = 102, .start = 9}};
  const std::vector<ProcessEntry> members = FindTree(before, {.leader = 100}).members;
  ASSERT_EQ(members.size(), 3u);
  const std::vector<ProcessEntry> after = {{.pid = 102, .parent = 1, .group = 102, .session = 102, .start = 9}};
  EXPECT_TRUE(FindTree(after, {.leader = 100}).members.empty());
  EXPECT_EQ(FindTree(after, {.leader = 100, .known = members}).members.size(), 1u);
  // The number of another one by now.
  const std::vector<ProcessEntry> later = {{.pid = 102, .parent = 1, .group = 102, .session = 102, .start = 10}};
  EXPECT_TRUE(FindTree(later, {.leader = 100, .known = members}).members.empty());
}

TEST_F(Tree, AllOfItHearsTheTerm) {
  sync::CancelSource source;
  // The leader waits for its descendant, whose last word needs a TERM of its own.
  ProcessSpec spec = Shell(
      "trap : TERM; setsid sh -c 'trap \"echo heard; exit 0\" TERM; echo ready >&2; while :; do sleep 0.01; done' & "
      "wait; wait; exit 5");
  spec.grace = 1h;
  spec.on_error_output = [&](std::string_view) { source.Cancel(Cancelled("TEST", "enough")); };
  ProcessExit exit = RunAdopting(spec, source.token());
  EXPECT_EQ(exit.code, 5);
  EXPECT_EQ(exit.output, "heard\n");
}

TEST_F(Tree, TheEndOfOneLeavesTheOrphansOfAnother) {
  ProcessHost host({.adopt = true, .mark = MarkOfThisTest()});
  pid_t orphan = 0;
  test::OnProcs(2, [&] {
    rt::Parker ready;
    sync::CancelSource source;
    ProcessSpec first = Shell("(setsid sh -c 'echo $$ >&2; exec sleep 1000' &) ; exec sleep 1000");
    first.on_error_output = [&](std::string_view pid) {
      orphan = std::stoi(std::string(pid));
      ready.Wake();
    };
    sync::WaitGroup all;
    all.Go([&] { EXPECT_EQ(host.Run(first, source.token())->signal, SIGTERM); });
    ready.Wait(rt::WaitReason::kExternal);
    EXPECT_TRUE(host.Run(Program("/bin/true"), {})->success());
    EXPECT_FALSE(Gone(orphan));
    source.Cancel(Cancelled("TEST", "enough"));
    all.Wait();
    EXPECT_TRUE(Gone(orphan));
    host.Stop();
  });
}

TEST_F(Tree, AnOrphanThatEndsByItselfIsReapedWhileTheLeaderRuns) {
  ProcessHost host({.adopt = true, .mark = MarkOfThisTest()});
  test::OnProcs(2, [&] {
    std::atomic<pid_t> orphan{0};
    sync::CancelSource source;
    ProcessSpec spec = Shell("(sh -c 'echo $$ >&2' &) ; exec sleep 1000");
    spec.on_error_output = [&](std::string_view pid) { orphan = std::stoi(std::string(pid)); };
    sync::WaitGroup all;
    all.Go([&] { (void)host.Run(spec, source.token()); });
    while (orphan == 0) rt::SleepFor(1ms);
    EXPECT_TRUE(Becomes([&] { return Gone(orphan); }));
    source.Cancel(Cancelled("TEST", "enough"));
    all.Wait();
    host.Stop();
  });
}

TEST_F(Tree, StopEndsWholeTrees) {
  ProcessHost host({.adopt = true, .mark = MarkOfThisTest()});
  rt::Parker ready;
  pid_t descendant = 0;
  ProcessSpec spec = Shell("setsid sh -c 'trap \"\" TERM; echo $$ >&2; sleep 1000' & wait");
  spec.on_error_output = [&](std::string_view pid) {
    descendant = std::stoi(std::string(pid));
    ready.Wake();
  };
  std::thread stopper([&] {
    ready.Wait(rt::WaitReason::kExternal);
    host.Stop();
  });
  EXPECT_EQ(host.Run(spec, {})->signal, SIGKILL);
  stopper.join();
  EXPECT_TRUE(Gone(descendant));
}

// As the daemon below: its child has a descendant with a session of its own. Tells their numbers.
TEST(TreeRole, DISABLED_RunsATree) {
  const std::string mark = "role" + std::to_string(getppid());
  ProcessHost host({.adopt = true, .mark = mark});
  ProcessSpec child{.program = "/bin/sh",
                    .argv = {"sh", "-c", "setsid sh -c \"echo $$ \\$\\$ >&2; sleep 1000; echo done\" & wait"},
                    .env = {"PATH=/usr/bin:/bin"}};
  child.on_error_output = [](std::string_view pids) {
    dprintf(STDERR_FILENO, "%d %s", getpid(), std::string(pids).c_str());
  };
  (void)host.Run(child, {});
}

TEST_F(Tree, WhatAKilledDaemonLeftIsEndedByItsMark) {
  Subreaper subreaper;
  int daemon = 0, child = 0, descendant = 0;
  char path[4096] = {};
  (void)!readlink("/proc/self/exe", path, sizeof path - 1);
  ProcessSpec spec{.program = path,
                   .argv = {path, "--gtest_also_run_disabled_tests", "--gtest_filter=TreeRole.DISABLED_RunsATree"},
                   .env = {"PATH=/usr/bin:/bin"}};
  spec.on_error_output = [&](std::string_view text) {
    if (sscanf(std::string(text).c_str(), "%d %d %d", &daemon, &child, &descendant) == 3) kill(daemon, SIGKILL);
  };
  Result<ProcessExit> exit = Run(spec);
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->signal, SIGKILL);
  ASSERT_GT(descendant, 1);
  EXPECT_EQ(Subreaper::SignalThatEnded(child), SIGKILL) << "it dies with its daemon";
  EXPECT_EQ(kill(descendant, 0), 0) << "it is alive";
  const std::string mark = "role" + std::to_string(getpid());
  EXPECT_EQ(EndMarked(mark + "0", 60s), 0u);
  EXPECT_EQ(kill(descendant, 0), 0) << "another's mark is none of its business";
  EXPECT_EQ(EndMarked(mark, 60s), 0u);
  EXPECT_EQ(Subreaper::SignalThatEnded(descendant), SIGKILL);
  while (waitpid(-1, nullptr, 0) > 0) {  // The sleep.
  }
}

TEST_F(Tree, WithoutAMarkTheGroupAndItsChildrenAreFound) {
  ProcessHost host({.adopt = true});
  // In a session of its own, but with a parent in the tree that hears the TERM and waits for it.
  sync::CancelSource source;
  ProcessSpec spec = Shell(
      "trap : TERM; setsid sh -c 'trap \"exit 0\" TERM; echo ready >&2; while :; do sleep 0.01; done' & wait; wait");
  spec.grace = 1h;
  spec.on_error_output = [&](std::string_view) { source.Cancel(Cancelled("TEST", "enough")); };
  EXPECT_TRUE(host.Run(spec, source.token())->success());
}

TEST_F(Tree, ASignalDoesNotMeetALaterProcessOfTheSameNumber) {
  std::optional<std::vector<ProcessEntry>> all = ListProcesses();
  ASSERT_TRUE(all);
  auto self = std::find_if(all->begin(), all->end(), [](const ProcessEntry& each) { return each.pid == getpid(); });
  ASSERT_NE(self, all->end());
  EXPECT_EQ(self->parent, getppid());
  EXPECT_EQ(self->session, getsid(0));
  ProcessEntry earlier = *self;
  --earlier.start;
  SignalProcess(earlier, SIGKILL);
}

// No descriptor can be had while it lives; what is printed then would fail in a sanitizer.
class NoDescriptors {
 public:
  NoDescriptors() {
    MR_CHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0, "no limit");
    rlimit none = before_;
    none.rlim_cur = 0;
    MR_CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0, "the limit stays");
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(Tree, AShortageOfDescriptorsNeitherHidesAMarkNorAnOrphanFromASignal) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  std::optional<std::vector<ProcessEntry>> all = ListProcesses();
  ASSERT_TRUE(all);
  std::erase_if(*all, [&](const ProcessEntry& each) { return each.pid != child; });
  ASSERT_EQ(all->size(), 1u);
  FoundTree found;
  bool listed = true;
  int list_error = 0;
  {
    NoDescriptors shortage;
    found = FindTree(*all, {.mark = MarkOfThisTest(), .orphan_parent = getpid()});
    listed = ListProcesses().has_value();
    list_error = errno;
    SignalProcess(all->front(), SIGTERM);
  }
  EXPECT_TRUE(found.members.empty());
  EXPECT_EQ(found.unclear, 1u);
  EXPECT_EQ(found.error, EMFILE);
  EXPECT_FALSE(listed);
  EXPECT_EQ(list_error, EMFILE);
  EXPECT_EQ(FindTree(*all, {.mark = MarkOfThisTest(), .orphan_parent = getpid()}).unclear, 0u) << "it passes";
  EXPECT_EQ(Subreaper::SignalThatEnded(child), SIGTERM);
}

TEST_F(Tree, AnEmptyEnvironmentIsNoUnclearOne) {
  int hold[2];
  ASSERT_EQ(pipe2(hold, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(hold[0], 0);
    char* const argv[] = {const_cast<char*>("cat"), nullptr};
    char* const env[] = {nullptr};
    execve("/bin/cat", argv, env);
    _exit(127);
  }
  const TreeOf tree{.mark = MarkOfThisTest(), .orphan_parent = getpid()};
  EXPECT_TRUE(Becomes([&] {
    std::string name;
    std::getline(std::ifstream("/proc/" + std::to_string(child) + "/comm"), name);
    return name == "cat" && FindTree(ListProcesses().value(), tree).unclear == 0;
  }));
  close(hold[0]);
  close(hold[1]);
  EXPECT_EQ(Subreaper::SignalThatEnded(child), 0);
}

// The limit is put back before anything else needs a descriptor.
TEST_F(Tree, AShortageOfDescriptorsIsARefusalAndPasses) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  ProcessHost host;
  const int next = dup(STDIN_FILENO);
  ASSERT_GE(next, 0);
  close(next);
  for (rlim_t room = 0; room < 9; ++room) {
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(next) + room;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    Result<ProcessExit> exit = host.Run(Program("/bin/true"), {});
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(exit.status().reason(), "PROCESS_START_REFUSED") << room;
    EXPECT_EQ(exit.status().metadata().at("errno"), "EMFILE");
  }
  Result<ProcessExit> exit = host.Run(Program("/bin/true"), {});
  EXPECT_TRUE(exit.ok() && exit->success());
}

}  // namespace
}  // namespace millrace::io
