#include "io/socket.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <vector>

#include "sync/wait_group.h"
#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class SocketTest : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Procs, SocketTest, test::kAnyProcs);

// A folder for the files of Unix sockets.
class Folder {
 public:
  Folder() { MR_CHECK(mkdtemp(path_) != nullptr, "no temporary folder"); }
  ~Folder() { rmdir(path_); }
  std::string operator/(const char* file) const { return std::string(path_) + "/" + file; }

 private:
  char path_[32] = "/tmp/millrace-io-XXXXXX";
};

// A connection over `listener` and its accepted end.
struct Accepted {
  Accepted(Listener& listener, Result<Socket> connected)
      : client(std::move(connected).value()), server(listener.Accept().value()) {}
  Socket client, server;
};

Listener AnyPort(const char* host = "127.0.0.1") { return ListenTcp({host, 0}).value(); }
Address At(const Listener& listener, const char* host = "127.0.0.1") {
  return {host, static_cast<uint16_t>(listener.port())};
}

TEST_P(SocketTest, TcpCarriesBytesBothWays) {
  Run([] {
    Listener listener = AnyPort();
    Accepted pair(listener, ConnectTcp(At(listener)));
    ASSERT_TRUE(pair.client.Write("ping").ok());
    EXPECT_EQ(ReadAll(pair.server, 4), "ping");
    ASSERT_TRUE(pair.server.Write("pong").ok());
    EXPECT_EQ(ReadAll(pair.client, 4), "pong");
    EXPECT_EQ(pair.client.name(), At(listener).ToString());
  });
}

TEST_P(SocketTest, TcpWorksOverIpv6) {
  Run([] {
    auto listener = ListenTcp({"::1", 0});
    if (!listener.ok()) GTEST_SKIP() << "no IPv6 here: " << listener.status().ToString();
    Accepted pair(*listener, ConnectTcp(At(*listener, "::1")));
    ASSERT_TRUE(pair.client.Write("six").ok());
    EXPECT_EQ(ReadAll(pair.server, 3), "six");
    EXPECT_EQ(pair.server.name().substr(0, 6), "[::1]:");
  });
}

TEST_P(SocketTest, ANameIsLookedUp) {
  Run([] {
    Listener listener = AnyPort();
    Accepted pair(listener, ConnectTcp(At(listener, "localhost")));
    ASSERT_TRUE(pair.client.Write("x").ok());
    EXPECT_EQ(ReadAll(pair.server, 1), "x");
  });
}

TEST_P(SocketTest, AUnixSocketIsAFileThatGoesWithItsListener) {
  Folder folder;
  Run([&] {
    std::string path = folder / "socket";
    {
      Listener listener = ListenUnix(path).value();
      EXPECT_EQ(access(path.c_str(), F_OK), 0);
      EXPECT_EQ(ReasonOf(ListenUnix(path)), "EADDRINUSE");
      Accepted pair(listener, ConnectUnix(path));
      ASSERT_TRUE(pair.client.Write("unix").ok());
      EXPECT_EQ(ReadAll(pair.server, 4), "unix");
      EXPECT_EQ(pair.client.name(), path);
    }
    EXPECT_NE(access(path.c_str(), F_OK), 0);
    EXPECT_EQ(ReasonOf(ConnectUnix(path)), "ENOENT");
    EXPECT_EQ(ReasonOf(ListenUnix(std::string(108, 'x'))), "BAD_ADDRESS");
  });
}

TEST_P(SocketTest, ManyClientsAreServedAtOnce) {
  static constexpr int kClients = 100;
  static constexpr int kRounds = 20;
  Run([] {
    Listener listener = AnyPort();
    sync::WaitGroup clients, servers;
    WatchedFiber accepts([&] {
      for (auto socket = listener.Accept(); socket.ok(); socket = listener.Accept()) {
        servers.Go([socket = std::move(*socket)]() mutable { Echo(socket); });
      }
    });
    std::atomic<int> right{0};
    for (int i = 0; i < kClients; ++i) {
      clients.Go([&, i] {
        Socket socket = ConnectTcp(At(listener)).value();
        for (int round = 0; round < kRounds; ++round) {
          std::string text = "client " + std::to_string(i) + " round " + std::to_string(round);
          if (socket.Write(text).ok() && ReadAll(socket, text.size()) == text) ++right;
        }
      });
    }
    clients.Wait();
    listener.Close();
    accepts.Join();
    servers.Wait();
    EXPECT_EQ(right, kClients * kRounds);
  });
}

