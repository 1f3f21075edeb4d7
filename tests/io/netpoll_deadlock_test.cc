// A program that uses io/ is found dead like any other, unless somebody waits for the world outside. Mirrors Go's
// TestNetpollDeadlock.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>

#include "io/await.h"
#include "io/pipe.h"
#include "sync/channel.h"
#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using ::testing::ExitedWithCode;

constexpr char kFatal[] =
    "^fatal error: all fibers are asleep - deadlock!\n\nruntime: fiber dump: 1 fibers: 1 channel receive\n";

// Ends the process, with 0 if `main` returns.
[[noreturn]] void RunAndExit(int procs, const std::function<void()>& main) {
  _exit(rt::Runtime({.procs = procs}).Run(main));
}

class NetpollDeadlockDeathTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
INSTANTIATE_TEST_SUITE_P(Procs, NetpollDeadlockDeathTest, test::kAnyProcs);

TEST_P(NetpollDeadlockDeathTest, APollerWithNobodyToPollForWakesNobody) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           (void)Context();
                           sync::Channel<int>().Receive();
                         }),
              ExitedWithCode(2), kFatal);
}

TEST_P(NetpollDeadlockDeathTest, NorDoOpenConnectionsWhenAllWaitsForThemAreOver) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           SocketPair pair;
                           {
                             test::WatchedFiber reads([&] { (void)ReadAll(pair.a, 1); });
                             reads.AwaitParked();
                             (void)pair.b.Write("x");
                           }
                           asio::steady_timer timer(Context(), 1ms);
                           timer.async_wait(await);
                           sync::Channel<int>().Receive();
                         }),
              ExitedWithCode(2), kFatal);
}

// Another process writes when everything here has long come to rest.
[[noreturn]] void ReadWhatAnotherProcessWritesLater(int procs) {
  RawPipe pipe;
  if (fork() == 0) {
    usleep(300'000);
    _exit(write(pipe.writer.get(), "x", 1) == 1 ? 0 : 1);
  }
  RunAndExit(procs, [&] {
    Pipe reader = Pipe::Adopt(std::move(pipe.reader), "the other process").value();
    if (ReadAll(reader, 1) != "x") _exit(1);
  });
}

TEST_P(NetpollDeadlockDeathTest, AFiberThatWaitsForAPipeMayBeWokenFromOutside) {
  EXPECT_EXIT(ReadWhatAnotherProcessWritesLater(GetParam()), ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace millrace::io
