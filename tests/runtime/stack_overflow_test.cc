#include "runtime/stack_overflow.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include <thread>

#include "runtime/fiber.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

// A sanitizer is asked after us and has the last word: it ends the process after a report of its own.
#if defined(__SANITIZE_ADDRESS__)
auto Ended() { return ::testing::ExitedWithCode(1); }
#elif defined(__SANITIZE_THREAD__)
auto Ended() { return ::testing::ExitedWithCode(66); }
#else
auto Ended() { return ::testing::KilledBySignal(SIGSEGV); }
#endif

__attribute__((noinline)) int FallForEver(int depth) {
  volatile char frame[200];
  frame[depth % 200] = 1;
  if (depth < 0) return frame[0];
  return FallForEver(depth + 1) + frame[1];
}

__attribute__((noinline)) void LeanOverTheWell() {
  FallForEver(0);
  asm volatile("");
}

// One step larger than the guard and all neighbours' control blocks would be: -fstack-clash-protection touches every page of it.
__attribute__((noinline)) int FallInOneStep() {
  volatile char frame[100 << 10];
  frame[0] = 1;
  return frame[0];
}

void WriteToNowhere() {
  uintptr_t nowhere = 8;
  asm("" : "+r"(nowhere));
  *reinterpret_cast<volatile int*>(nowhere) = 1;
}

class StackOverflowDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(StackOverflowDeathTest, EndsWithTheFibersNameAndBacktrace) {
  EXPECT_EXIT(
      Runtime({.procs = 2, .stack_bytes = 64 << 10}).Run([] {
        Go({.name = "diver"}, LeanOverTheWell);
        for (;;) Yield();
      }),
      Ended(),
      "fatal error: stack overflow in fiber [0-9]+ 'diver' \\(stack of 64 KiB; raise FiberOptions::stack_bytes or "
      "RuntimeOptions::stack_bytes\\)\n"
      "  #0 0x[0-9a-f]+ .*FallForEver\\(int\\).* at .*stack_overflow_test.cc:[0-9]+\n"
      "(  #[0-9]+ .*\n){29}"
      "  \\.\\.\\. [0-9]+ more \\.\\.\\.\n"
      "(  #[0-9]+ .*\n)*"
      "  #[0-9]+ 0x[0-9a-f]+ .*LeanOverTheWell\\(\\) at .*\n"
      "(  #[0-9]+ .*\n)*");
}

TEST_F(StackOverflowDeathTest, NamesTheSizeOfAStackOfItsOwn) {
  EXPECT_EXIT(Runtime({.procs = 1}).Run([] {
    Go({.name = "puddle", .stack_bytes = 16 << 10}, LeanOverTheWell);
    for (;;) Yield();
  }),
              Ended(), "'puddle' \\(stack of 16 KiB;");
}

TEST_F(StackOverflowDeathTest, IsSeenInOneLargeStepAsWell) {
  EXPECT_EXIT(Runtime({.procs = 1, .stack_bytes = 64 << 10}).Run([] {
    for (int i = 0; i < 3; ++i) Go([] { Park(WaitReason::kExternal, nullptr, nullptr); });  // Neighbours.
    Go({.name = "leaper"}, [] { FallInOneStep(); });
    for (;;) Yield();
  }),
              Ended(), "stack overflow in fiber [0-9]+ 'leaper'");
}

TEST_F(StackOverflowDeathTest, IsReportedByTheHandlerThatWasThereBeforeAsWell) {
  auto install = [] {
    static char alternate[64 << 10];
    stack_t stack{};
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    sigaltstack(&stack, nullptr);  // procs = 1: this thread becomes the machine and keeps it.
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    action.sa_sigaction = [](int, siginfo_t*, void*) {
      (void)!write(STDERR_FILENO, "the old one\n", 12);
      _exit(9);
    };
    sigaction(SIGSEGV, &action, nullptr);
  };
  EXPECT_EXIT(
      {
        install();
        Runtime({.procs = 1}).Run(LeanOverTheWell);
      },
      ::testing::ExitedWithCode(9), "stack overflow in fiber 1 'main'(.|\n)*the old one\n");
  EXPECT_EXIT(
      {
        install();
        Runtime({.procs = 1}).Run([] { WriteToNowhere(); });
      },
      ::testing::ExitedWithCode(9), "^the old one\n$");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // They print reports of their own.
TEST_F(StackOverflowDeathTest, OtherFaultsEndAsEver) {
  EXPECT_EXIT(Runtime({.procs = 1}).Run([] { WriteToNowhere(); }), ::testing::KilledBySignal(SIGSEGV), "^$");
  EXPECT_EXIT(Runtime({.procs = 1}).Run([] { raise(SIGSEGV); }), ::testing::KilledBySignal(SIGSEGV), "^$");
  // Somebody else's guard is no overflow of the one who touches it.
  EXPECT_EXIT(Runtime({.procs = 1}).Run([] {
    char* mine = CurrentFiber()->stack_low;
    std::thread([mine] { mine[-1] = 1; }).join();
  }),
              ::testing::KilledBySignal(SIGSEGV), "^$");
}

TEST_F(StackOverflowDeathTest, IsReportedWithBareAddressesWhenTheTextCannotBeMade) {
  EXPECT_EXIT(
      {
        Runtime runtime({.procs = 1});
        runtime.Run([] {
          // The reporter did not come along.
          if (fork() == 0) LeanOverTheWell();
          int status = 0;
          wait(&status);
          _exit(WIFSIGNALED(status) ? WTERMSIG(status) : 1);
        });
      },
      ::testing::ExitedWithCode(SIGSEGV),
      "^fatal error: stack overflow in fiber 1 'main' .*\n  #0 0x[0-9a-f]+\n(.*\n)*  \\.\\.\\. [0-9]+ more "
      "\\.\\.\\.\n(  "
      "#[0-9]+ 0x[0-9a-f]+\n){6}$");
}
#endif

TEST(StackOverflow, LeavesThreadsWithoutAStackForSignalsAsTheyWere) {
  stack_t before{}, after{};
  sigaltstack(nullptr, &before);
  test::OnProcs(1, [] { Yield(); });
  sigaltstack(nullptr, &after);
  EXPECT_EQ(before.ss_flags, after.ss_flags);
  EXPECT_EQ(before.ss_sp, after.ss_sp);
}

}  // namespace
}  // namespace millrace::rt
