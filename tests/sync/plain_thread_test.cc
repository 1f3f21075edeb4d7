// Plain threads that wait: they block, and are woken by fibers and by each other.
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "sync/cancel.h"
#include "sync/channel.h"
#include "sync/condition.h"
#include "sync/mutex.h"
#include "sync/once.h"
#include "sync/rw_mutex.h"
#include "sync/select.h"
#include "sync/semaphore.h"
#include "sync/until.h"
#include "sync/wait_group.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

using namespace std::chrono_literals;

class PlainThreadTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, PlainThreadTest, test::kAnyProcs);

const int kValues = test::kSlowBuild ? 500 : 5'000;

// A thread, and a channel on which fibers await its end: a fiber that joined it would block its machine.
class Thread {
 public:
  template <typename F>
  explicit Thread(F fn)
      : thread_([this, fn = std::move(fn)]() mutable {
          fn();
          ended_.Close();
        }) {}
  ~Thread() {
    ended_.Receive();
    thread_.join();
  }

 private:
  Channel<Nothing> ended_;
  std::thread thread_;
};

TEST_P(PlainThreadTest, SendsToAndReceivesFromFibers) {
  Run([] {
    for (size_t capacity : {0, 1, 8}) {
      Channel<int> in(capacity), out(capacity);
      int64_t sum = 0;
      {
        Thread sends([&] {
          for (int i = 0; i < kValues; ++i) in.Send(i);
          in.Close();
        });
        Thread receives([&] {
          for (int value : out) sum += value;
        });
        for (int value : in) out.Send(value);
        out.Close();
      }
      EXPECT_EQ(sum, int64_t{kValues} * (kValues - 1) / 2);
    }
  });
}

TEST_P(PlainThreadTest, ThreadsAloneMayUseAChannel) {
  Channel<int> channel, results(1);
  std::thread receives([&] {
    int sum = 0;
    for (int value : channel) sum += value;
    results.Send(sum);
  });
  for (int i = 0; i < kValues; ++i) channel.Send(i);
  channel.Close();
  EXPECT_EQ(results.Receive(), kValues * (kValues - 1) / 2);
  receives.join();
}

TEST_P(PlainThreadTest, ASelectOfAThreadDoesExactlyOneCase) {
  Run([] {
    Channel<int> a, b, stop;
    std::atomic<int64_t> sum{0};
    std::atomic<int> selects{0};
    {
      Thread selecting([&] {
        auto add = [&](std::optional<int> value) { sum += *value; };
        for (bool open = true; open;) {
          Select(Receive(a, add), Receive(b, add), Receive(stop, [&] { open = false; }));
          ++selects;
        }
      });
      WaitGroup senders;
      for (Channel<int>* channel : {&a, &b}) {
        senders.Go([=] {
          for (int i = 1; i <= kValues; ++i) channel->Send(i);
        });
      }
      senders.Wait();
      stop.Close();
    }
    EXPECT_EQ(sum, int64_t{kValues} * (kValues + 1));
    EXPECT_EQ(selects, 2 * kValues + 1);
  });
}

TEST_P(PlainThreadTest, DeadlinesOfThreadsThatRaceWithValuesLoseNone) {
  Run([] {
    const int kRounds = test::kSlowBuild ? 100 : 1'000;
    Channel<int> channel;
    int received = 0, sent = 0;
    {
      Thread receives([&] {
        for (int i = 0; i < kRounds; ++i) received += channel.TryReceive(Within(Nanos(i % 20 * 1'000))) ? 1 : 0;
      });
      for (int i = 0; i < kRounds; ++i) {
        sent += channel.TrySend(i) == TrySendResult::kSent ? 1 : 0;
        rt::Yield();
      }
    }
    EXPECT_EQ(received, sent);
  });
}

TEST_P(PlainThreadTest, ATimeLimitOrATokenEndsTheWait) {
  Channel<int> channel;
  EXPECT_FALSE(channel.TryReceive(Within(2ms)));
  EXPECT_EQ(Select(Receive(channel), After(2ms)), 1u);
  Semaphore permits(0);
  EXPECT_FALSE(permits.TryAcquire(1, Within(2ms)));
  CancelSource source;
  EXPECT_TRUE(source.token().SleepFor(1ms));
  std::thread cancels([&] { source.Cancel(millrace::Cancelled("TEST", "enough")); });
  EXPECT_FALSE(channel.TryReceive({.cancel = source.token()}));
  EXPECT_FALSE(source.token().SleepFor(1h));
  source.token().Wait();
  cancels.join();
}

TEST_P(PlainThreadTest, WaitsForAGroupOfFibers) {
  rt::Runtime runtime({.procs = GetParam()});
  WaitGroup fibers;
  std::atomic<int> done{0};
  constexpr int kFibers = 100;
  fibers.Add(kFibers);
  for (int i = 0; i < kFibers; ++i) {
    runtime.Go([&] {
      rt::SleepFor(1us);
      ++done;
      fibers.Done();
    });
  }
  Channel<Nothing> seen;
  std::thread waits([&] {
    fibers.Wait();
    EXPECT_EQ(done, kFibers);
    EXPECT_TRUE(fibers.TryWait(Within(1h)));
    seen.Close();
  });
  runtime.Run([&] { seen.Receive(); });
  waits.join();
}

TEST_P(PlainThreadTest, LocksExcludeThreadsAndFibersFromEachOther) {
  Run([] {
    Mutex mutex;
    RwMutex rw_mutex;
    Semaphore permit(1);
    int64_t by_mutex = 0, by_rw_mutex = 0, by_permit = 0, torn = 0;
    auto work = [&] {
      for (int i = 0; i < kValues; ++i) {
        {
          std::lock_guard guard(mutex);
          ++by_mutex;
        }
        if (i % 4 == 0) {
          std::lock_guard guard(rw_mutex);
          ++by_rw_mutex;
        } else {
          std::shared_lock guard(rw_mutex);
          if (by_rw_mutex < 0) ++torn;
        }
        permit.Acquire();
        ++by_permit;
        permit.Release();
      }
    };
    {
      Thread one(work), other(work);
      WaitGroup fibers;
      fibers.Go(work);
      fibers.Go(work);
      fibers.Wait();
    }
    EXPECT_EQ(by_mutex, 4 * kValues);
    EXPECT_EQ(by_rw_mutex, (kValues + 3) / 4 * 4);
    EXPECT_EQ(by_permit, 4 * kValues);
    EXPECT_EQ(torn, 0);
  });
}

TEST_P(PlainThreadTest, AConditionBringsThreadsAndFibersTogether) {
  Run([] {
    Mutex mutex;
    Condition changed;
    int turn = 0;
    const int kTurns = kValues / 10 * 2;
    auto play = [&](int odd) {
      for (int i = odd; i < kTurns; i += 2) {
        std::unique_lock lock(mutex);
        changed.Wait(lock, [&] { return turn == i; });
        ++turn;
        changed.NotifyAll();
      }
    };
    {
      Thread plays([&] { play(1); });
      play(0);
    }
    EXPECT_EQ(turn, kTurns);
    std::unique_lock lock(mutex);
    EXPECT_FALSE(changed.WaitFor(lock, 1ms));
  });
}

TEST_P(PlainThreadTest, OnceRunsForThreadsToo) {
  Run([] {
    Once once;
    int runs = 0;
    Thread one([&] { once.Do([&] { ++runs; }); });
    Thread other([&] { once.Do([&] { ++runs; }); });
    once.Do([&] { ++runs; });
    EXPECT_EQ(runs, 1);
  });
}

}  // namespace
}  // namespace millrace::sync
