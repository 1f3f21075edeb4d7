// Fibers themselves: starting, switching, sleeping, locking, and what a parked one costs.
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>

#include "runtime/park.h"
#include "sync/channel.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/bench/runtime/on_fiber.h"

namespace millrace {
namespace {

// Starts 1000 fibers that end at once and waits for them; an item is one fiber.
MR_BENCHMARK(spawn_wait) {
  constexpr int kFibers = 1000;
  for (auto _ : state) {
    sync::WaitGroup done;
    done.Add(kFibers);
    for (int i = 0; i < kFibers; ++i) rt::Go([&done] { done.Done(); });
    done.Wait();
  }
  state.SetItemsProcessed(state.iterations() * kFibers);
}

// Two fibers that yield to each other; an item is one yield. One iteration is many, so that starting does not count.
MR_BENCHMARK(yield_2fibers) {
  constexpr int kYields = 100'000;
  for (auto _ : state) {
    sync::WaitGroup done;
    for (int f = 0; f < 2; ++f) {
      done.Go([] {
        for (int i = 0; i < kYields; ++i) rt::Yield();
      });
    }
    done.Wait();
  }
  state.SetItemsProcessed(state.iterations() * 2 * kYields);
}

// Eight fibers, one lock, a short section; an item is one lock and unlock.
MR_BENCHMARK(mutex_8fibers) {
  constexpr int kSections = 50'000;
  for (auto _ : state) {
    sync::Mutex mutex;
    sync::WaitGroup done;
    int64_t count = 0;
    for (int f = 0; f < 8; ++f) {
      done.Go([&] {
        for (int i = 0; i < kSections; ++i) {
          mutex.lock();
          ++count;
          mutex.unlock();
        }
      });
    }
    done.Wait();
    if (count != 8 * kSections) state.SkipWithError("the mutex let two in");
  }
  state.SetItemsProcessed(state.iterations() * 8 * kSections);
}

// A tree of fibers, ten children each, a million leaves that send their number up (github.com/atemerev/skynet).
void Skynet(sync::Channel<int64_t>& parent, int64_t number, int64_t size) {
  if (size == 1) {
    parent.Send(number);
    return;
  }
  sync::Channel<int64_t> children(10);
  for (int64_t i = 0; i < 10; ++i) {
    rt::Go([&children, number, size, i] { Skynet(children, number + i * (size / 10), size / 10); });
  }
  int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += *children.Receive();
  parent.Send(sum);
}

MR_BENCHMARK(skynet_1m) {
  for (auto _ : state) {
    sync::Channel<int64_t> root(1);
    rt::Go([&root] { Skynet(root, 0, 1'000'000); });
    if (*root.Receive() != 499'999'500'000) state.SkipWithError("wrong sum");
  }
  state.SetItemsProcessed(state.iterations() * 1'111'111);
}

// 100,000 fibers sleep for 1 to 100 ms each.
MR_BENCHMARK(sleep_100k) {
  constexpr int kFibers = 100'000;
  for (auto _ : state) {
    sync::WaitGroup done;
    for (int i = 0; i < kFibers; ++i) {
      done.Go([i] { rt::SleepFor(std::chrono::milliseconds(1 + i % 100)); });
    }
    done.Wait();
  }
  state.SetItemsProcessed(state.iterations() * kFibers);
}

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size_pages = 0, resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return resident_pages * 4096;
}

// A million parked fibers: bytes of resident memory each, page tables not included. One iteration: used stacks would
// not be counted again.
MR_BENCHMARK_WITH(park_1m, ->Iterations(1)) {
  constexpr int kFibers = 1'000'000;
  for (auto _ : state) {
    sync::Channel<sync::Nothing> gate;
    sync::WaitGroup done;
    std::atomic<int> started{0};
    int64_t before = ResidentBytes();
    for (int i = 0; i < kFibers; ++i) {
      done.Go([&] {
        started.fetch_add(1, std::memory_order_relaxed);
        gate.Receive();
      });
      if (i % 1000 == 999) rt::Yield();
    }
    while (started < kFibers) rt::Yield();
    state.counters["bytes_each"] = static_cast<double>(ResidentBytes() - before) / kFibers;
    gate.Close();
    done.Wait();
  }
  state.SetItemsProcessed(state.iterations() * kFibers);
}

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
