// Programs of fibers that wait for each other in every way there is, and know what must have come of it.
// waiting_test.cc stops them and takes their processors at every step; simulated_test.cc runs them in orders drawn from
// seeds.
//
//   Shape   Called by kFibers fibers in rounds: `program(fiber, round)`; false: something went wrong. What the fibers
//           share lives in the object.
//   World   None: no plain thread, no system call (but see ShortLives), no clock but rt::Now. So a simulation of one is
//           the same each time.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/status.h"
#include "runtime/blocking.h"
#include "runtime/runtime.h"
#include "sync/cancel.h"
#include "sync/channel.h"
#include "sync/condition.h"
#include "sync/mutex.h"
#include "sync/once.h"
#include "sync/rw_mutex.h"
#include "sync/select.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"

namespace millrace::test::waiting {

using std::chrono::microseconds;

struct Channels {
  static constexpr int kFibers = 4;

  bool operator()(int index, int round) const {
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
  }
};

struct Selects {
  static constexpr int kFibers = 4;

  bool operator()(int, int) const {
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
  }
};

struct MutexesAndConditions {
  static constexpr int kFibers = 10;

  sync::Mutex mutex{};
  sync::RwMutex rw{};
  sync::Condition changed{};
  int64_t inside = 0, tickets = 0, value = 0, writes = 0;

  bool operator()(int index, int) {
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
  }
};

struct SemaphoresAndOnces {
  static constexpr int kFibers = 8;

  sync::Semaphore three{3};
  std::atomic<int> holders{0};

  bool operator()(int, int) {
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
  }
};

struct Sleepers {
  static constexpr int kFibers = 20;

  bool operator()(int index, int round) const {
    const auto length = microseconds((index * 37 + round * 11) % 700);
    const MonoTime begin = rt::Now();
    rt::SleepFor(length);
    return rt::Now() - begin >= length;
  }
};

struct Cancellations {
  static constexpr int kFibers = 6;

  bool operator()(int, int round) const {
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
  }
};

// Start, wait and end as often as possible: stacks, ids and free lists change hands between threads and processors.
struct ShortLives {
  static constexpr int kFibers = 4;

  bool blocks;  // In calls; what comes after one is then for the operating system to decide.

  bool operator()(int, int) const {
    std::atomic<int> ran{0};
    sync::WaitGroup done;
    for (int i = 0; i < 100; ++i) {
      done.Go([&, i] {
        if (i % 5 == 0) rt::Yield();
        if (blocks && i % 10 == 0) rt::Blocking([] {});
        ran.fetch_add(1);
      });
    }
    done.Wait();
    return ran.load() == 100;
  }
};

// Everything at once: makers offer pieces over two channels until they have made all or are stopped, by somebody or by
// a deadline; packers take from whichever channel has one. What was made is what is packed.
struct Workshop {
  static constexpr int kFibers = 3;

  std::string* events = nullptr;  // Where to note who came by when.
  std::mutex noting{};

  void Note(char what, int number) {
    if (events == nullptr) return;
    std::lock_guard guard(noting);
    *events += what + std::to_string(number) + "@" + std::to_string(rt::Now().time_since_epoch().count()) + " ";
  }

  bool operator()(int index, int round) {
    constexpr int kMakers = 3, kPackers = 2, kPieces = 12;
    sync::Channel<int> left, right(2);
    sync::CancelSource stop;
    sync::Mutex books;
    int made = 0, packed = 0;
    int64_t made_sum = 0, packed_sum = 0;
    sync::WaitGroup makers, packers;
    for (int m = 0; m < kMakers; ++m) {
      makers.Go([&, m] {
        bool stopped = false;
        for (int i = 0; i < kPieces && !stopped; ++i) {
          const int piece = 1000 * index + 100 * m + i;
          auto sent = [&] {
            std::lock_guard guard(books);
            ++made;
            made_sum += piece;
            Note('m', piece);
          };
          sync::Select(sync::Send(left, piece, sent), sync::Send(right, piece, sent),
                       sync::Cancelled(stop.token(), [&] { stopped = true; }));
          if (i % 4 == m) stopped = stopped || !stop.token().SleepFor(microseconds(20 * (m + 1)));
        }
        Note('e', 10 * index + m);
      });
    }
    for (int p = 0; p < kPackers; ++p) {
      packers.Go([&, p] {
        sync::Channel<int>*from_left = &left, *from_right = &right;
        while (from_left != nullptr || from_right != nullptr) {
          std::optional<int> piece;
          auto take = [&](std::optional<int> value) { piece = value; };
          size_t from = sync::Select(sync::Receive(from_left, take), sync::Receive(from_right, take),
                                     sync::After(microseconds(50)));
          if (from == 2) {
            Note('i', 10 * index + p);
          } else if (piece.has_value()) {
            std::lock_guard guard(books);
            if (*piece % 5 == 0) rt::Yield();
            ++packed;
            packed_sum += *piece;
            Note('p', *piece);
          } else {
            (from == 0 ? from_left : from_right) = nullptr;
          }
        }
      });
    }
    const bool by_deadline = round % 3 == 0, by_hand = round % 3 == 1;
    if (by_deadline) stop.CancelAfter(microseconds(30 + 10 * index), Cancelled("TEST", "late"));
    if (by_hand) {
      rt::SleepFor(microseconds(25 + 10 * index));
      stop.Cancel(Cancelled("TEST", "enough"));
    }
    makers.Wait();
    left.Close();
    right.Close();
    packers.Wait();
    const bool all = made == kMakers * kPieces;
    return packed == made && packed_sum == made_sum && (all || by_deadline || by_hand);
  }
};

}  // namespace millrace::test::waiting