TEST_P(SocketTest, AWriteWaitsForASlowReaderAndLosesNothing) {
  Run([] {
    Listener listener = AnyPort();
    Accepted pair(listener, ConnectTcp(At(listener)));
    std::string much(8 << 20, '\0');
    for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 31 >> 8);
    WatchedFiber writes([&] {
      EXPECT_TRUE(pair.client.Write(much).ok());
      EXPECT_TRUE(pair.client.ShutdownWrite().ok());
    });
    writes.AwaitParked();  // Its buffers are full.
    EXPECT_FALSE(writes.finished());
    EXPECT_TRUE(ReadAll(pair.server) == much);
  });
}

TEST_P(SocketTest, OneFiberReadsWhileAnotherWritesTheSameSocket) {
  Run([] {
    SocketPair pair;
    std::string much(1 << 20, 'x');
    WatchedFiber echoes([&] {
      Echo(pair.b);
      EXPECT_TRUE(pair.b.ShutdownWrite().ok());
    });
    WatchedFiber writes([&] {
      EXPECT_TRUE(pair.a.Write(much).ok());
      EXPECT_TRUE(pair.a.ShutdownWrite().ok());
    });
    EXPECT_EQ(ReadAll(pair.a).size(), much.size());
  });
}

TEST_P(SocketTest, AfterAHalfCloseTheOtherHalfStillCarriesBytes) {
  Run([] {
    Listener listener = AnyPort();
    Accepted pair(listener, ConnectTcp(At(listener)));
    ASSERT_TRUE(pair.client.Write("question").ok());
    ASSERT_TRUE(pair.client.ShutdownWrite().ok());
    EXPECT_EQ(ReadAll(pair.server), "question");
    ASSERT_TRUE(pair.server.Write("answer").ok());
    pair.server.Close();
    EXPECT_EQ(ReadAll(pair.client), "answer");
  });
}

TEST_P(SocketTest, ARefusedConnectionNamesTheAddress) {
  Run([] {
    Listener listener = AnyPort();
    Address nobody = At(listener);
    listener.Close();
    auto socket = ConnectTcp(nobody);
    ASSERT_FALSE(socket.ok());
    EXPECT_EQ(socket.status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(socket.status().reason(), "ECONNREFUSED");
    EXPECT_EQ(socket.status().message(), "cannot connect to " + nobody.ToString() + ": Connection refused");
  });
}

TEST_P(SocketTest, AResetByThePeerIsAFailureAndNotTheEnd) {
  Run([] {
    Listener listener = AnyPort();
    Accepted pair(listener, ConnectTcp(At(listener)));
    std::string got;
    WatchedFiber reads([&] { got = ReadAll(pair.client); });
    reads.AwaitParked();
    linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(pair.server.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    pair.server.Close();
    reads.Join();
    EXPECT_EQ(got, "<ECONNRESET>");
  });
}

TEST_P(SocketTest, AWriteToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  Run([] {
    SocketPair pair;
    pair.b.Close();
    Status status = pair.a.Write("x");
    EXPECT_EQ(ReasonOf(status), "EPIPE");
    EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  });
}

TEST_P(SocketTest, AnAddressInUseIsTold) {
  Run([] {
    Listener listener = AnyPort();
    auto second = ListenTcp(At(listener));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(second.status().reason(), "EADDRINUSE");
  });
}

TEST_P(SocketTest, AnAcceptedConnectionBelongsToOneOfSeveralFibersThatAccept) {
  static constexpr int kConnections = 50;
  Run([] {
    Listener listener = AnyPort();
    std::atomic<int> accepted{0};
    sync::WaitGroup accepting;
    for (int i = 0; i < 4; ++i) {
      accepting.Go([&] {
        for (auto socket = listener.Accept(); socket.ok(); socket = listener.Accept()) {
          ++accepted;
          EXPECT_TRUE(socket->Write("!").ok());
          socket->Close();
        }
      });
    }
    for (int i = 0; i < kConnections; ++i) {
      Socket socket = ConnectTcp(At(listener)).value();
      EXPECT_EQ(ReadAll(socket), "!");
    }
    listener.Close();
    accepting.Wait();
    EXPECT_EQ(accepted, kConnections);
  });
}

}  // namespace
}  // namespace millrace::io
