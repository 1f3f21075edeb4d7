#include "io/child.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class ChildTest : public IoTest {
 protected:
  void TearDown() override {
    EXPECT_TRUE(test::HasNoChildren());
    IoTest::TearDown();
  }

  // A shell that reads from `input`, started behind io's back.
  static pid_t StartShell(const char* script, int input) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    const char* argv[] = {"sh", "-c", script, nullptr};
    char* env[] = {nullptr};
    pid_t pid = -1;
    int error = posix_spawn(&pid, "/bin/sh", &actions, nullptr, const_cast<char**>(argv), env);
    MR_CHECK(error == 0, "no shell: error %d", error);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }
};
INSTANTIATE_TEST_SUITE_P(Procs, ChildTest, test::kAnyProcs);

TEST_P(ChildTest, AFiberWaitsForAChildThatExits) {
  Run([] {
    RawPipe pipe;
    pid_t pid = StartShell("read x; exit $x", pipe.reader.get());
    Result<ChildEnd> end = ChildEnd{};
    WatchedFiber waits([&] { end = AwaitChild(pid); });
    waits.AwaitParked();
    EXPECT_FALSE(waits.finished());
    ASSERT_EQ(write(pipe.writer.get(), "7\n", 2), 2);
    waits.Join();
    ASSERT_TRUE(end.ok()) << end.status().ToString();
    EXPECT_EQ(end->code, 7);
    EXPECT_EQ(end->signal, 0);
  });
}

TEST_P(ChildTest, AChildThatIsKilledTellsBySignal) {
  Run([] {
    RawPipe pipe;
    pid_t pid = StartShell("read x", pipe.reader.get());
    EXPECT_EQ(ReasonOf(AwaitChild(pid, Within(5ms))), "IO_DEADLINE");
    kill(pid, SIGKILL);
    Result<ChildEnd> end = AwaitChild(pid);
    ASSERT_TRUE(end.ok()) << end.status().ToString();
    EXPECT_EQ(end->signal, SIGKILL);
    EXPECT_EQ(ReasonOf(AwaitChild(pid)), "ECHILD") << "it has been reaped";
  });
}

TEST_P(ChildTest, AProcessThatIsNoChildIsTold) {
  Run([] {
    auto end = AwaitChild(getppid());
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.status().code(), StatusCode::kNotFound);
  });
}

}  // namespace
}  // namespace millrace::io
