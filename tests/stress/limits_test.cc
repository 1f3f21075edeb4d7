// More fibers that do not yield, and more calls that block, than the runtime has threads for.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <vector>

#include "runtime/blocking.h"
#include "sync/channel.h"
#include "tests/stress/torment.h"

namespace millrace::test {
namespace {

using std::chrono::milliseconds;

class Limits : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Procs, Limits, kAnyProcs);

int64_t ProcessCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void Write() const { EXPECT_EQ(write(ends[1], "x", 1), 1); }
  bool Read() const {
    char byte;
    return read(ends[0], &byte, 1) == 1;
  }
  std::array<int, 2> ends{};
};

// Go has no bound here but its limit of 10,000 threads. Ours costs a thread for each fiber that is stopped.
TEST_P(Limits, TenThousandHogsFinishOnFewThreadsBesideATicker) {
  MILLRACE_TRACE_SEED();
  constexpr int kCap = 32;
  rt::Runtime runtime({.procs = GetParam(), .parked_machines_max = kCap});
  Tormentor tormentor(runtime, {.pause_max = std::chrono::microseconds(100), .takes = false});
  const Hits hits(runtime, kCap, 0);
  std::atomic<int> finished{0}, ticks{0};
  int started = 0, machines_max = 0;
  runtime.Run([&] {
    std::atomic<bool> stop{false};
    sync::WaitGroup hogs, ticker;
    ticker.Go([&] {
      while (!stop.load()) {
        rt::SleepFor(milliseconds(1));
        ticks.fetch_add(1);
        machines_max = std::max(machines_max, runtime.Stats().machines);
      }
    });
    auto run = [&](int count) {
      for (int i = 0; i < count; ++i) {
        hogs.Go([&] {
          Compute(100'000);
          finished.fetch_add(1);
        });
      }
      started += count;
      hogs.Wait();
    };
    run(kManyFibers);
    while (hits.Missing()) run(100);
    stop = true;
    ticker.Wait();
  });
  hits.Expect();
  EXPECT_EQ(finished.load(), started);
  EXPECT_GT(ticks.load(), 0);
  // Far from one for each. Some more than the cap are spare, begin, or end.
  EXPECT_LT(machines_max, 8 * kCap);
}

// Those have begun, so nobody can make them wait: the number of threads is what it is, but everybody gets on.
TEST_P(Limits, HogsThatHaveBegunAllFinishAlthoughTheyAreMoreThanTheCap) {
  MILLRACE_TRACE_SEED();
  constexpr int kCap = 8;
  rt::Runtime runtime({.procs = GetParam(), .parked_machines_max = kCap});
  Tormentor tormentor(runtime, {.pause_max = std::chrono::microseconds(100)});
  const Hits hits(runtime, kCap);
  const int count = 400;
  std::atomic<int> finished{0};
  runtime.Run([&] {
    sync::Channel<int> start;
    std::atomic<int> begun{0};
    sync::WaitGroup hogs;
    for (int i = 0; i < count; ++i) {
      hogs.Go([&] {
        begun.fetch_add(1);
        start.Receive();
        do Compute(200'000);
        while (hits.Missing());
        finished.fetch_add(1);
      });
    }
    while (begun.load() < count) rt::Yield();
    start.Close();
    hogs.Wait();
  });
  hits.Expect();
  EXPECT_EQ(finished.load(), count);
}

// The cap delays fibers that have not begun. One that has, and that everybody waits for, must get on.
TEST_P(Limits, AFiberThatHasBegunGoesOnBesideMoreHogsThanTheCap) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  constexpr int kCap = 4;
  rt::Runtime runtime({.procs = GetParam(), .parked_machines_max = kCap});
  const Hits hits(runtime, kCap);
  runtime.Run([&] {
    std::atomic<bool> stop{false};
    sync::WaitGroup hogs;
    for (int i = 0; i < kCap + 2 * GetParam() + 4; ++i) {
      hogs.Go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    // Readied by a timer, by a plain thread, by its own yield.
    for (int i = 0; i < 5 || hits.Missing(); ++i) {
      rt::SleepFor(milliseconds(1));
      rt::Parker parker;
      std::thread waker([&] { parker.Wake(); });
      parker.Wait(rt::WaitReason::kExternal);
      rt::Blocking([&] { waker.join(); });
      rt::Yield();
    }
    stop = true;
    hogs.Wait();
  });
  hits.Expect();
}

TEST_P(Limits, WithoutSpareThreadsEverythingStillFinishes) {
  MILLRACE_TRACE_SEED();
  rt::Runtime runtime({.procs = GetParam(), .machines_max = GetParam() + 1});
  Tormentor tormentor(runtime);
  const Hits hits(runtime);
  std::atomic<int> finished{0};
  runtime.Run([&] {
    sync::WaitGroup done;
    for (int i = 0; i < 60; ++i) {
      done.Go([&, i] {
        for (int k = 0; k < 10 || hits.Missing(); ++k) {
          Compute(20'000);
          // While the only spare thread is always in somebody's call, no fiber can be stopped: on a busy machine, where
          // a call takes as long as its thread waits for a processor, that may be for ever. So the calls end some time.
          if (k >= 20) {
            rt::Yield();
            continue;
          }
          if (i % 3 == 0) rt::Yield();
          if (i % 3 == 1) rt::SleepFor(std::chrono::microseconds(100));
          if (i % 6 == 2) rt::Blocking([] { usleep(100); });
          if (i % 6 == 5) usleep(100);
        }
        finished.fetch_add(1);
      });
    }
    done.Wait();
  });
  hits.Expect();
  EXPECT_EQ(finished.load(), 60);
  EXPECT_LE(runtime.Stats().machines, GetParam() + 1);
}

// Go dies with "thread exhaustion"; here the others wait until a call returns. Go: TestThreadExhaustion.
TEST_P(Limits, WhenAllThreadsAreInBlockingCallsTheOthersWaitAndThenGoOn) {
  const int machines = GetParam() + 6;
  rt::Runtime runtime({.procs = GetParam(), .machines_max = machines});
  std::vector<Pipe> pipes(static_cast<size_t>(machines));
  std::atomic<int> blocked{0}, back{0}, others{0};
  // Only a plain thread is sure to go on.
  std::thread outside([&] {
    while (blocked.load() < machines - 1) std::this_thread::yield();
    for (int i = 0; i < 10; ++i) runtime.Go([&] { others.fetch_add(1); });
    // Nobody searches for work or tries to make threads all the time meanwhile. The least of some rounds: a pause of
    // the machine counts as computing where it meets somebody who runs.
    int64_t least = INT64_MAX;
    for (int round = 0; round < 3; ++round) {
      const int64_t before = ProcessCpuNs();
      std::this_thread::sleep_for(milliseconds(100));
      least = std::min(least, ProcessCpuNs() - before);
    }
    EXPECT_LT(least, std::chrono::nanoseconds(milliseconds(60)).count());
    for (Pipe& pipe : pipes) pipe.Write();
  });
  runtime.Run([&] {
    sync::WaitGroup done;
    for (int i = 0; i < machines; ++i) {
      done.Go([&, i] {
        rt::Blocking([&] {
          blocked.fetch_add(1);
          EXPECT_TRUE(pipes[static_cast<size_t>(i)].Read());
        });
        back.fetch_add(1);
      });
    }
    done.Wait();
    while (others.load() < 10) rt::Yield();
    rt::Blocking([&] { outside.join(); });
  });
  EXPECT_EQ(back.load(), machines);
  EXPECT_LE(runtime.Stats().machines, machines);
}

TEST_P(Limits, AThousandCallsThatBlockAndComputeAfterwards) {
  MILLRACE_TRACE_SEED();
  const int count = kSlowBuild ? 100 : 1000;
  rt::Runtime runtime({.procs = GetParam()});
  Tormentor tormentor(runtime);
  Pipe gate;  // One for all: a byte each.
  std::atomic<int> begun{0}, finished{0};
  runtime.Run([&] {
    sync::WaitGroup done;
    for (int i = 0; i < count; ++i) {
      done.Go([&, i] {
        begun.fetch_add(1);
        bool read = i % 2 == 0 ? gate.Read() : rt::Blocking([&] { return gate.Read(); });
        Compute(10'000);
        finished.fetch_add(read);
      });
    }
    while (begun.load() < count) rt::Yield();
    for (int i = 0; i < count; ++i) gate.Write();
    done.Wait();
  });
  EXPECT_EQ(finished.load(), count);
  // When the last one began, each of the others was in its call, and no more of them than there are processors held
  // one.
  rt::RuntimeStats stats = runtime.Stats();
  EXPECT_GE(stats.switches_handoff + stats.switches_preempted, static_cast<uint64_t>(count - GetParam()));
}

}  // namespace
}  // namespace millrace::test
