#include "io/asio_netpoll.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include "io/child.h"
#include "sync/channel.h"
#include "sync/wait_group.h"
#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

TEST(AsioNetpollerAlone, AnInterruptIsRememberedForTheNextWait) {
  AsioNetpoller poller;
  poller.Interrupt();
  poller.Interrupt();
  poller.Wait(kNever);
  EXPECT_EQ(poller.Stats().waits, 1u);
}

TEST(AsioNetpollerAlone, AnInterruptEndsAWaitOnAnotherThread) {
  AsioNetpoller poller;
  for (int i = 0; i < 100; ++i) {
    std::thread interrupts([&] { poller.Interrupt(); });
    poller.Wait(kNever);
    interrupts.join();
  }
  EXPECT_EQ(poller.Stats().waits, 100u);
}

TEST(AsioNetpollerAlone, AWaitLastsUntilItsDeadline) {
  AsioNetpoller poller;
  for (int64_t ns : {0, 1, 1'000, 300'000, 2'000'000}) {
    int64_t deadline = NowNs() + ns;
    poller.Wait(deadline);
    EXPECT_GE(NowNs(), deadline);
  }
  // Neither a deadline that was set and not reached, nor one that has long passed stands in the way of the next.
  poller.Interrupt();
  poller.Wait(NowNs() + 3'600'000'000'000);
  poller.Wait(1);
  int64_t deadline = NowNs() + 1'000'000;
  poller.Wait(deadline);
  EXPECT_GE(NowNs(), deadline);
}

class AsioNetpollerTest : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Procs, AsioNetpollerTest, test::kAnyProcs);

TEST_P(AsioNetpollerTest, TheRuntimesTimersKeepWorking) {
  Run([] {
    auto before = std::chrono::steady_clock::now();
    (void)Context();
    for (int i = 0; i < 20; ++i) rt::SleepFor(100us);
    EXPECT_GE(std::chrono::steady_clock::now() - before, 2ms);
    std::atomic<int> woken{0};
    sync::WaitGroup done;
    for (int i = 0; i < 100; ++i) {
      done.Go([&, i] {
        rt::SleepFor(std::chrono::microseconds(2000 - 10 * i));
        ++woken;
      });
    }
    done.Wait();
    EXPECT_EQ(woken, 100);
  });
}

TEST_P(AsioNetpollerTest, ItWatchesAsLongAsAFiberWaits) {
  Run([] {
    AsioNetpoller& poller = AsioNetpoller::Current();
    EXPECT_FALSE(poller.Watching());
    SocketPair pair;
    EXPECT_FALSE(poller.Watching()) << "an open connection is nothing to wait for";
    WatchedFiber reads([&] { ReadAll(pair.a); });
    reads.AwaitParked();
    EXPECT_TRUE(poller.Watching());
    EXPECT_EQ(&AsioNetpoller::Current(), &poller);
    pair.b.Close();
    reads.Join();
    EXPECT_FALSE(poller.Watching());
  });
}

// I/O goes on while other fibers keep all processors busy.
TEST_P(AsioNetpollerTest, ItIsNotLostWhenAllProcessorsAreBusy) {
  Run([] {
    SocketPair pair;
    std::atomic<bool> stop{false};
    sync::WaitGroup busy;
    for (int i = 0; i < GetParam() + 1; ++i) {
      busy.Go([&] {
        while (!stop) rt::Yield();
      });
    }
    WatchedFiber echoes([&] { Echo(pair.b); });
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(pair.a.Write("x").ok());
      ASSERT_EQ(ReadAll(pair.a, 1), "x");
    }
    stop = true;
    busy.Wait();
    pair.a.Close();
  });
}

// ---- Many connections ---------------------------------------------------------------------------------------------

