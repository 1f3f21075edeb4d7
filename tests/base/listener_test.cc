#include "base/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "base/connection_table.h"
#include "tests/support/capability.h"

namespace millrace {
namespace {

using testing::HasSubstr;

template <typename Condition>
void Eventually(Condition&& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// -1: the connection was refused.
int Connect(const Address& to) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  const bool is_six = inet_pton(AF_INET6, to.host.c_str(), &six.sin6_addr) == 1;
  six.sin6_family = AF_INET6;
  six.sin6_port = four.sin_port = htons(to.port);
  four.sin_family = AF_INET;
  inet_pton(AF_INET, to.host == "localhost" ? "127.0.0.1" : to.host.c_str(), &four.sin_addr);
  const int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int rc = is_six ? connect(fd, reinterpret_cast<sockaddr*>(&six), sizeof(six))
                        : connect(fd, reinterpret_cast<sockaddr*>(&four), sizeof(four));
  if (rc == 0) return fd;
  close(fd);
  return -1;
}

// The server's side has closed it.
bool WasCut(int fd) {
  pollfd polled{fd, POLLIN, 0};
  char byte;
  return poll(&polled, 1, 60'000) == 1 && read(fd, &byte, 1) <= 0;
}

// Keeps what a listener hands over.
class Kept {
 public:
  ~Kept() {
    for (const int fd : fds_) close(fd);
  }
  Listener::Take Taker() {
    return [this](int fd) {
      std::lock_guard guard(lock_);
      fds_.push_back(fd);
    };
  }
  size_t size() {
    std::lock_guard guard(lock_);
    return fds_.size();
  }
  int Release() {
    std::lock_guard guard(lock_);
    const int fd = fds_.back();
    fds_.pop_back();
    return fd;
  }

 private:
  std::mutex lock_;
  std::vector<int> fds_;
};

std::unique_ptr<Listener> MustListen(const Address& address, ListenerOptions options = {}) {
  auto listener = Listener::Open(address, std::move(options));
  EXPECT_TRUE(listener.ok()) << listener.status().ToString();
  return listener.ok() ? *std::move(listener) : nullptr;
}

TEST(Listener, HandsOverConnectionsOfEachFamilyThatDoNotBlockAndAreClosedOnExec) {
  for (const char* host : {"127.0.0.1", "::1", "localhost"}) {
    Kept kept;
    auto opened = Listener::Open({host, 0}, {});
    if (!opened.ok() && std::string(host) == "::1") continue;  // A machine without IPv6.
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    Listener& listener = **opened;
    EXPECT_NE(listener.address().port, 0);
    ASSERT_TRUE(listener.Start(kept.Taker()).ok());
    const int client = Connect(listener.address());
    ASSERT_GE(client, 0) << host;
    Eventually([&] { return kept.size() == 1; });
    const int fd = kept.Release();
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(listener.Stats().accepted, 1u);
    EXPECT_EQ(listener.Stats().open, 1);
    close(fd);
    EXPECT_EQ(listener.Stats().open, 0);
    close(client);
    EXPECT_TRUE(listener.Health().ok());
  }
}

TEST(Listener, OfAnyIpv6AddressTakesIpv4AsWell) {
  auto opened = Listener::Open({"::", 0}, {});
  if (!opened.ok()) GTEST_SKIP() << opened.status().message();
  Kept kept;
  ASSERT_TRUE((*opened)->Start(kept.Taker()).ok());
  const int client = Connect({"127.0.0.1", (*opened)->address().port});
  ASSERT_GE(client, 0);
  Eventually([&] { return kept.size() == 1; });
  close(client);
}

TEST(Listener, SaysWhyItCannotListenAndWhatToDo) {
  auto first = MustListen({"127.0.0.1", 0});
  const auto second = Listener::Open(first->address(), {.setting = "--grpc-address"});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().reason(), "CANNOT_LISTEN");
  EXPECT_THAT(second.status().message(), HasSubstr(first->address().ToString()));
  EXPECT_THAT(second.status().message(), HasSubstr("in use"));
  EXPECT_THAT(second.status().message(), HasSubstr("choose another --grpc-address"));
  const Status elsewhere = Listener::Open({"192.0.2.1", 0}, {.setting = "--here"}).status();
  EXPECT_EQ(elsewhere.reason(), "CANNOT_LISTEN");
  EXPECT_EQ(elsewhere.message(),
            "cannot listen on 192.0.2.1:0: Cannot assign requested address; choose another --here, with an address of "
            "this machine");
  const Status nowhere = Listener::Open({"no-such-host.invalid", 1}, {.setting = "--here"}).status();
  EXPECT_EQ(nowhere.reason(), "CANNOT_LISTEN");
  EXPECT_THAT(nowhere.message(), HasSubstr("; check the name in --here, and that this machine can look it up"));
}

TEST(Listener, APrivilegedPortIsRefusedWithTheWayOut) {
  const test::WithoutCapability unprivileged(CAP_NET_BIND_SERVICE);
  auto opened = Listener::Open({"127.0.0.1", 1}, {.setting = "--here"});
  if (opened.ok()) GTEST_SKIP() << "net.ipv4.ip_unprivileged_port_start lets anybody have it";
  EXPECT_EQ(opened.status().message(),
            "cannot listen on 127.0.0.1:1: Permission denied; choose another --here, with a port above 1023, or give "
            "this program CAP_NET_BIND_SERVICE");
}

TEST(Listener, ConnectionsBeyondTheLimitAreClosedAtOnceUntilOthersEnd) {
  Kept kept;
  std::mutex lock;
  std::vector<std::string> told;
  auto listener = MustListen({"127.0.0.1", 0}, {.connections_max = 2, .on_health = [&](const Status& health) {
                                                  std::lock_guard guard(lock);
                                                  told.push_back(health.reason());
                                                }});
  ASSERT_TRUE(listener->Start(kept.Taker()).ok());
  const int a = Connect(listener->address()), b = Connect(listener->address());
  Eventually([&] { return kept.size() == 2; });
  EXPECT_TRUE(listener->Health().ok());
  const int c = Connect(listener->address());
  EXPECT_TRUE(WasCut(c));
  EXPECT_EQ(listener->Stats().refused, 1u);
  EXPECT_EQ(listener->Health().reason(), "TOO_MANY_CONNECTIONS");

  close(kept.Release());
  Eventually([&] { return listener->Health().ok(); });
  const int d = Connect(listener->address());
  Eventually([&] { return kept.size() == 2; });
  EXPECT_EQ(listener->Stats().accepted, 3u);
  listener->Stop();
  EXPECT_THAT(told, testing::ElementsAre("TOO_MANY_CONNECTIONS", ""));
  for (const int fd : {a, b, c, d}) close(fd);
}

// Until it dies, this process can open no more descriptors.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    // Lower would fail poll as well, which counts its descriptors against this limit.
    const int lowest_free = dup(0);
    close(lowest_free);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(lowest_free);
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(Listener, WithoutDescriptorsItTellsAndServesTheQueueWhenTheyAreBack) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  Kept kept;
  auto listener = MustListen({"127.0.0.1", 0});
  ASSERT_TRUE(listener->Start(kept.Taker()).ok());
  // A socket that is there before the shortage, as those of clients in other processes.
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(listener->address().port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  {
    NoDescriptors none;
    ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    Eventually([&] { return !listener->Health().ok(); });
    EXPECT_EQ(listener->Health().reason(), "NO_DESCRIPTORS");
    EXPECT_THAT(listener->Health().message(), HasSubstr("Too many open files"));
    EXPECT_EQ(kept.size(), 0u);
  }
  Eventually([&] { return kept.size() == 1; });
  Eventually([&] { return listener->Health().ok(); });
  EXPECT_EQ(listener->Stats().shortages, 1u);
  close(client);
}

TEST(Listener, TheEndOfAShortageIsSeenWithoutANewClient) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  Kept kept;
  auto listener = MustListen({"127.0.0.1", 0});
  ASSERT_TRUE(listener->Start(kept.Taker()).ok());
  const int client = Connect(listener->address());
  Eventually([&] { return kept.size() == 1; });
  const int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(listener->address().port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  {
    NoDescriptors none;
    ASSERT_EQ(connect(late, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    Eventually([&] { return !listener->Health().ok(); });
    close(late);
  }
  Eventually([&] { return listener->Health().ok(); });
  close(client);
}

TEST(Listener, AfterStopNothingListensAndConnectionsStay) {
  Kept kept;
  auto listener = MustListen({"127.0.0.1", 0});
  ASSERT_TRUE(listener->Start(kept.Taker()).ok());
  const int client = Connect(listener->address());
  Eventually([&] { return kept.size() == 1; });
  listener->Stop();
  listener->Stop();
  EXPECT_EQ(Connect(listener->address()), -1);
  const int fd = kept.Release();
  EXPECT_EQ(write(fd, "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(client, &byte, 1), 1);
  close(fd);
  close(client);
}

TEST(ConnectionTable, ANumberThatIsAnotherFileNowIsAClosedConnection) {
  ConnectionTable table(0, 0);
  int pair[2];
  ASSERT_EQ(pipe2(pair, O_CLOEXEC), 0);
  EXPECT_EQ(table.Add(pair[0], ""), ConnectionTable::Verdict::kAdded);
  table.Sweep();
  EXPECT_EQ(table.size(), 1);
  const int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(dup3(other, pair[0], O_CLOEXEC), pair[0]);
  table.Sweep();
  EXPECT_EQ(table.size(), 0);
  for (const int fd : {other, pair[0], pair[1]}) close(fd);
}

TEST(ConnectionTable, OneClientCannotTakeTheConnectionsOfAll) {
  ConnectionTable table(3, 2);
  std::vector<int> fds;
  auto add = [&](const char* peer) {
    fds.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return table.Add(fds.back(), peer);
  };
  EXPECT_EQ(add("a"), ConnectionTable::Verdict::kAdded);
  EXPECT_EQ(add("a"), ConnectionTable::Verdict::kAdded);
  EXPECT_EQ(add("a"), ConnectionTable::Verdict::kPeerFull);
  EXPECT_EQ(add("b"), ConnectionTable::Verdict::kAdded);
  EXPECT_EQ(add("b"), ConnectionTable::Verdict::kFull);
  for (const int fd : fds) close(fd);
  table.Sweep();
  EXPECT_EQ(table.size(), 0);
  fds.clear();
  EXPECT_EQ(add("a"), ConnectionTable::Verdict::kAdded);
  close(fds[0]);
}

TEST(ConnectionTable, WithoutALimitItForgetsWhatIsClosed) {
  ConnectionTable table(0, 0);
  for (int i = 0; i < 10'000; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    table.Add(fd, "");
    close(fd);
  }
  EXPECT_LE(table.size(), 128);
}

}  // namespace
}  // namespace millrace
