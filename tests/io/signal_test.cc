#include "io/signal.h"

#include <signal.h>
#include <unistd.h>

#include "io/await.h"
#include "runtime/preempt.h"
#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class SignalTest : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Procs, SignalTest, test::kAnyProcs);

// To the process; under ThreadSanitizer to this thread, because another one gets it only when it next calls what that
// intercepts, which a thread asleep in a futex does not.
void SendToSelf(int signal) {
#if defined(__SANITIZE_THREAD__)
  raise(signal);
#else
  kill(getpid(), signal);
#endif
}

// The poller has run everything that was there before.
void AwaitTurnOfThePoller() { asio::post(Context(), await); }

TEST_P(SignalTest, AFiberWaitsForASignal) {
  Run([] {
    Signals signals = Signals::Catch({SIGTERM, SIGHUP}).value();
    int got = 0;
    WatchedFiber waits([&] { got = signals.Next().value(); });
    waits.AwaitParked();
    SendToSelf(SIGHUP);
    waits.Join();
    EXPECT_EQ(got, SIGHUP);
    SendToSelf(SIGTERM);
    EXPECT_EQ(signals.Next().value(), SIGTERM);
  });
}

TEST_P(SignalTest, ASignalThatComesWhileNobodyWaitsIsKept) {
  Run([] {
    Signals signals = Signals::Catch({SIGUSR1}).value();
    SendToSelf(SIGUSR1);
    AwaitTurnOfThePoller();
    EXPECT_EQ(signals.Next().value(), SIGUSR1);
  });
}

TEST_P(SignalTest, EveryoneWhoCatchesASignalGetsIt) {
  Run([] {
    Signals first = Signals::Catch({SIGUSR1}).value();
    Signals second = Signals::Catch({SIGUSR1}).value();
    SendToSelf(SIGUSR1);
    EXPECT_EQ(first.Next().value(), SIGUSR1);
    EXPECT_EQ(second.Next().value(), SIGUSR1);
  });
}

TEST_P(SignalTest, WaitingForASignalCanBeStopped) {
  Run([] {
    Signals signals = Signals::Catch({SIGUSR1}).value();
    EXPECT_EQ(ReasonOf(signals.Next(Within(5ms))), "IO_DEADLINE");
    sync::CancelSource source;
    std::string reason;
    WatchedFiber waits([&] { reason = ReasonOf(signals.Next({.cancel = source.token()})); });
    waits.AwaitParked();
    source.Cancel(Cancelled("TEST", "enough"));
    waits.Join();
    EXPECT_EQ(reason, "TEST");
    SendToSelf(SIGUSR1);
    EXPECT_EQ(signals.Next().value(), SIGUSR1);
  });
}

TEST_P(SignalTest, WhatCannotBeCaughtIsTold) {
  Run([] {
    for (int taken : {SIGKILL, rt::kPreemptSignal}) {
      auto signals = Signals::Catch({taken});
      ASSERT_FALSE(signals.ok());
      EXPECT_EQ(signals.status().reason(), "BAD_SIGNAL");
    }
  });
}

TEST_P(SignalTest, AfterwardsTheDefaultHolds) {
  Run([] { (void)Signals::Catch({SIGUSR1}).value(); });
  struct sigaction now {};
  sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

}  // namespace
}  // namespace millrace::io
