#include "web/open_connections.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace millrace::web {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{600'000};

struct Pair {
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0); }
  ~Pair() {
    close(ends[0]);
    close(ends[1]);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  int server() const { return ends[0]; }
  bool IsCut(int wait_ms = 0) const {
    pollfd end{.fd = ends[1], .events = POLLRDHUP, .revents = 0};
    return poll(&end, 1, wait_ms) == 1;
  }
  std::array<int, 2> ends{};
};

TEST(OpenConnections, CutTheOldestWhenThereAreTooMany) {
  Pair first, second, third;
  OpenConnections open(2, kLong);
  open.Opened(first.server());
  open.Opened(second.server());
  EXPECT_FALSE(first.IsCut());
  open.Opened(third.server());
  EXPECT_TRUE(first.IsCut());
  EXPECT_FALSE(second.IsCut());
  EXPECT_FALSE(third.IsCut());
  EXPECT_EQ(open.size(), 2u);
  open.CutOldest();
  EXPECT_TRUE(second.IsCut());
  EXPECT_FALSE(third.IsCut());
}

TEST(OpenConnections, CutWhatIsOpenForTooLong) {
  Pair first, second;
  OpenConnections open(10, milliseconds(20));
  open.Opened(first.server());
  EXPECT_TRUE(first.IsCut(60'000));
  // Once more, when there were none in between.
  open.Opened(second.server());
  EXPECT_TRUE(second.IsCut(60'000));
  EXPECT_EQ(open.size(), 0u);
}

TEST(OpenConnections, CountTheDescriptorOfWhatIsCutUntilItIsClosed) {
  Pair first, second;
  OpenConnections open(1, kLong);
  const OpenConnections::Id id = open.Opened(first.server());
  open.Opened(second.server());
  EXPECT_EQ(open.size(), 1u);
  EXPECT_FALSE(open.AwaitDescriptors(1, milliseconds(0)));
  EXPECT_FALSE(open.AwaitOpened(id + 2, milliseconds(0)));
  std::thread closes([&] { open.Closed(id); });
  EXPECT_TRUE(open.AwaitDescriptors(1, kLong));
  closes.join();
  EXPECT_EQ(open.last(), id + 1);
  EXPECT_TRUE(open.AwaitOpened(id + 1, kLong));
}

TEST(OpenConnections, LeaveAloneWhatIsClosed) {
  Pair first, second;
  OpenConnections open(1, kLong);
  const OpenConnections::Id id = open.Opened(first.server());
  open.Closed(id);
  // As when the system has given its number to another file.
  open.Opened(second.server());
  open.CutOldest();
  EXPECT_FALSE(first.IsCut());
  EXPECT_TRUE(second.IsCut());
  open.Closed(id);
  open.CutOldest();
  EXPECT_EQ(open.size(), 0u);
}

}  // namespace
}  // namespace millrace::web
