// The simulation: the same seed, the same run; an hour in no time.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "runtime/runtime.h"
#include "sync/channel.h"
#include "sync/mutex.h"
#include "sync/select.h"
#include "sync/wait_group.h"

namespace millrace::rt {
namespace {

using namespace std::chrono_literals;

// Ten fibers that write down when they come by.
std::string OrderOf(uint64_t seed) {
  std::string order;
  std::string received;
  Runtime runtime({.simulate = true, .seed = seed});
  runtime.Run([&] {
    sync::Mutex mutex;
    sync::Channel<int> tokens(2);
    sync::WaitGroup all;
    for (int i = 0; i < 10; ++i) {
      all.Go([&, i] {
        for (int round = 0; round < 5; ++round) {
          std::lock_guard guard(mutex);
          order += static_cast<char>('a' + i);
          Yield();
          tokens.Send(i);
          SleepFor(std::chrono::milliseconds(i % 3));
        }
      });
    }
    for (int i = 0; i < 50; ++i) received += static_cast<char>('0' + *tokens.Receive());
    all.Wait();
  });
  return order + received;
}

TEST(Simulation, RunsTheSameWayWithTheSameSeed) {
  for (uint64_t seed : {1, 2, 3, 77}) EXPECT_EQ(OrderOf(seed), OrderOf(seed)) << "seed " << seed;
}

TEST(Simulation, TriesAnotherOrderWithAnotherSeed) {
  int different = 0;
  std::string first = OrderOf(1);
  for (uint64_t seed = 2; seed < 10; ++seed) different += OrderOf(seed) != first;
  EXPECT_GE(different, 6);
}

TEST(Simulation, TimePassesOnlyWhenNobodyIsReady) {
  Runtime runtime({.simulate = true, .seed = 5});
  runtime.Run([] {
    MonoTime begin = Now();
    SleepFor(1h);
    EXPECT_EQ(Now() - begin, 1h);
    for (int i = 0; i < 1000; ++i) Yield();
    EXPECT_EQ(Now() - begin, 1h);
  });
}

TEST(Simulation, TimersFireInTheirOrder) {
  Runtime runtime({.simulate = true, .seed = 5});
  std::vector<int> order;
  runtime.Run([&] {
    sync::WaitGroup all;
    for (int i : {30, 10, 20, 50, 40}) {
      all.Go([&, i] {
        SleepFor(std::chrono::minutes(i));
        order.push_back(i);
      });
    }
    all.Wait();
  });
  EXPECT_EQ(order, (std::vector<int>{10, 20, 30, 40, 50}));
}

TEST(Simulation, ASelectsTimeoutIsExact) {
  Runtime runtime({.simulate = true, .seed = 9});
  runtime.Run([] {
    sync::Channel<int> never;
    MonoTime begin = Now();
    bool timed_out = false;
    sync::Select(sync::Receive(never, [](std::optional<int>) {}), sync::After(90s, [&] { timed_out = true; }));
    EXPECT_TRUE(timed_out);
    EXPECT_EQ(Now() - begin, 90s);
  });
}

}  // namespace
}  // namespace millrace::rt
