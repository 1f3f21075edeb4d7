#include "runtime/reporter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "runtime/runtime.h"

namespace millrace::rt {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// The program zoo.cc, with pipes to all its ends.
class Zoo {
 public:
  explicit Zoo(bool in_background = false) {
    EXPECT_EQ(pipe2(in_, O_CLOEXEC) + pipe2(out_, O_CLOEXEC) + pipe2(err_, O_CLOEXEC), 0);
    posix_spawn_file_actions_t ends;
    posix_spawn_file_actions_init(&ends);
    posix_spawn_file_actions_adddup2(&ends, in_[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&ends, out_[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&ends, err_[1], STDERR_FILENO);
    char program[] = MILLRACE_ZOO;
    char* arguments[] = {program, nullptr};
    // As a shell does for what runs in the background: the program finds the signal ignored.
    if (in_background) signal(SIGQUIT, SIG_IGN);
    EXPECT_EQ(posix_spawn(&pid_, program, &ends, nullptr, arguments, environ), 0);
    if (in_background) signal(SIGQUIT, SIG_DFL);
    posix_spawn_file_actions_destroy(&ends);
    for (int fd : {in_[0], out_[1], err_[1]}) close(fd);
    EXPECT_EQ(ReadUntil(out_[0], "open\n"), "open\n");
  }
  ~Zoo() {
    close(out_[0]);
    close(err_[0]);
  }
  void Signal(int signal) { kill(pid_, signal); }
  std::string AwaitDump() { return ReadUntil(err_[0], "runtime: end of fiber dump\n"); }
  // As waitpid tells it.
  int Close() {
    close(in_[1]);
    int status = -1;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    return status;
  }

 private:
  static std::string ReadUntil(int fd, const std::string& end) {
    std::string text;
    char byte;
    while (!text.ends_with(end) && read(fd, &byte, 1) == 1) text += byte;
    return text;
  }

  int in_[2] = {-1, -1}, out_[2] = {-1, -1}, err_[2] = {-1, -1};
  pid_t pid_ = -1;
};

// ThreadSanitizer keeps a signal back until the thread it came to calls into the C library next; an idle machine,
// asleep in a futex of ours, does not.
#if !defined(__SANITIZE_THREAD__)
TEST(SigQuit, PrintsAllFibersAndTheProgramGoesOn) {
  Zoo zoo;
  for (int i = 0; i < 3; ++i) {
    zoo.Signal(SIGQUIT);
    std::string text = zoo.AwaitDump();
    // The main fiber reads its input, or is about to.
    EXPECT_THAT(text, ContainsRegex("runtime: fiber dump: 6 fibers: (1 asleep in a call, )?1 blocking call, "
                                    "3 channel receive, (1 running, )?1 timer\n"));
    EXPECT_THAT(text, ContainsRegex("'lion' \\[channel receive, .*LieInTheCave\\(\\) at .*GoIntoTheCave\\(\\) at "));
    EXPECT_THAT(text, ContainsRegex("'bear' \\[timer, .*Hibernate\\(\\) at .*zoo.cc:[0-9]+\n"));
    EXPECT_THAT(text, ContainsRegex("'mole' \\[blocking call, .*DigATunnel\\(int\\) at .*zoo.cc:[0-9]+\n"));
  }
  EXPECT_EQ(zoo.Close(), 0) << "it ended of its own accord, with 0";
}

TEST(SigQuit, PrintsThemAlsoInTheBackgroundOfAShell) {
  Zoo zoo(true);
  zoo.Signal(SIGQUIT);
  EXPECT_THAT(zoo.AwaitDump(), HasSubstr("runtime: fiber dump: 6 fibers"));
  EXPECT_EQ(zoo.Close(), 0);
}
#endif

void Exchange(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

TEST(SigQuitDeathTest, IsLeftAloneWhereTheProgramHandlesIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Exchange(SIGQUIT, [](int) { _exit(7); });
        Runtime({.procs = 1}).Run([] { raise(SIGQUIT); });
      },
      ::testing::ExitedWithCode(7), "^$");
}

TEST(SigQuitDeathTest, QuitsWhereTheRuntimeIsToldToLeaveItAlone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(Runtime({.procs = 1, .dump_on_sigquit = false}).Run([] { raise(SIGQUIT); }),
              ::testing::KilledBySignal(SIGQUIT), "");
}

TEST(LastWordsDeathTest, AreWrittenByTheReporter) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        StartReporter();
        const char* text = "so long\n";
        bool written = WriteLastWords([](const void* t) { return std::string(static_cast<const char*>(t)); }, text,
                                      int64_t{1} << 60);
        _exit(written ? 3 : 4);
      },
      ::testing::ExitedWithCode(3), "^so long\n$");
}

TEST(LastWordsDeathTest, AreGivenUpWhenTheyTakeTooLong) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        StartReporter();
        bool written = WriteLastWords(
            [](const void*) -> std::string {
              for (;;) pause();
            },
            nullptr, 1);
        _exit(written ? 3 : 4);
      },
      ::testing::ExitedWithCode(4), "^$");
}

}  // namespace
}  // namespace millrace::rt
