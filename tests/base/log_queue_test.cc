// A stderr that nobody reads: whoever logs goes on, and what was lost is told.
#include "base/log_queue.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

#include "base/check.h"
#include "base/log.h"
#include "base/stderr.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// stderr is a pipe that holds little, until the end of the scope.
class FullPipe {
 public:
  FullPipe() : stderr_(dup(STDERR_FILENO)) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) abort();
    read_ = ends[0];
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    const std::string filling(4096, '#');
    while (write(STDERR_FILENO, filling.data(), filling.size()) > 0) {
    }
    fcntl(STDERR_FILENO, F_SETFL, 0);
  }
  ~FullPipe() {
    dup2(stderr_, STDERR_FILENO);
    close(stderr_);
    close(read_);
  }
  std::string Read() const {
    char bytes[4096];
    ssize_t got = read(read_, bytes, sizeof bytes);
    return got > 0 ? std::string(bytes, static_cast<size_t>(got)) : "";
  }

 private:
  int stderr_, read_;
};

TEST(LogQueue, NobodyWaitsForAReaderThatDoesNotReadAndLostLinesAreCounted) {
  FullPipe pipe;
  auto* queue = new LogQueue;  // Its thread stays.
  queue->Start([queue](uint64_t dropped) { queue->Write(std::to_string(dropped) + " dropped\n"); });
  // Much more than the pipe and the queue hold; it would wait for ever here.
  const std::string line(99, 'x');
  constexpr size_t kLines = 40'000;
  for (size_t i = 0; i < kLines; ++i) queue->Write(line + "\n");
  EXPECT_FALSE(queue->Flush(0ms));

  // Whatever was not written is told, perhaps in several lines: the writer may get on while the lines come.
  size_t written = 0, dropped = 0;
  std::string rest;
  while (written + dropped < kLines) {
    rest += pipe.Read();
    size_t begin = 0;
    for (size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string one = rest.substr(begin, end - begin);
      one.ends_with(" dropped") ? dropped += std::stoul(one) : ++written;
    }
    rest.erase(0, begin);
  }
  EXPECT_EQ(written + dropped, kLines);
  EXPECT_GT(written, LogQueue::kBytesMax / 100 - 1);
  EXPECT_GT(dropped, 0u);
  queue->Write("on it goes\n");
  EXPECT_TRUE(queue->Flush(60s));
  EXPECT_THAT(pipe.Read(), HasSubstr("on it goes\n"));
}

TEST(LogQueue, ALineOfAnySizeFitsWhenNothingWaits) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const int before = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  auto* queue = new LogQueue;
  queue->Start([](uint64_t) { ADD_FAILURE() << "nothing is lost"; });
  queue->Write(std::string(3 * LogQueue::kBytesMax, 'y'));
  size_t bytes = 0;
  char chunk[65536];
  while (bytes < 3 * LogQueue::kBytesMax) bytes += static_cast<size_t>(read(ends[0], chunk, sizeof chunk));
  EXPECT_TRUE(queue->Flush(60s));
  dup2(before, STDERR_FILENO);
  close(before);
  close(ends[0]);
}

TEST(Stderr, LosesWhatIsNotTakenInsteadOfWaiting) {
  FullPipe pipe;
  errno = 7;
  EXPECT_FALSE(WriteStderr("lost"));
  EXPECT_EQ(errno, 7);
  pipe.Read();
  EXPECT_TRUE(WriteStderr("heard"));
}

TEST(Stderr, AFatalErrorEndsTheProcessThoughNobodyReadsIt) {
  const pid_t pid = fork();
  if (pid == 0) {
    FullPipe pipe;
    MR_FATAL("nobody reads this");
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

}  // namespace
}  // namespace millrace
