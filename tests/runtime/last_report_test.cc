// Whatever ends the process on a fiber says which fiber it was and shows its calls: each kind once.
#include "runtime/last_report.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/check.h"
#include "runtime/runtime.h"
#include "sync/channel.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"

namespace millrace::rt {
namespace {

class LastReportDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// Runs `fn` on a fiber that is not main, while others go on.
template <typename F>
void OnAFiber(F fn) {
  Runtime({.procs = 2}).Run([fn] {
    Go({.name = "culprit"}, fn);
    for (;;) Yield();
  });
}

// What the report says of `function`, somewhere below the fiber's line.
std::string Frames(const std::string& function) {
  return " fiber [0-9]+ 'culprit':?\n(  #[0-9]+ .*\n)*  #[0-9]+ 0x[0-9a-f]+ .*" + function + ".* at .*\n";
}
std::string OwnLineFrames(const std::string& function) { return "\n" + Frames(function).substr(1); }

__attribute__((noinline)) void SendsOnAClosedChannel() {
  sync::Channel<int> channel(1);
  channel.Close();
  channel.Send(1);
}

__attribute__((noinline)) void TakesTheWaitGroupBelowZero() {
  sync::WaitGroup group;
  group.Done();
}

__attribute__((noinline)) void UnlocksWhatIsNotLocked() {
  sync::Mutex mutex;
  mutex.unlock();
}

__attribute__((noinline)) void BreaksItsOwnInvariant() { MR_CHECK(getpid() == 1, "the invariant of %d", 17); }

TEST_F(LastReportDeathTest, AFatalErrorNamesTheFiberAndWhoCalled) {
  EXPECT_EXIT(OnAFiber(SendsOnAClosedChannel), ::testing::KilledBySignal(SIGABRT),
              "fatal error: send on closed channel(.|\n)*" + OwnLineFrames("SendsOnAClosedChannel"));
  EXPECT_EXIT(OnAFiber(TakesTheWaitGroupBelowZero), ::testing::KilledBySignal(SIGABRT),
              "fatal error: sync: negative WaitGroup counter(.|\n)*" + OwnLineFrames("TakesTheWaitGroupBelowZero"));
  EXPECT_EXIT(OnAFiber(UnlocksWhatIsNotLocked), ::testing::KilledBySignal(SIGABRT),
              "fatal error: sync: unlock of unlocked mutex(.|\n)*" + OwnLineFrames("UnlocksWhatIsNotLocked"));
}

TEST_F(LastReportDeathTest, TheFirstFrameIsThatOfTheCheck) {
  EXPECT_DEATH(OnAFiber(BreaksItsOwnInvariant),
               "fatal error: the invariant of 17\n  at .*last_report_test.cc:[0-9]+\nfiber [0-9]+ 'culprit':\n"
               "  #0 0x[0-9a-f]+ .*BreaksItsOwnInvariant\\(\\) at .*last_report_test.cc:[0-9]+\n");
}

TEST_F(LastReportDeathTest, OnAPlainThreadAFatalErrorIsItsMessage) {
  EXPECT_DEATH(OnAFiber([] { std::thread(BreaksItsOwnInvariant).join(); }),
               "^fatal error: the invariant of 17\n  at .*last_report_test.cc:[0-9]+\n$");
}

__attribute__((noinline)) void ThrowsWhatNobodyCatches() { throw std::runtime_error("the pipe burst"); }

TEST_F(LastReportDeathTest, AnExceptionThatNobodyCatchesIsShownWhereItWasThrown) {
  EXPECT_DEATH(OnAFiber(ThrowsWhatNobodyCatches),
               "fatal error: std::terminate in" + Frames("ThrowsWhatNobodyCatches") +
                   "(.|\n)*terminate called after throwing an instance of 'std::runtime_error'\n"
                   "  what\\(\\):  the pipe burst\n");
}

TEST_F(LastReportDeathTest, TheProgramsOwnTerminateHandlerHasTheLastWord) {
  EXPECT_EXIT(
      {
        std::set_terminate([] {
          (void)!write(STDERR_FILENO, "my own\n", 7);
          _exit(9);
        });
        OnAFiber(ThrowsWhatNobodyCatches);
      },
      ::testing::ExitedWithCode(9), Frames("ThrowsWhatNobodyCatches") + "(.|\n)*my own\n$");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // They handle these signals themselves.
template <typename T>
T Opaque(T value) {
  asm volatile("" : "+r"(value));
  return value;
}

__attribute__((noinline)) void WritesThroughANullPointer() { *Opaque(static_cast<volatile int*>(nullptr)) = 1; }

// In the C library, which keeps no frame pointers.
__attribute__((noinline)) void MeasuresANullString() {
  (void)Opaque(strlen(Opaque(static_cast<const char*>(nullptr))));
}

__attribute__((noinline)) void CallsANullFunction() {
  Opaque(static_cast<void (*)()>(nullptr))();
  asm volatile("");
}

__attribute__((noinline)) void Aborts() { abort(); }

__attribute__((noinline)) void RunsIntoATrap() { __builtin_trap(); }

TEST_F(LastReportDeathTest, AFaultNamesTheFiberAndWhoCalled) {
  EXPECT_EXIT(OnAFiber(WritesThroughANullPointer), ::testing::KilledBySignal(SIGSEGV),
              "^fatal error: SIGSEGV at address 0x0 in fiber [0-9]+ 'culprit'\n  #0 .*WritesThroughANullPointer");
  EXPECT_EXIT(OnAFiber(MeasuresANullString), ::testing::KilledBySignal(SIGSEGV),
              "^fatal error: SIGSEGV at address 0x0 in" + Frames("MeasuresANullString"));
  EXPECT_EXIT(OnAFiber(CallsANullFunction), ::testing::KilledBySignal(SIGSEGV),
              "^fatal error: SIGSEGV at address 0x0 in" + Frames("CallsANullFunction"));
}

TEST_F(LastReportDeathTest, OtherEndsByASignalDoToo) {
  EXPECT_EXIT(OnAFiber(Aborts), ::testing::KilledBySignal(SIGABRT), "^fatal error: SIGABRT in" + Frames("Aborts"));
#if defined(__x86_64__)
  EXPECT_EXIT(OnAFiber(RunsIntoATrap), ::testing::KilledBySignal(SIGILL),
              "^fatal error: SIGILL in" + Frames("RunsIntoATrap"));
  auto divide = [] { (void)Opaque(7 / Opaque(0)); };
  EXPECT_EXIT(OnAFiber(divide), ::testing::KilledBySignal(SIGFPE), "^fatal error: SIGFPE in fiber [0-9]+ 'culprit'\n");
#endif
}

TEST_F(LastReportDeathTest, ASignalFromOutsideAndFaultsOfPlainThreadsEndAsEver) {
  EXPECT_EXIT(OnAFiber([] { raise(SIGSEGV); }), ::testing::KilledBySignal(SIGSEGV), "^$");
  EXPECT_EXIT(OnAFiber([] { std::thread(WritesThroughANullPointer).join(); }), ::testing::KilledBySignal(SIGSEGV),
              "^$");
  EXPECT_EXIT(OnAFiber([] { std::thread(Aborts).join(); }), ::testing::KilledBySignal(SIGABRT), "^$");
}

// Which signal ends the process is open; what it says is not.
TEST_F(LastReportDeathTest, OfManyThatDieAtOnceOneSpeaks) {
  EXPECT_DEATH(Runtime({.procs = 4}).Run([] {
    for (int i = 0; i < 8; ++i) Go({.name = "lemming"}, i % 2 == 0 ? Aborts : WritesThroughANullPointer);
    for (;;) Yield();
  }),
               "^fatal error: SIG.* in fiber [0-9]+ 'lemming'\n(  #.*\n)+$");
}
#endif

}  // namespace
}  // namespace millrace::rt
