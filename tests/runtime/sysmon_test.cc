// Threads that go from one system call to the next: none is ended early, however little can be learnt about the thread.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <vector>

#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "runtime/thread_state.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using std::chrono::milliseconds;

// Leaves the process without a single descriptor to be had.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = std::min<rlim_t>(before_.rlim_cur, 256);
    setrlimit(RLIMIT_NOFILE, &low);
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) fds_.push_back(fd);
  }
  ~NoDescriptors() {
    for (int fd : fds_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<int> fds_;
};

class SleepingThreads : public test::OnAnyProcs {
 protected:
  void SetUp() override {
    if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  }
  // How many of kCalls end early beside fibers that want the processors.
  template <typename Call>
  int EndedEarly(Call&& call) {
    int early = 0;
    Run([&] {
      std::atomic<bool> stop{false};
      sync::WaitGroup all;
      for (int i = 0; i < GetParam(); ++i) {
        all.Go([&] {
          while (!stop.load(std::memory_order_relaxed)) {
          }
        });
      }
      all.Go([&] {
        for (int i = 0; i < kCalls; ++i) early += call() == EINTR;
        stop = true;
      });
      all.Wait();
    });
    return early;
  }
  static constexpr int kCalls = 20;
};
INSTANTIATE_TEST_SUITE_P(Procs, SleepingThreads, test::kAnyProcs);

int Nap() {
  timespec nap{.tv_sec = 0, .tv_nsec = 50'000'000};
  return nanosleep(&nap, nullptr) == 0 ? 0 : errno;
}

int Poll() { return poll(nullptr, 0, 50) >= 0 ? 0 : errno; }

// A thread may always be met as it enters the call (README.md), so a few are allowed for.
TEST_P(SleepingThreads, KeepSleepingBesideHogs) {
  EXPECT_LE(EndedEarly(Nap), 3);
  EXPECT_LE(EndedEarly(Poll), 3);
}

TEST_P(SleepingThreads, KeepSleepingWhenNoDescriptorIsToBeHad) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  // The runtime has what it needs before: threads open nothing.
  NoDescriptors none;
  ASSERT_EQ(WhatThreadDoes(gettid()), ThreadDoes::kUnknown);
  EXPECT_LE(EndedEarly(Nap), 3);
  EXPECT_LE(EndedEarly(Poll), 3);
}

TEST_P(SleepingThreads, HogsAreStoppedAlsoWhenNoDescriptorIsToBeHad) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan takes every object for a wrong one where it can open no pipe to probe memory with";
#endif
  NoDescriptors none;
  Run([] {
    std::atomic<bool> stop{false};
    sync::WaitGroup hogs;
    for (int i = 0; i < GetParam(); ++i) {
      hogs.Go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    for (int i = 0; i < 10; ++i) SleepFor(milliseconds(1));
    stop = true;
    hogs.Wait();
  });
}

}  // namespace
}  // namespace millrace::rt
