// What the tests of this folder share: one kind of work, done by many fibers under a Tormentor, over 1, 2 and 8
// processors.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>

#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"
#include "tests/support/patience.h"
#include "tests/support/tormentor.h"

// A function of which its callers know nothing: neither what it does nor what it returned the last time.
#ifdef __clang__
#define MILLRACE_OPAQUE __attribute__((noinline, optnone))
#else
#define MILLRACE_OPAQUE __attribute__((noipa))
#endif

namespace millrace::test {

inline void Compute(int loops) {
  for (int i = 0; i < loops; ++i) asm volatile("" : : : "memory");
}

// What must happen to the fibers of a run for it to say anything: that many are stopped by a signal, that many lose
// their processor. A test that could end goes on while Missing, which a runtime that stops nobody any more does not
// keep from ending.
class Hits {
 public:
  explicit Hits(const rt::Runtime& runtime, uint64_t stops = 1, uint64_t losses = 1)
      : runtime_(runtime),
        stops_(rt::kPreemptionWorks ? stops : 0),
        // Without membarrier(2) no processor is taken (processor_slot.h).
        losses_(rt::ProcessBarrier() ? losses : 0) {}

  bool Missing() const {
    rt::RuntimeStats stats = runtime_.Stats();
    return (stats.switches_preempted < stops_ || stats.switches_handoff < losses_) && !patience_.Ended();
  }

  // Skips the test where the machine gave it no time; what else it expects is looked at all the same.
  void Expect() const {
    rt::RuntimeStats stats = runtime_.Stats();
    if ((stats.switches_preempted < stops_ || stats.switches_handoff < losses_) && !patience_.HadItsTime()) {
      GTEST_SKIP() << patience_.Excuse();
    }
    EXPECT_GE(stats.switches_preempted, stops_) << "so few fibers were stopped that nothing was tested";
    EXPECT_GE(stats.switches_handoff, losses_) << "so few fibers lost their processor that nothing was tested";
  }

 private:
  const rt::Runtime& runtime_;
  const uint64_t stops_, losses_;
  const Patience patience_;
};

class UnderTorment : public ::testing::TestWithParam<int> {
 protected:
  // Each of `fibers` calls `work(index, round)` in rounds until it has been stopped often enough, all together. False
  // from work, or an exception, is a failure; it checks its own results, since gtest's macros lock and allocate.
  template <typename F>
  void Torment(int fibers, F&& work) {
    MILLRACE_TRACE_SEED();
    std::atomic<int> wrong{0};
    std::atomic<int64_t> rounds{0};
    rt::Runtime runtime({.procs = GetParam()});
    Tormentor tormentor(runtime);
    const Hits hits(runtime);
    const auto long_enough = std::chrono::steady_clock::now() + kLongEnough;
    auto wants_more = [&] {
      if (tormentor.WantsMore() && std::chrono::steady_clock::now() < long_enough) return true;
      if (!hits.Missing()) return false;
      // Work that mostly waits, or is mostly the runtime's own, may not have been hit once.
      Compute(100'000);
      return true;
    };
    runtime.Run([&] {
      sync::WaitGroup done;
      for (int i = 0; i < fibers; ++i) {
        done.Go([&, i] {
          int round = 0;
          do {
            if (!work(i, round)) wrong.fetch_add(1);
            rounds.fetch_add(1, std::memory_order_relaxed);
          } while (++round < kRoundsMin || wants_more());
        });
      }
      done.Wait();
    });
    EXPECT_EQ(wrong.load(), 0) << "of " << rounds.load() << " rounds";
    hits.Expect();
    rt::RuntimeStats stats = runtime.Stats();
    RecordProperty("rounds", std::to_string(rounds.load()));
    RecordProperty("stopped", std::to_string(stats.switches_preempted));
    RecordProperty("lost_processor", std::to_string(stats.switches_handoff));
  }

  static constexpr int kRoundsMin = kSlowBuild ? 2 : 4;
  // A thousand rounds of a short work are over in some milliseconds, in which it is hit a few times or not at all.
  static constexpr std::chrono::seconds kLongEnough{1};
};

}  // namespace millrace::test
