// What others do not suffer from fibers that never wait, or that block their thread. Both hang without preemption.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <vector>

#include "base/clock.h"
#include "sync/channel.h"
#include "sync/wait_group.h"
#include "tests/bench/runtime/on_fiber.h"

namespace millrace {
namespace {

using Clock = std::chrono::steady_clock;

double Micros(Nanos duration) { return static_cast<double>(duration.count()) / 1e3; }

// A ticker of 1 ms beside one fiber per processor that computes and never calls the runtime: how late is each tick? A
// tick that is due while another is served late counts as late too.
MR_BENCHMARK_WITH(preempt_wake, ->Iterations(1)) {
  constexpr int kTicks = 2000;
  const int procs = static_cast<int>(state.counters["procs"]);
  for (auto _ : state) {
    std::atomic<bool> stop{false};
    sync::WaitGroup hogs;
    for (int i = 0; i < procs; ++i) {
      hogs.Go([&] {
        while (!stop.load(std::memory_order_relaxed)) {
        }
      });
    }
    std::vector<Nanos> late;
    late.reserve(kTicks);
    MonoTime due = Clock::now();
    for (int tick = 0; tick < kTicks; ++tick) {
      due += std::chrono::milliseconds(1);
      if (Clock::now() < due) rt::SleepUntil(due);
      late.push_back(Clock::now() - due);
    }
    stop = true;
    hogs.Wait();
    std::sort(late.begin(), late.end());
    state.counters["p50_us"] = Micros(late[kTicks / 2]);
    state.counters["p99_us"] = Micros(late[kTicks * 99 / 100]);
  }
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

std::vector<Pipe> OpenPipes(benchmark::State& state, size_t count) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::vector<Pipe> pipes;
  int ends[2];
  while (pipes.size() < count && pipe(ends) == 0) pipes.push_back({ends[0], ends[1]});
  if (pipes.size() < count) state.SkipWithError("no more pipes; raise ulimit -n");
  return pipes;
}

// A thousand fibers that each block their thread in a read, without a word to the runtime, and a pair that plays
// ping-pong beside them: time of a round trip, and from the start of the first fiber until the pair has finished.
MR_BENCHMARK_WITH(blocking_1000, ->Iterations(1)) {
  constexpr int kBlocked = 1000, kRoundTrips = 100'000;
  std::vector<Pipe> pipes = OpenPipes(state, kBlocked);
  for (auto _ : state) {
    sync::Channel<int> ping, pong;
    sync::WaitGroup readers, pair;

    MonoTime start = Clock::now();
    for (Pipe& pipe : pipes) {
      readers.Go([fd = pipe.read_end] {
        char byte;
        while (read(fd, &byte, 1) < 0 && errno == EINTR) {
        }
      });
    }
    pair.Go([&] {
      for (int value : ping) pong.Send(value);
    });
    MonoTime first = Clock::now();
    for (int i = 0; i < kRoundTrips; ++i) {
      ping.Send(1);
      benchmark::DoNotOptimize(pong.Receive());
    }
    MonoTime end = Clock::now();
    ping.Close();
    pair.Wait();
    state.counters["pingpong_ns"] = static_cast<double>(Nanos(end - first).count()) / kRoundTrips;
    state.counters["total_ms"] = Micros(end - start) / 1e3;

    for (Pipe& pipe : pipes) close(pipe.write_end);
    readers.Wait();
  }
  for (Pipe& pipe : pipes) close(pipe.read_end);
}

}  // namespace
}  // namespace millrace
