// Everything of sync/ and the timers, with the fibers stopped and their processors taken at every step of every protocol.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/blocking.h"
#include "sync/cancel.h"
#include "sync/channel.h"
#include "sync/condition.h"
#include "sync/mutex.h"
#include "sync/once.h"
#include "sync/rw_mutex.h"
#include "sync/select.h"
#include "sync/semaphore.h"
#include "tests/stress/torment.h"

namespace millrace::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class WaitingUnderTorment : public UnderTorment {};
INSTANTIATE_TEST_SUITE_P(Procs, WaitingUnderTorment, kAnyProcs);

TEST_P(WaitingUnderTorment, ChannelsLoseAndRepeatNothing) {
  Torment(4, [](int index, int round) {
    sync::Channel<std::unique_ptr<int>> channel(static_cast<size_t>((index + round) % 4));
    constexpr int kValues = 60;
    sync::WaitGroup senders, receivers;
    std::atomic<int> sum{0}, count{0};
    for (int s = 0; s < 3; ++s) {
      senders.Go([&, s] {
        for (int i = s; i < kValues; i += 3) channel.Send(std::make_unique<int>(i));
      });
    }
    for (int r = 0; r < 2; ++r) {
      receivers.Go([&] {
        for (std::unique_ptr<int> value : channel) {
          sum.fetch_add(*value);
          count.fetch_add(1);
        }
      });
    }
    senders.Wait();
    channel.Close();
    receivers.Wait();
    return count.load() == kValues && sum.load() == kValues * (kValues - 1) / 2;
  });
}

TEST_P(WaitingUnderTorment, SelectsChooseExactlyOnce) {
  Torment(4, [](int, int) {
    sync::Channel<int> left, right(1), back;
    constexpr int kValues = 40;
    sync::WaitGroup done;
    int sent = 0, received = 0, timeouts = 0;
    done.Go([&] {
      for (int i = 0; i < kValues; ++i) {
        sync::Select(sync::Send(left, i, [&] { ++sent; }), sync::Send(right, i, [&] { ++sent; }));
        if (i % 10 == 0) sync::Select(sync::Receive(back, [](std::optional<int>) {}), sync::After(microseconds(50)));
      }
      left.Close();
    });
    bool open = true;
    while (open) {
      sync::Select(sync::Receive(left, [&](std::optional<int> value) { value ? ++received : open = false; }),
                   sync::Receive(right, [&](std::optional<int>) { ++received; }),
                   sync::After(microseconds(200), [&] { ++timeouts; }));
    }
    done.Wait();
    while (right.TryReceive()) ++received;
    return sent == kValues && received == kValues;
  });
}

TEST_P(WaitingUnderTorment, MutexesAndConditionsExcludeAndWake) {
  sync::Mutex mutex;
  sync::RwMutex rw;
  sync::Condition changed;
  int64_t inside = 0, tickets = 0, value = 0, writes = 0;
  Torment(10, [&](int index, int) {
    bool good = true;
    for (int i = 0; i < 20; ++i) {
      {
        std::lock_guard guard(mutex);
        good = good && ++inside == 1;
        if (i % 7 == 0) rt::Yield();  // A sync::Mutex may be held over a wait.
        --inside;
        if (index % 2 == 0) {
          ++tickets;
          changed.NotifyOne();
        } else if (tickets == 0) {
          changed.WaitFor(mutex, microseconds(100));
        } else {
          --tickets;
        }
      }
      if (index == 0) {
        std::lock_guard guard(rw);
        ++value;
        if (i % 5 == 0) rt::Yield();
        ++writes;
        good = good && value == writes;
      } else {
        rw.lock_shared();
        good = good && value == writes;
        rw.unlock_shared();
      }
    }
    return good;
  });
}

