// How waiting for a descriptor ends without its event: deadlines, cancellation, close.
#include <sys/socket.h>

#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "io/asio_netpoll.h"
#include "io/descriptor.h"
#include "sync/wait_group.h"
#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class StoppingTest : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Procs, StoppingTest, test::kAnyProcs);

TEST_P(StoppingTest, ADeadlineEndsTheReadAndLeavesTheSocketUsable) {
  Run([] {
    SocketPair pair;
    char byte;
    auto nothing = pair.a.Read({&byte, 1}, Within(5ms));
    ASSERT_FALSE(nothing.ok());
    EXPECT_EQ(nothing.status().code(), StatusCode::kDeadlineExceeded);
    EXPECT_EQ(nothing.status().ToString(),
              "DEADLINE_EXCEEDED IO_DEADLINE: cannot read from the other end: the deadline has passed");
    EXPECT_EQ(AsioNetpoller::Current().Stats().watching, 0) << "no operation is left that refers to the read";
    ASSERT_TRUE(pair.b.Write("late").ok());
    EXPECT_EQ(ReadAll(pair.a, 4), "late");
  });
}

TEST_P(StoppingTest, ADeadlineOfAWriteTellsHowFarItCame) {
  Run([] {
    SocketPair pair;
    std::string much(16 << 20, 'x');
    // After a pause of the machine the deadline may have passed before the first byte: then once more.
    size_t written = 0;
    while (written == 0) {
      Status status = pair.a.Write(much, Within(5ms));
      ASSERT_EQ(ReasonOf(status), "IO_DEADLINE");
      written = std::stoul(status.metadata().at("bytes_written"));
    }
    EXPECT_LT(written, much.size());
    pair.a.Close();
    EXPECT_EQ(ReadAll(pair.b).size(), written);
  });
}

TEST_P(StoppingTest, APassedDeadlineFailsAlsoWhenThereIsSomethingToRead) {
  Run([] {
    SocketPair pair;
    ASSERT_TRUE(pair.b.Write("x").ok());
    char byte;
    EXPECT_EQ(ReasonOf(pair.a.Read({&byte, 1}, {.deadline = MonoTime(1ns)})), "IO_DEADLINE");
    EXPECT_EQ(ReadAll(pair.a, 1), "x");
  });
}

TEST_P(StoppingTest, AcceptAndConnectHaveDeadlinesToo) {
  Run([] {
    Listener listener = ListenTcp({"127.0.0.1", 0}).value();
    EXPECT_EQ(ReasonOf(listener.Accept(Within(5ms))), "IO_DEADLINE");
    Socket client = ConnectTcp({"127.0.0.1", static_cast<uint16_t>(listener.port())}, Within(1h)).value();
    EXPECT_TRUE(listener.Accept().ok());
    sync::CancelSource source;
    source.Cancel(Cancelled("TEST", "the test says so"));
    EXPECT_EQ(ReasonOf(ConnectTcp({"localhost", 1}, {.cancel = source.token()})), "TEST");
  });
}

TEST_P(StoppingTest, ALookUpThatLastsTooLongIsLeftAlone) {
  Run([] {
    EXPECT_EQ(ReasonOf(ConnectTcp({"localhost", 1}, {.deadline = MonoTime(1ns)})), "IO_DEADLINE");
    // It may be in time, and is refused then.
    for (int i = 0; i < 20; ++i) {
      std::string reason = ReasonOf(ConnectTcp({"localhost", 1}, Within(std::chrono::microseconds(10 * i))));
      EXPECT_TRUE(reason == "IO_DEADLINE" || reason == "ECONNREFUSED") << reason;
    }
  });
}

TEST_P(StoppingTest, ACancelledTokenWakesTheReaderWithItsReason) {
  Run([] {
    SocketPair pair;
    sync::CancelSource source;
    char byte;
    Result<size_t> read = 0;
    WatchedFiber reads([&] { read = pair.a.Read({&byte, 1}, {.cancel = source.token()}); });
    reads.AwaitParked();
    source.Cancel(Cancelled("CLIENT_GONE", "the client has gone"));
    reads.Join();
    EXPECT_EQ(read.status().ToString(), "CANCELLED CLIENT_GONE: cannot read from the other end: the client has gone");
    EXPECT_EQ(ReasonOf(pair.a.Read({&byte, 1}, {.cancel = source.token()})), "CLIENT_GONE")
        << "nor does it begin again";
    ASSERT_TRUE(pair.b.Write("x").ok());
    EXPECT_EQ(ReadAll(pair.a, 1), "x");
  });
}

TEST_P(StoppingTest, APlainThreadMayCancel) {
  Run([] {
    SocketPair pair;
    sync::CancelSource source;
    char byte;
    Result<size_t> read = 0;
    WatchedFiber reads([&] { read = pair.a.Read({&byte, 1}, {.cancel = source.token()}); });
    reads.AwaitParked();
    std::thread([&] { source.Cancel(Cancelled("TEST", "from a thread")); }).join();
    reads.Join();
    EXPECT_EQ(ReasonOf(read), "TEST");
  });
}

