// The simulation: the same seed, the same run; an hour in no time.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
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

// ---- What it is for: finding an order in which a program goes wrong, and coming back to it

struct Sale {
  int sold = 0;
  std::string events;
};

// Two customers and one seat. Each looks whether it is free, thinks it over and takes it; the second one has the longer
// way. Only a fiber that comes `carefully` sees to it that nobody else looks meanwhile.
Sale SellOneSeat(uint64_t seed, bool carefully) {
  Sale sale;
  std::mutex noting;  // Not held over anything that waits. No race is planted, only an order.
  auto note = [&](int customer, const char* what) {
    std::lock_guard guard(noting);
    sale.events += static_cast<char>('a' + customer) + std::string(what) + " ";
  };
  std::atomic<int> free{1}, sold{0};
  Runtime runtime({.simulate = true, .seed = seed});
  runtime.Run([&] {
    sync::Mutex counter;
    sync::WaitGroup both;
    for (int customer = 0; customer < 2; ++customer) {
      both.Go([&, customer] {
        for (int step = 0; step < (customer == 0 ? 3 : 9); ++step) {
          note(customer, "walks");
          Yield();
        }
        std::unique_lock guard(counter, std::defer_lock);
        if (carefully) guard.lock();
        const bool is_free = free.load() > 0;
        note(customer, is_free ? "thinks" : "leaves");
        if (!is_free) return;
        Yield();
        note(customer, "buys");
        free.fetch_sub(1);
        sold.fetch_add(1);
      });
    }
    both.Wait();
  });
  sale.sold = sold.load();
  return sale;
}

constexpr uint64_t kSeedsTried = 300;

TEST(Simulation, FindsAnOrderThatShowsABugAndTheSeedReplaysIt) {
  std::vector<uint64_t> shown;
  for (uint64_t seed = 1; seed <= kSeedsTried; ++seed) {
    if (SellOneSeat(seed, /*carefully=*/false).sold != 1) shown.push_back(seed);
  }
  // One order in seventeen, by calculation.
  ASSERT_FALSE(shown.empty());
  EXPECT_LT(shown.size(), kSeedsTried / 4) << "it takes no search to find this one";
  for (uint64_t seed : {shown.front(), shown.back()}) {
    const Sale first = SellOneSeat(seed, /*carefully=*/false);
    for (int again = 0; again < 5; ++again) {
      const Sale same = SellOneSeat(seed, /*carefully=*/false);
      EXPECT_EQ(same.sold, 2) << "seed " << seed;
      EXPECT_EQ(same.events, first.events) << "seed " << seed;
    }
  }
}

TEST(Simulation, FindsNothingOnceTheBugIsMended) {
  for (uint64_t seed = 1; seed <= kSeedsTried; ++seed) {
    const Sale sale = SellOneSeat(seed, /*carefully=*/true);
    ASSERT_EQ(sale.sold, 1) << "seed " << seed << ": " << sale.events;
  }
}

}  // namespace
}  // namespace millrace::rt
