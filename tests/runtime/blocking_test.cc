// Calls that block the thread, announced and not.
#include "runtime/blocking.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <thread>
#include <vector>

#include "runtime/runtime.h"
#include "sync/channel.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::rt {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  void Write() { EXPECT_EQ(write(ends[1], "x", 1), 1); }
  ssize_t Read() {
    char byte;
    return read(ends[0], &byte, 1);
  }
  std::array<int, 2> ends{};
};

class BlockingCall : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, BlockingCall, test::kAnyProcs);

TEST_P(BlockingCall, LetsOtherFibersRunMeanwhile) {
  Run([] {
    Pipe pipe;
    ssize_t bytes = 0;
    sync::WaitGroup reader;
    reader.Go([&] { bytes = Blocking([&] { return pipe.Read(); }); });
    for (int i = 0; i < 100; ++i) Yield();
    pipe.Write();
    reader.Wait();
    EXPECT_EQ(bytes, 1);
  });
}

TEST_P(BlockingCall, KeepsErrno) {
  Run([] {
    char byte;
    ssize_t bytes = Blocking([&] { return read(-1, &byte, 1); });
    EXPECT_EQ(bytes, -1);
    EXPECT_EQ(errno, EBADF);
  });
}

TEST_P(BlockingCall, MayWaitLikeAnyFiber) {
  Run([] {
    sync::Channel<int> channel;
    Go([&] { channel.Send(7); });
    std::optional<int> value = Blocking([&] { return channel.Receive(); });
    EXPECT_EQ(value, 7);
    Blocking([] { Yield(); });
    Blocking([] { Blocking([] {}); });
  });
}

TEST(BlockingCallOnAPlainThread, IsSimplyMade) {
  EXPECT_EQ(Blocking([] { return 3; }), 3);
}

TEST_P(BlockingCall, IsAccountedAsBlockedAndAsAHandOff) {
  Runtime runtime({.procs = GetParam()});
  runtime.Run([&] {
    Pipe pipe;
    sync::WaitGroup reader;
    FiberTimes times;
    reader.Go([&] {
      Blocking([&] { pipe.Read(); });
      times = CurrentFiberTimes();
    });
    while (runtime.Stats().switches_handoff < 1) Yield();
    pipe.Write();
    reader.Wait();
    EXPECT_GT(times.blocked[static_cast<size_t>(WaitReason::kBlocking)].count(), 0);
  });
}

// The founding promise: code that knows nothing of fibers may block.
void MoreReadersThanProcessors(int procs) {
  const int count = procs + 3;
  std::vector<Pipe> pipes(static_cast<size_t>(count));
  std::atomic<int> begun{0};
  sync::WaitGroup readers;
  for (Pipe& pipe : pipes) {
    readers.Go([&] {
      begun.fetch_add(1);
      EXPECT_EQ(pipe.Read(), 1);
    });
  }
  // This fiber goes on only because theirs are taken from them.
  while (begun.load() < count) Yield();
  for (int i = 0; i < 10; ++i) Yield();
  for (Pipe& pipe : pipes) pipe.Write();
  readers.Wait();
}

TEST_P(BlockingCall, UnannouncedDoesNotStopTheOthers) {
  Run([] { MoreReadersThanProcessors(GetParam()); });
}

// As in a container whose seccomp profile knows no membarrier(2).
void ForbidMembarrier() {
  std::array<sock_filter, 4> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

// Their processors cannot be taken behind their backs then: the signal, which a read that restarts does not notice, has
// to do.
TEST_P(BlockingCall, UnannouncedDoesNotStopTheOthersWithoutMembarrierEither) {
  if (!kPreemptionWorks) GTEST_SKIP() << "it is the preemption signal that takes the processors";
  EXPECT_EXIT(
      {
        ForbidMembarrier();
        EXPECT_FALSE(ProcessBarrier());
        Runtime({.procs = GetParam()}).Run([] { MoreReadersThanProcessors(GetParam()); });
        exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_P(BlockingCall, AFiberThatComputesAfterwardsStillSharesTheProcessors) {
  Run([] {
    std::atomic<bool> stop{false};
    const int count = GetParam() + 1;
    std::vector<Pipe> pipes(static_cast<size_t>(count));
    std::atomic<int> begun{0}, back{0};
    sync::WaitGroup readers;
    for (Pipe& pipe : pipes) {
      readers.Go([&] {
        begun.fetch_add(1);
        pipe.Read();
        back.fetch_add(1);
        while (!stop.load(std::memory_order_relaxed)) {
          if (!kPreemptionWorks) Yield();
        }
      });
    }
    while (begun.load() < count) Yield();
    for (Pipe& pipe : pipes) pipe.Write();
    while (back.load() < count) Yield();
    for (int i = 0; i < 10; ++i) Yield();
    stop = true;
    readers.Wait();
  });
}

TEST(BlockingCalls, AThousandReadersOfEmptyPipesLeaveTwoProcessorsToTheOthers) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
  setrlimit(RLIMIT_NOFILE, &files);
  const int count = files.rlim_cur >= 2200 && !test::kSlowBuild ? 1000 : 200;
  test::OnProcs(2, [&] {
    std::vector<Pipe> pipes(static_cast<size_t>(count));
    std::atomic<int> begun{0};
    sync::WaitGroup readers;
    for (Pipe& pipe : pipes) {
      readers.Go([&] {
        begun.fetch_add(1);
        EXPECT_EQ(pipe.Read(), 1);
      });
    }
    while (begun.load() < count) Yield();
    sync::Channel<int> ping, pong;
    Go([&] {
      for (int value : ping) pong.Send(value + 1);
    });
    for (int i = 0; i < 1000; ++i) {
      ping.Send(i);
      EXPECT_EQ(pong.Receive(), i + 1);
    }
    ping.Close();
    for (Pipe& pipe : pipes) pipe.Write();
    readers.Wait();
  });
}

TEST_P(BlockingCall, ProgramsThatEndBesideBlockedFibersEnd) {
  if (!kPreemptionWorks) GTEST_SKIP() << "a thread asleep in a call is woken by the preemption signal";
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // The threads stay behind.
  EXPECT_EXIT(
      {
        Pipe announced;
        Pipe unannounced;
        std::atomic<int> begun{0};
        Run([&] {
          Go([&] {
            begun.fetch_add(1);
            Blocking([&] { announced.Read(); });
          });
          Go([&] {
            begun.fetch_add(1);
            unannounced.Read();
          });
          while (begun.load() < 2) Yield();
        });
        exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace millrace::rt
