// Which fibers get on beside others, when nobody gives way.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/timer.h"
#include "sync/channel.h"
#include "sync/select.h"
#include "tests/stress/torment.h"

namespace millrace::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class Fairness : public OnAnyProcs {
 protected:
  void SetUp() override {
    if (!rt::kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  }
};
INSTANTIATE_TEST_SUITE_P(Procs, Fairness, kAnyProcs);

MILLRACE_OPAQUE uint64_t CallHeavy(uint64_t n) { return n < 2 ? n : CallHeavy(n - 1) + CallHeavy(n - 2); }

// Go: TestPreemption, TestAsyncPreempt: loops with calls, without, and empty ones.
TEST_P(Fairness, LoopsOfEveryKindAreStopped) {
  Run([] {
    std::atomic<bool> stop{false};
    sync::WaitGroup hogs;
    for (int i = 0; i < GetParam() + 1; ++i) {
      hogs.Go([&] {
        while (!stop.load(std::memory_order_relaxed)) CallHeavy(15);
      });
      hogs.Go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
      hogs.Go([&] {
        double sum = 1;
        while (!stop.load(std::memory_order_relaxed)) sum = sum * 1.0000001 + 1;
        EXPECT_GT(sum, 0);
      });
    }
    for (int i = 0; i < 5; ++i) rt::Yield();
    stop = true;
    hogs.Wait();
  });
}

// Go: TestGoroutineParallelism: fibers that can only finish together, because each waits for the others without giving
// way.
TEST_P(Fairness, SpinnersThatWaitForEachOtherAllGetOn) {
  Run([] {
    const int count = 2 * GetParam();
    for (int round = 0; round < 3; ++round) {
      std::atomic<int> turn{0};
      sync::WaitGroup spinners;
      for (int i = 0; i < count; ++i) {
        spinners.Go([&, i] {
          for (int lap = 0; lap < 2; ++lap) {
            while (turn.load() != lap * count + i) {
            }
            turn.fetch_add(1);
          }
        });
      }
      spinners.Wait();
    }
  });
}

// Go: TestYieldProgress, with all kinds of neighbours.
TEST_P(Fairness, WhoYieldsGetsOnBesideHogs) {
  Run([] {
    std::atomic<bool> stop{false};
    std::atomic<int> yields{0};
    sync::WaitGroup all;
    for (int i = 0; i < GetParam(); ++i) {
      all.Go([&] {
        while (!stop.load()) {
        }
      });
    }
    all.Go([&] {
      for (; yields.load() < 10; yields.fetch_add(1)) rt::Yield();
    });
    while (yields.load() < 10) rt::Yield();
    stop = true;
    all.Wait();
  });
}

// Go: TestPingPongHog, where the hogs' share is within a factor of 20 of the pair's. Here counted in turns, not in
// time: while the hog pair has passed the token a few times, so has the light pair, and the other way round.
TEST_P(Fairness, APairThatHogsAndAPairThatDoesNotBothGetOn) {
  Run([] {
    std::atomic<bool> stop{false};
    std::array<std::atomic<int>, 2> passes{};
    sync::WaitGroup pairs;
    std::array<sync::Channel<int>, 4> channels;
    for (size_t pair = 0; pair < 2; ++pair) {
      for (size_t side = 0; side < 2; ++side) {
        pairs.Go([&, pair, side] {
          sync::Channel<int>& in = channels[2 * pair + side];
          sync::Channel<int>& out = channels[2 * pair + 1 - side];
          while (std::optional<int> token = in.Receive()) {
            if (pair == 0) CallHeavy(26);
            passes[pair].fetch_add(1);
            if (stop.load()) break;
            out.Send(*token + 1);
          }
          out.Close();
        });
      }
      channels[2 * pair].Send(0);
    }
    while (passes[0].load() < 5 || passes[1].load() < 5) rt::SleepFor(milliseconds(1));
    stop = true;
    pairs.Wait();
  });
}

// Go: TestTimerFairness: timers are not starved by fibers that keep each other busy over channels.
TEST_P(Fairness, TimersFireBesideAChannelThatIsNeverQuiet) {
  Run([] {
    sync::Channel<int> busy;
    std::atomic<bool> stop{false};
    sync::WaitGroup all;
    for (int i = 0; i < 2 * GetParam(); ++i) {
      all.Go([&] {
        while (!stop.load()) sync::Select(sync::Send(busy, 1), sync::Receive(busy, [](std::optional<int>) {}));
      });
    }
    std::atomic<int> fired{0};
    all.Go([&] {
      for (; fired.load() < 10; fired.fetch_add(1)) rt::SleepFor(microseconds(200));
      stop = true;
      // Those who wait for a partner now have none.
      for (int i = 0; i < 4 * GetParam(); ++i) {
        sync::Select(sync::Receive(busy, [](std::optional<int>) {}), sync::After(milliseconds(1)));
        sync::Select(sync::Send(busy, 1), sync::After(milliseconds(1)));
      }
    });
    while (fired.load() < 10) rt::SleepFor(milliseconds(1));
    while (all.count() > 0) {
      sync::Select(sync::Receive(busy, [](std::optional<int>) {}), sync::After(milliseconds(1)));
      sync::Select(sync::Send(busy, 1), sync::After(milliseconds(1)));
    }
    all.Wait();
  });
}

// Go: TestTimerFairness2: nor by fibers in a loop of short system calls.
TEST_P(Fairness, TimersFireBesideLoopsOfSystemCalls) {
  Run([] {
    std::atomic<bool> stop{false};
    sync::WaitGroup callers;
    for (int i = 0; i < GetParam() + 1; ++i) {
      callers.Go([&, i] {
        while (!stop.load()) {
          if (i % 2 == 0) {
            getppid();
          } else {
            rt::Blocking([] { getppid(); });
          }
        }
      });
    }
    for (int i = 0; i < 20; ++i) rt::SleepFor(microseconds(300));
    stop = true;
    callers.Wait();
  });
}

// A timer started inside a blocking call, by a fiber without a processor, when everybody else is asleep.
TEST_P(Fairness, ATimerStartedInABlockingCallFiresWhileTheCallLasts) {
  Run([] {
    struct Wake : rt::Timer {
      std::atomic<uint32_t> fired{0};
    };
    for (int i = 0; i < 10; ++i) {
      // Makes the machine that waits for timers find every processor busy, and give its role up.
      Wake first;
      first.Start(std::chrono::steady_clock::now() + microseconds(200),
                  [](rt::Timer* timer) { static_cast<Wake*>(timer)->fired.store(1); });
      while (first.fired.load() == 0) {
      }
      first.Cancel();
      Wake second;
      rt::Blocking([&] {
        second.Start(std::chrono::steady_clock::now() + microseconds(200),
                     [](rt::Timer* timer) { static_cast<Wake*>(timer)->fired.store(1); });
        while (second.fired.load() == 0) usleep(50);
      });
      second.Cancel();
    }
  });
}

}  // namespace
}  // namespace millrace::test