// Played by another process, since one may not have that many descriptors: connects as often as it is told and sends
// one byte over the connection whose number it reads.
class ManyClients : public ::testing::Test {};
TEST_F(ManyClients, DISABLED_Role) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons(static_cast<uint16_t>(atoi(getenv("MILLRACE_TEST_PORT"))));
  std::vector<UniqueFd> connections(static_cast<size_t>(atoi(getenv("MILLRACE_TEST_COUNT"))));
  for (UniqueFd& each : connections) {
    each.Reset(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(connect(each.get(), reinterpret_cast<sockaddr*>(&server), sizeof server), 0) << errno;
  }
  uint32_t index;
  while (read(0, &index, sizeof index) == sizeof index) ASSERT_EQ(send(connections[index].get(), "!", 1, 0), 1);
}

pid_t StartClients(int port, int count, int input) {
  char path[4096] = {};
  MR_CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "no /proc");
  std::string port_text = "MILLRACE_TEST_PORT=" + std::to_string(port);
  std::string count_text = "MILLRACE_TEST_COUNT=" + std::to_string(count);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
  const char* argv[] = {path, "--gtest_also_run_disabled_tests", "--gtest_filter=ManyClients.DISABLED_Role", nullptr};
  char* env[] = {port_text.data(), count_text.data(), nullptr};
  pid_t pid = -1;
  int error = posix_spawn(&pid, path, &actions, nullptr, const_cast<char**>(argv), env);
  MR_CHECK(error == 0, "the clients were not started: error %d", error);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// Raises the soft limit for as long as it lives.
class ManyDescriptors {
 public:
  explicit ManyDescriptors(rlim_t count) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit wanted = before_;
    wanted.rlim_cur = std::max(before_.rlim_cur, count);
    enough_ = wanted.rlim_cur <= before_.rlim_max && setrlimit(RLIMIT_NOFILE, &wanted) == 0;
  }
  ~ManyDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  bool enough() const { return enough_; }

 private:
  rlimit before_{};
  bool enough_;
};

TEST_P(AsioNetpollerTest, IdleConnectionsCostNoCpu) {
  static constexpr int kConnections = test::kManyFibers;
  static constexpr int kEvents = 50;
  ManyDescriptors descriptors(kConnections + 100);
  if (!descriptors.enough()) GTEST_SKIP() << "not allowed to have " << kConnections << " descriptors";
  Run([] {
    Listener listener = ListenTcp({"127.0.0.1", 0}).value();
    RawPipe control;
    pid_t clients = StartClients(listener.port(), kConnections, control.reader.get());
    sync::WaitGroup serving;
    sync::Channel<int> woken(kEvents);
    for (int i = 0; i < kConnections; ++i) {
      serving.Go([&, i, socket = listener.Accept().value()]() mutable {
        char byte;
        for (auto n = socket.Read({&byte, 1}); n.ok() && *n > 0; n = socket.Read({&byte, 1})) woken.Send(i);
      });
    }
    AsioNetpoller& poller = AsioNetpoller::Current();
    while (poller.Stats().watching < kConnections) rt::Yield();

    // Nothing happens, and nothing is done about it: two returns are the sleep's own (its start and its end).
    NetpollStats before = poller.Stats();
    rt::SleepFor(50ms);
    NetpollStats after = poller.Stats();
    EXPECT_LE(after.waits - before.waits, 4u);
    EXPECT_EQ(after.completed, before.completed);

    // An event on one of them wakes the one fiber that it is for.
    before = poller.Stats();
    std::multiset<int> sent, received;
    for (uint32_t i = 0; i < kEvents; ++i) {
      uint32_t index = (i * 7919) % kConnections;
      ASSERT_EQ(write(control.writer.get(), &index, sizeof index), static_cast<ssize_t>(sizeof index));
      sent.insert(static_cast<int>(index));
      received.insert(*woken.Receive());
    }
    EXPECT_EQ(sent, received);
    EXPECT_EQ(woken.Len(), 0u);
    while (poller.Stats().watching < kConnections) rt::Yield();
    after = poller.Stats();
    EXPECT_EQ(after.completed - before.completed, static_cast<uint64_t>(kEvents));
    EXPECT_LE(after.waits - before.waits, 4u * kEvents);

    control.writer.Reset();
    EXPECT_EQ(AwaitChild(clients).value().code, 0);
    serving.Wait();
  });
}

}  // namespace
}  // namespace millrace::io
