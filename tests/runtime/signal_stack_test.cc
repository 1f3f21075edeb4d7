// The stack on which a machine's thread handles signals, and on which it sleeps while its fiber is stopped.
#include "runtime/signal_stack.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

class SignalStacks : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, SignalStacks, test::kAnyProcs);

// For handlers of our own and the program's, beside what the kernel puts there.
constexpr size_t kRoom = 32 << 10;

TEST_P(SignalStacks, HaveRoomForTheRegistersTwiceAndForHandlers) {
  // MINSIGSTKSZ of old headers is 2 KiB; what this processor has to save may be 12.
  const auto minimum = static_cast<size_t>(std::max(sysconf(_SC_MINSIGSTKSZ), 2048L));
  Run([&] {
    sync::WaitGroup all;
    for (int i = 0; i < 4 * GetParam(); ++i) {
      all.Go([&] {
        stack_t stack{};
        EXPECT_EQ(sigaltstack(nullptr, &stack), 0);
        EXPECT_EQ(stack.ss_flags & SS_DISABLE, 0);
        // A fault of a stopped fiber's thread comes on top of the signal that has stopped it.
        EXPECT_GE(stack.ss_size, 2 * minimum + kRoom);
        Yield();
      });
    }
    all.Wait();
  });
}

std::atomic<uintptr_t> handled_at{0};

TEST_P(SignalStacks, AreWhereHandlersRun) {
  struct sigaction action {
  }, before{};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    char local = 0;
    handled_at = reinterpret_cast<uintptr_t>(&local);
  };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  Run([] {
    stack_t stack{};
    sigaltstack(nullptr, &stack);
    const auto low = reinterpret_cast<uintptr_t>(stack.ss_sp);
    raise(SIGUSR1);
    EXPECT_GE(handled_at, low);
    EXPECT_LT(handled_at, low + stack.ss_size);
  });
  sigaction(SIGUSR1, &before, nullptr);
}

// ---- A fault of a thread that sleeps there, with the frames of the stopped fiber's signal under it

class SignalStackDeathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

[[noreturn]] void FaultInAStoppedFibersThread() {
  Runtime runtime({.procs = 1});
  runtime.Run([] {
    std::atomic<pid_t> hog{0};
    Go([&] {
      hog = gettid();
      for (;;) asm volatile("" : : : "memory");
    });
    // On the only processor: the hog has been stopped, and its thread sleeps in the handler or is about to.
    while (hog == 0) Yield();
    syscall(SYS_tgkill, getpid(), hog.load(), SIGSEGV);
    for (;;) pause();
  });
  _exit(1);
}

// As crash reporters do.
void HandleFaultsAtLength() {
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  action.sa_sigaction = [](int, siginfo_t*, void*) {
    volatile char text[kRoom / 2];
    for (size_t i = 0; i < sizeof text; ++i) text[i] = 'x';
    _exit(text[0] == 'x' ? 9 : 1);
  };
  sigaction(SIGSEGV, &action, nullptr);
}

TEST_F(SignalStackDeathTest, AFaultOfAStoppedFibersThreadIsHandledThereToo) {
  EXPECT_EXIT(
      {
        HandleFaultsAtLength();
        FaultInAStoppedFibersThread();
      },
      ::testing::ExitedWithCode(9), "^$");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // They print reports of their own.
TEST_F(SignalStackDeathTest, AFaultOfAStoppedFibersThreadEndsAsEver) {
  EXPECT_EXIT(FaultInAStoppedFibersThread(), ::testing::KilledBySignal(SIGSEGV), "^$");
}
#endif

}  // namespace
}  // namespace millrace::rt
