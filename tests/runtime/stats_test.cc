// What others read of the runtime while it runs.
#include "runtime/stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "runtime/runtime.h"

namespace millrace::rt {
namespace {

// Fibers start on one processor and finish on another between two reads of their counters.
TEST(Stats, TheNumberOfFibersIsNeverNegative) {
  Runtime runtime({.procs = 4});
  std::atomic<bool> enough{false};
  int64_t least = 1;
  std::thread reader([&] {
    for (int i = 0; i < 300'000; ++i) {
      const RuntimeStats stats = runtime.Stats();
      least = std::min({least, stats.fibers, stats.fibers_running, stats.fibers_runnable, stats.fibers_parked});
    }
    enough = true;
  });
  runtime.Run([&] {
    std::atomic<int> alive{0};
    while (!enough) {
      for (int i = 0; i < 8; ++i) {
        ++alive;
        Go([&] { --alive; });
      }
      while (alive > 0 && !enough) Yield();
    }
    while (alive > 0) Yield();
  });
  reader.join();
  EXPECT_GE(least, 0);
}

}  // namespace
}  // namespace millrace::rt
