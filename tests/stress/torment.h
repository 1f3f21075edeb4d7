// What the tests of this folder share: one kind of work, done by many fibers under a Tormentor, over 1, 2 and 8 processors.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"
#include "tests/support/tormentor.h"

namespace millrace::test {

class UnderTorment : public ::testing::TestWithParam<int> {
 protected:
  // Each of `fibers` calls `work(index, round)` in rounds until it has been stopped often enough, all together. False from work, or
  // an exception, is a failure; it checks its own results, since gtest's macros lock and allocate.
  template <typename F>
  void Torment(int fibers, F&& work) {
    MILLRACE_TRACE_SEED();
    std::atomic<int> wrong{0};
    std::atomic<int64_t> rounds{0};
    rt::Runtime runtime({.procs = GetParam()});
    Tormentor tormentor(runtime);
    runtime.Run([&] {
      sync::WaitGroup done;
      for (int i = 0; i < fibers; ++i) {
        done.Go([&, i] {
          int round = 0;
          do {
            if (!work(i, round)) wrong.fetch_add(1);
            rounds.fetch_add(1, std::memory_order_relaxed);
          } while (++round < kRoundsMin || (round < kRoundsMax && tormentor.WantsMore()));
        });
      }
      done.Wait();
    });
    EXPECT_EQ(wrong.load(), 0) << "of " << rounds.load() << " rounds";
    rt::RuntimeStats stats = runtime.Stats();
    RecordProperty("rounds", std::to_string(rounds.load()));
    RecordProperty("stopped", std::to_string(stats.switches_preempted));
    RecordProperty("lost_processor", std::to_string(stats.switches_handoff));
  }

  static constexpr int kRoundsMin = kSlowBuild ? 2 : 4;
  // Where nobody is stopped by a signal, waiting for it would be in vain.
  static constexpr int kRoundsMax = rt::kPreemptionWorks ? 1'000 : 10;
};

}  // namespace millrace::test
