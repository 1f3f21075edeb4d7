// Running over the end of a stack is told from other faults (faults.h), however large the step.
#include "runtime/faults.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <regex>
#include <string>
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

// One step larger than the guard and all neighbours' control blocks would be: -fstack-clash-protection touches every
// page of it.
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

// Clang has no such attribute; tests/CMakeLists.txt has it compile this file without probes.
#ifdef __clang__
#define MILLRACE_WITHOUT_PROBES __attribute__((noinline))
#else
#define MILLRACE_WITHOUT_PROBES __attribute__((noinline, optimize("no-stack-clash-protection")))
#endif

// As libraries are compiled: the stack pointer moves by all of the frame, and what is touched first is its far end.
template <size_t kBytes>
MILLRACE_WITHOUT_PROBES int FallWithoutProbes() {
  volatile char frame[kBytes];
  frame[0] = 1;
  asm volatile("" : : "r"(frame) : "memory");
  return frame[0];
}

// Down to where less than 4 KiB are left.
template <typename F>
__attribute__((noinline)) int DescendAnd(F fall) {
  volatile char frame[1024];
  frame[0] = 1;
  if (const_cast<const char*>(frame) - CurrentFiber()->stack_low < 4 << 10) return fall();
  return DescendAnd(fall) + frame[0];
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

// A guard of one page would be stepped over: the neighbour's stack is written to, and nothing is said.
TEST_F(StackOverflowDeathTest, IsSeenInAFrameOf64KibWithoutProbes) {
  auto leap = [](auto fall) {
    Runtime({.procs = 1, .stack_bytes = 128 << 10}).Run([fall] {
      for (int i = 0; i < 3; ++i) Go([] { Park(WaitReason::kExternal, nullptr, nullptr); });  // Neighbours.
      Go({.name = "leaper"}, [fall] { DescendAnd(fall); });
      for (;;) Yield();
    });
  };
  EXPECT_EXIT(leap(FallWithoutProbes<16 << 10>), Ended(), "stack overflow in fiber [0-9]+ 'leaper'");
  EXPECT_EXIT(leap(FallWithoutProbes<64 << 10>), Ended(), "stack overflow in fiber [0-9]+ 'leaper'");
}

// libstdc++ matches by recursion, some 700 bytes for each character.
bool MatchesSoManyLetters(size_t count) { return std::regex_match(std::string(count, 'a'), std::regex("(a|b)*")); }

TEST_F(StackOverflowDeathTest, ARegexThatIsTooDeepSaysWhatToRaise) {
  EXPECT_EXIT(Runtime({.procs = 1}).Run([] {
    Go({.name = "matcher"}, [] { MatchesSoManyLetters(5000); });
    for (;;) Yield();
  }),
              Ended(), "stack overflow in fiber [0-9]+ 'matcher' \\(stack of 256 KiB; raise FiberOptions::stack_bytes");
}

TEST(StackOverflow, ARegexGoesAsDeepAsOnAThreadWithTheStackOfAThread) {
  test::OnProcs(1, [] {
    std::atomic<bool> matched{false};
    // Frames are several times as large there, on threads as well.
#if defined(__SANITIZE_ADDRESS__)
    constexpr int kLetters = 500;
#else
    constexpr int kLetters = 3000;
#endif
    Go({.stack_bytes = 8 << 20}, [&] { matched = MatchesSoManyLetters(kLetters); });
    while (!matched) Yield();
  });
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
TEST_F(StackOverflowDeathTest, OtherFaultsAreNone) {
  EXPECT_EXIT(Runtime({.procs = 1}).Run([] { WriteToNowhere(); }), ::testing::KilledBySignal(SIGSEGV),
              "^fatal error: SIGSEGV at address 0x8 in fiber 1 'main'\n");
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
