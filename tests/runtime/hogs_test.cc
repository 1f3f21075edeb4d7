// Which fibers run beside fibers that compute without an end, counted in turns of those and not in time. Hangs are
// caught by ctest's limit.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>
#include <functional>
#include <thread>

#include "runtime/blocking.h"
#include "runtime/park.h"
#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"

namespace millrace::rt {
namespace {

using std::chrono::milliseconds;

int64_t ThreadCpu() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class BesideHogs : public test::OnAnyProcs {
 protected:
  void SetUp() override {
    if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  }

  // So many that whoever is behind all of them waits for many turns.
  int hogs() const { return 10 * (GetParam() + 1); }
  // What a fiber that comes before hogs may have to wait for: each processor ends a turn and begins another one.
  int64_t few() const { return 2 * GetParam() + 2; }

  // How many turns of hogs end between `wake`, called on a plain thread, and the moment at which somebody says Here.
  // The least of some rounds: the machine may pause between the two at any time.
  int64_t TurnsUntilHere(
      Runtime& runtime, const std::function<void()>& wake, const std::function<void()>& ending = [] {}) {
    constexpr int kRounds = 8;
    int64_t least = INT64_MAX;
    std::thread outside([&] {
      while (begun_.load() < hogs()) std::this_thread::sleep_for(milliseconds(1));
      for (int round = 0; round < kRounds; ++round) {
        here_ = -1;
        wake();
        int64_t before = Turns(runtime);
        while (here_.load() < 0) std::this_thread::sleep_for(milliseconds(1));
        least = std::min(least, here_.load() - before);
      }
      stop_ = true;
      done_.Wake();
    });
    runtime.Run([&] {
      sync::WaitGroup all;
      for (int i = 0; i < hogs(); ++i) {
        all.Go([&] {
          begun_.fetch_add(1);
          while (!stop_.load(std::memory_order_relaxed)) Turn();
        });
      }
      done_.Wait(WaitReason::kExternal);
      all.Wait();
      ending();
      Blocking([&] { outside.join(); });
    });
    return least;
  }

  void Here(Runtime& runtime) { here_ = Turns(runtime); }
  virtual void Turn() {}
  virtual int64_t Turns(Runtime& runtime) { return static_cast<int64_t>(runtime.Stats().switches_preempted); }

  std::atomic<bool> stop_{false};

 private:
  std::atomic<int> begun_{0};
  std::atomic<int64_t> here_{-1};
  Parker done_;
};
INSTANTIATE_TEST_SUITE_P(Procs, BesideHogs, test::kAnyProcs);

TEST_P(BesideHogs, ANewFiberRunsAfterFewTurnsOfTheirs) {
  Runtime runtime({.procs = GetParam()});
  EXPECT_LE(TurnsUntilHere(runtime, [&] { runtime.Go([&] { Here(runtime); }); }), few());
}

TEST_P(BesideHogs, ANewFiberRunsAfterFewTurnsAlsoWhenTooManyThreadsAreParked) {
  Runtime runtime({.procs = GetParam(), .parked_machines_max = 4});
  EXPECT_LE(TurnsUntilHere(runtime, [&] { runtime.Go([&] { Here(runtime); }); }), few());
}

TEST_P(BesideHogs, AFiberThatAPlainThreadWakesRunsAfterFewTurns) {
  Runtime runtime({.procs = GetParam()});
  std::atomic<Parker*> parked{nullptr};
  runtime.Go([&] {
    while (!stop_.load()) {
      Parker parker;
      parked = &parker;
      parker.Wait(WaitReason::kExternal);
      Here(runtime);
    }
  });
  auto wake = [&] {
    Parker* parker;
    while ((parker = parked.exchange(nullptr)) == nullptr) std::this_thread::yield();
    parker->Wake();
  };
  EXPECT_LE(TurnsUntilHere(runtime, wake), few());
}

TEST_P(BesideHogs, AFiberWhoseTimerIsDueRunsAfterFewTurns) {
  Runtime runtime({.procs = GetParam()});
  std::atomic<bool> asked{false};
  std::atomic<int64_t> turns_at_fire{0};
  std::atomic<int64_t> least{INT64_MAX};
  struct Sleeper : Timer {
    Parker parker;
    Runtime* runtime;
    std::atomic<int64_t>* turns_at_fire;
  };
  runtime.Go([&] {
    while (!stop_.load()) {
      while (!asked.exchange(false) && !stop_.load()) SleepFor(milliseconds(5));
      Sleeper sleeper;
      sleeper.runtime = &runtime;
      sleeper.turns_at_fire = &turns_at_fire;
      sleeper.Start(Now() + milliseconds(5), [](Timer* timer) {
        auto* self = static_cast<Sleeper*>(timer);
        *self->turns_at_fire = static_cast<int64_t>(self->runtime->Stats().switches_preempted);
        self->parker.Wake();
      });
      sleeper.parker.Wait(WaitReason::kTimer);
      sleeper.Cancel();
      least = std::min(least.load(), Turns(runtime) - turns_at_fire.load());
      Here(runtime);
    }
  });
  TurnsUntilHere(runtime, [&] { asked = true; });
  EXPECT_LE(least.load(), few());
}

TEST_P(BesideHogs, AFiberThatComesOutOfABlockingCallRunsAfterFewTurns) {
  Runtime runtime({.procs = GetParam()});
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  std::atomic<bool> reading{true};
  runtime.Go([&] {
    char byte;
    while (Blocking([&] { return read(ends[0], &byte, 1); }) == 1) Here(runtime);
    reading = false;
  });
  auto wake = [&] { EXPECT_EQ(write(ends[1], "x", 1), 1); };
  auto ending = [&] {
    close(ends[1]);
    while (reading) SleepFor(milliseconds(1));
  };
  EXPECT_LE(TurnsUntilHere(runtime, wake, ending), few());
  close(ends[0]);
}

TEST_P(BesideHogs, AnUrgentFiberRunsBeforeOthersThatWereReadyEarlier) {
  Runtime runtime({.procs = GetParam()});
  constexpr int kOthers = 200;
  std::atomic<int> ran{0}, ran_before{kOthers};
  auto wake = [&] {
    ran = 0;
    for (int i = 0; i < kOthers; ++i) {
      runtime.Go([&] {
        for (int64_t begin = ThreadCpu(); ThreadCpu() - begin < 200'000;) {
        }
        ran.fetch_add(1);
      });
    }
    runtime.Go({.name = "urgent", .urgent = true}, [&] {
      ran_before = std::min(ran_before.load(), ran.load());
      Here(runtime);
    });
    while (ran.load() < kOthers) std::this_thread::sleep_for(milliseconds(1));
  };
  TurnsUntilHere(runtime, wake);
  // Some may have run before it was there.
  EXPECT_LT(ran_before.load(), kOthers / 2);
}

// The hogs are not stopped but give way by themselves, as considerate code does.
class BesideYieldingHogs : public BesideHogs {
 protected:
  void SetUp() override {}
  void Turn() override {
    for (int64_t begin = ThreadCpu(); ThreadCpu() - begin < 1'000'000;) {
    }
    turns_.fetch_add(1);
    Yield();
  }
  int64_t Turns(Runtime&) override { return turns_.load(); }