TEST_P(WaitingUnderTorment, SemaphoresAndOncesKeepTheirPromise) {
  sync::Semaphore three(3);
  std::atomic<int> holders{0};
  Torment(8, [&](int, int) {
    std::atomic<bool> good{true};  // Two fibers write it below.
    for (int i = 0; i < 20; ++i) {
      three.Acquire(1);
      if (holders.fetch_add(1) >= 3) good = false;
      if (i % 6 == 0) rt::Yield();
      holders.fetch_sub(1);
      three.Release(1);
    }
    sync::Once once;
    std::atomic<int> calls{0};
    sync::WaitGroup both;
    for (int i = 0; i < 2; ++i) {
      both.Go([&] {
        once.Do([&] {
          rt::Yield();
          calls.fetch_add(1);
        });
        if (calls.load() != 1) good = false;
      });
    }
    both.Wait();
    return good.load();
  });
}

TEST_P(WaitingUnderTorment, SleepersWakeAndNotTooEarly) {
  Torment(20, [](int index, int round) {
    const auto length = microseconds((index * 37 + round * 11) % 700);
    const int64_t begin = rt::NowNs();
    rt::SleepFor(length);
    return rt::NowNs() - begin >= std::chrono::nanoseconds(length).count();
  });
}

TEST_P(WaitingUnderTorment, CancelledWaitersGoOn) {
  Torment(6, [](int, int round) {
    sync::CancelSource source;
    sync::Channel<int> never;
    bool cancelled = false;
    sync::WaitGroup waiter;
    waiter.Go([&] {
      sync::Select(sync::Receive(never, [](std::optional<int>) {}),
                   sync::Cancelled(source.token(), [&] { cancelled = true; }));
    });
    if (round % 2 == 0) rt::Yield();
    source.Cancel(Cancelled("TEST", "enough"));
    waiter.Wait();
    return cancelled;
  });
}

// Start, wait and end as often as possible: stacks, ids and free lists change hands between threads and processors.
TEST_P(WaitingUnderTorment, FibersStartAndEndInGreatNumbers) {
  Torment(4, [](int, int) {
    std::atomic<int> ran{0};
    sync::WaitGroup done;
    for (int i = 0; i < 100; ++i) {
      done.Go([&, i] {
        if (i % 5 == 0) rt::Yield();
        if (i % 10 == 0) rt::Blocking([] {});
        ran.fetch_add(1);
      });
    }
    done.Wait();
    return ran.load() == 100;
  });
}

// What fibers without a processor may do: everything. Ready others, start timers, wait, end.
TEST_P(WaitingUnderTorment, BlockingCallsMayDoAnythingAFiberMay) {
  Torment(8, [](int, int round) {
    sync::Channel<int> channel;
    sync::WaitGroup done;
    int got = 0;
    done.Go([&] { got = channel.Receive().value_or(-1); });
    rt::Blocking([&] {
      if (round % 3 == 0) rt::SleepFor(microseconds(30));
      channel.Send(round);
      if (round % 3 == 1) rt::Yield();
    });
    rt::Blocking([&] { done.Wait(); });
    return got == round;
  });
}

// Plain threads ready fibers while everything is taken and stopped: the way in from outside.
TEST_P(WaitingUnderTorment, WakeUpsFromPlainThreadsArrive) {
  Torment(3, [](int, int) {
    constexpr int kParkers = 20;
    std::vector<std::unique_ptr<rt::Parker>> parkers;
    for (int i = 0; i < kParkers; ++i) parkers.push_back(std::make_unique<rt::Parker>());
    std::thread waker([&] {
      for (auto& parker : parkers) parker->Wake();
    });
    std::atomic<int> woken{0};
    sync::WaitGroup done;
    for (auto& parker : parkers) {
      done.Go([&] {
        parker->Wait(rt::WaitReason::kExternal);
        woken.fetch_add(1);
      });
    }
    done.Wait();
    waker.join();
    return woken.load() == kParkers;
  });
}

}  // namespace
}  // namespace millrace::test