TEST_P(StoppingTest, CloseEndsReadsAndWritesUnderWay) {
  Run([] {
    SocketPair pair;
    std::string much(16 << 20, 'x');
    Result<size_t> read = 0;
    Status written;
    char byte;
    WatchedFiber reads([&] { read = pair.a.Read({&byte, 1}); });
    WatchedFiber writes([&] { written = pair.a.Write(much); });
    reads.AwaitParked(), writes.AwaitParked();
    pair.a.Close();
    EXPECT_EQ(pair.a.fd(), -1);
    reads.Join(), writes.Join();
    EXPECT_EQ(read.status().ToString(),
              "FAILED_PRECONDITION IO_CLOSED: cannot read from the other end: it has been closed");
    EXPECT_EQ(ReasonOf(written), "IO_CLOSED");
    EXPECT_EQ(ReasonOf(pair.a.Read({&byte, 1})), "IO_CLOSED");
    pair.a.Close();
  });
}

TEST_P(StoppingTest, CloseEndsAnAccept) {
  Run([] {
    Listener listener = ListenTcp({"127.0.0.1", 0}).value();
    std::string reason;
    WatchedFiber accepts([&] { reason = ReasonOf(listener.Accept()); });
    accepts.AwaitParked();
    listener.Close();
    accepts.Join();
    EXPECT_EQ(reason, "IO_CLOSED");
  });
}

TEST_P(StoppingTest, ASocketThatIsNoneIsClosed) {
  Run([] {
    Socket none;
    char byte;
    EXPECT_EQ(ReasonOf(none.Read({&byte, 1})), "IO_CLOSED");
    EXPECT_EQ(ReasonOf(none.Write("x")), "IO_CLOSED");
    none.Close();
  });
}

// Deadline and event come at the same time, over and over: no byte is lost, none comes twice.
TEST_P(StoppingTest, DeadlinesThatRaceWithTheEventLoseNothing) {
  static constexpr int kBytes = test::kSlowBuild ? 300 : 3'000;
  Run([] {
    SocketPair pair;
    WatchedFiber writes([&] {
      for (int i = 0; i < kBytes; ++i) {
        char byte = static_cast<char>(i);
        ASSERT_TRUE(pair.b.Write({&byte, 1}).ok());
        rt::SleepFor(Nanos(i % 64 * 1000));
      }
    });
    int deadlines = 0;
    for (int i = 0; i < kBytes;) {
      char byte;
      auto n = pair.a.Read({&byte, 1}, Within(Nanos(30'000)));
      if (n.ok()) {
        ASSERT_EQ(byte, static_cast<char>(i++));
      } else {
        ASSERT_EQ(ReasonOf(n), "IO_DEADLINE");
        ++deadlines;
      }
    }
    EXPECT_GT(deadlines, 0);
  });
}

TEST_P(StoppingTest, CancellationsThatRaceWithTheEventLoseNothing) {
  static constexpr int kRounds = test::kSlowBuild ? 200 : 2'000;
  Run([] {
    SocketPair pair;
    int received = 0;
    for (int i = 0; i < kRounds; ++i) {
      sync::CancelSource source;
      WatchedFiber writes([&] { ASSERT_TRUE(pair.b.Write("x").ok()); });
      WatchedFiber cancels([&] { source.Cancel(Cancelled("TEST", "race")); });
      char byte;
      auto n = pair.a.Read({&byte, 1}, {.cancel = source.token()});
      if (n.ok()) {
        ++received;
      } else {
        ASSERT_EQ(ReasonOf(n), "TEST");
      }
    }
    pair.b.Close();
    EXPECT_EQ(ReadAll(pair.a).size(), static_cast<size_t>(kRounds - received));
  });
}

// Fibers read and write while others close and the numbers are given out again: nobody gets somebody else's bytes.
TEST_P(StoppingTest, ANumberIsNeverUsedAfterItsClose) {
  static constexpr int kRounds = test::kSlowBuild ? 100 : 1'000;
  Run([] {
    std::atomic<int> wrong{0};
    sync::WaitGroup done;
    for (int f = 0; f < 4; ++f) {
      done.Go([&, f] {
        const std::string mine(1, static_cast<char>('a' + f));
        for (int i = 0; i < kRounds; ++i) {
          SocketPair pair;
          auto reader = [&] {
            char byte = mine[0];
            while (pair.a.Read({&byte, 1}).ok()) {
              if (byte != mine[0]) ++wrong;
            }
          };
          WatchedFiber first(reader), second(reader);
          WatchedFiber writes([&] { (void)pair.b.Write(mine); });
          writes.Join();
          pair.a.Close();
        }
      });
    }
    done.Wait();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(AsioNetpoller::Current().Stats().watching, 0);
  });
}

}  // namespace
}  // namespace millrace::io