 private:
  std::atomic<int64_t> turns_{0};
};
INSTANTIATE_TEST_SUITE_P(Procs, BesideYieldingHogs, test::kAnyProcs);

TEST_P(BesideYieldingHogs, ANewFiberRunsAfterFewTurnsOfTheirs) {
  Runtime runtime({.procs = GetParam()});
  // The lists come before the ring once a millisecond.
  EXPECT_LE(TurnsUntilHere(runtime, [&] { runtime.Go([&] { Here(runtime); }); }), 2 * few());
}

// ---- Hogs get on as well

class Hogs : public test::OnAnyProcs {
 protected:
  void SetUp() override {
    if (!kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (preempt.h)";
  }
  // Hogs that have begun, and then `busy` fibers of a kind that is never out of work: all hogs get further turns.
  void ExpectTurnsBeside(FiberOptions options, const std::function<void()>& wait) {
    Runtime runtime({.procs = GetParam()});
    const int count = GetParam() + 2;
    runtime.Run([&] {
      std::atomic<bool> stop{false};
      std::array<std::atomic<int64_t>, 16> laps{};
      sync::WaitGroup all;
      for (int i = 0; i < count; ++i) {
        all.Go([&, i] {
          while (!stop.load(std::memory_order_relaxed)) laps[static_cast<size_t>(i)].fetch_add(1);
        });
      }
      auto all_have = [&](const std::array<int64_t, 16>& more_than) {
        for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
          if (laps[i].load() <= more_than[i]) return false;
        }
        return true;
      };
      while (!all_have({})) SleepFor(milliseconds(1));
      for (int i = 0; i < 2 * GetParam(); ++i) {
        all.Go(options, [&] {
          while (!stop.load()) wait();
        });
      }
      for (int round = 0; round < 3; ++round) {
        std::array<int64_t, 16> before{};
        for (size_t i = 0; i < before.size(); ++i) before[i] = laps[i].load();
        while (!all_have(before)) SleepFor(milliseconds(1));
      }
      stop = true;
      all.Wait();
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Procs, Hogs, test::kAnyProcs);

TEST_P(Hogs, GetTurnsBesideFibersThatOnlyYield) {
  ExpectTurnsBeside({}, [] { Yield(); });
}

// Each readies itself by way of a plain lock and a timer that is due: it never computes for long and is always back at
// once.
TEST_P(Hogs, GetTurnsBesideFibersThatAreAlwaysWokenAgain) {
  ExpectTurnsBeside({}, [] { SleepFor(std::chrono::nanoseconds(1)); });
}

TEST_P(Hogs, GetTurnsBesideUrgentFibersThatAreAlwaysWokenAgain) {
  ExpectTurnsBeside({.name = "urgent", .urgent = true}, [] { SleepFor(std::chrono::nanoseconds(1)); });
}

// ---- More of them than there may be parked threads

// Go: none of this needs more than one thread. Nobody goes on before the last one has begun.
TEST_P(Hogs, BeyondTheCapOfParkedThreadsAllGoOnWhenOneThatHasNotBegunLetsThem) {
  Runtime runtime({.procs = GetParam(), .parked_machines_max = 4});
  runtime.Run([&] {
    std::atomic<bool> go{false};
    std::atomic<int> begun{0};
    sync::WaitGroup all;
    auto spin = [&] {
      begun.fetch_add(1, std::memory_order_relaxed);
      while (!go.load(std::memory_order_relaxed)) {
      }
    };
    for (int i = 0; i < 20 + 2 * GetParam(); ++i) all.Go(spin);
    // Some run, so as many as the cap allows are stopped.
    while (begun.load(std::memory_order_relaxed) < 4 + GetParam()) SleepFor(milliseconds(1));
    all.Go([&] { go = true; });
    all.Go(spin);  // The last one made comes first, and that must not be the other one.
    all.Wait();
  });
  EXPECT_GE(runtime.Stats().switches_preempted, 4U);
}

TEST_P(Hogs, BeyondTheCapOfParkedThreadsNewFibersThatAreShortKeepComing) {
  Runtime runtime({.procs = GetParam(), .parked_machines_max = 4});
  runtime.Run([&] {
    std::atomic<bool> stop{false};
    std::atomic<int> begun{0};
    const int count = 6 + 2 * GetParam();
    sync::WaitGroup hogs;
    for (int i = 0; i < count; ++i) {
      hogs.Go([&] {
        begun.fetch_add(1);
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    while (begun.load() < count) SleepFor(milliseconds(1));
    uint64_t before = runtime.Stats().switches_preempted;
    constexpr int kShort = 2000;
    sync::WaitGroup fibers;
    for (int i = 0; i < kShort; ++i) fibers.Go([] {});
    fibers.Wait();
    // Far from a turn of a hog for each.
    EXPECT_LT(runtime.Stats().switches_preempted - before, static_cast<uint64_t>(kShort) / 4);
    stop = true;
    hogs.Wait();
  });
}

}  // namespace
}  // namespace millrace::rt
