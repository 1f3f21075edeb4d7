// The programs of waiting.h on one processor and a clock of their own, in one order for each seed: the same seed is the
// same run. A failure prints its seed, and MILLRACE_SEED=n runs that one alone.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "runtime/dump.h"
#include "tests/stress/torment.h"
#include "tests/stress/waiting.h"

namespace millrace::test {
namespace {

std::vector<uint64_t> Seeds() {
  if (getenv("MILLRACE_SEED") != nullptr) return {TestSeed()};
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= (kSlowBuild ? 40 : 300); ++seed) seeds.push_back(seed);
  return seeds;
}

// Returns how many rounds went wrong.
template <typename Program>
int Simulate(uint64_t seed, Program& program) {
  constexpr int kRounds = 4;
  std::atomic<int> wrong{0};
  rt::Runtime runtime({.simulate = true, .seed = seed});
  runtime.Run([&] {
    // When everybody has lost a wake-up, or some only look at the clock for ever, this minute is over soon.
    rt::Go([seed] {
      rt::SleepFor(std::chrono::minutes(1));
      rt::DumpFibers(STDERR_FILENO);
      MR_FATAL("MILLRACE_SEED=%lu: the program does not end", static_cast<unsigned long>(seed));
    });
    sync::WaitGroup done;
    for (int i = 0; i < Program::kFibers; ++i) {
      done.Go([&, i] {
        for (int round = 0; round < kRounds; ++round) {
          if (!program(i, round)) wrong.fetch_add(1);
        }
      });
    }
    done.Wait();
  });
  return wrong.load();
}

template <typename Program, typename... Options>
void SimulateForEverySeed(Options... options) {
  for (uint64_t seed : Seeds()) {
    SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
    Program program{options...};
    ASSERT_EQ(Simulate(seed, program), 0);
  }
}

TEST(WaitingSimulated, ChannelsLoseAndRepeatNothing) { SimulateForEverySeed<waiting::Channels>(); }

TEST(WaitingSimulated, SelectsChooseExactlyOnce) { SimulateForEverySeed<waiting::Selects>(); }

TEST(WaitingSimulated, MutexesAndConditionsExcludeAndWake) { SimulateForEverySeed<waiting::MutexesAndConditions>(); }

TEST(WaitingSimulated, SemaphoresAndOncesKeepTheirPromise) { SimulateForEverySeed<waiting::SemaphoresAndOnces>(); }

TEST(WaitingSimulated, SleepersWakeAndNotTooEarly) { SimulateForEverySeed<waiting::Sleepers>(); }

TEST(WaitingSimulated, CancelledWaitersGoOn) { SimulateForEverySeed<waiting::Cancellations>(); }

TEST(WaitingSimulated, FibersStartAndEndInGreatNumbers) { SimulateForEverySeed<waiting::ShortLives>(/*blocks=*/false); }

// And twice over: the same seed gives the same events at the same times.
TEST(WaitingSimulated, EverythingAtOnceLosesNothingAndGoesTheSameWayTwice) {
  std::set<std::string> different;
  for (uint64_t seed : Seeds()) {
    SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
    std::string events[2];
    for (std::string& each : events) {
      waiting::Workshop workshop{.events = &each};
      ASSERT_EQ(Simulate(seed, workshop), 0);
    }
    ASSERT_EQ(events[0], events[1]);
    different.insert(events[0]);
  }
  // There are so many orders that hardly two seeds draw the same.
  EXPECT_GT(different.size(), Seeds().size() / 2);
}

}  // namespace
}  // namespace millrace::test
