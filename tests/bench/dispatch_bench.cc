// What one job costs the daemon without its network face: accepted, journaled in memory, run by a native no-op,
// finished, remembered. `build/bin/dispatch_bench`.
#include <benchmark/benchmark.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "dispatch/dispatcher.h"
#include "dispatch/ready_queue.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "store/memory_journal.h"

namespace millrace {
namespace {

class NoopRunner final : public dispatch::Runner {
 public:
  std::string_view name() const override { return "native"; }
  const dispatch::KindOptions* FindKind(std::string_view kind) const override {
    return kind == "noop" ? &noop_ : nullptr;
  }
  std::vector<std::string> Kinds() const override { return {"noop"}; }
  dispatch::AttemptOutcome Run(dispatch::AttemptContext&) override { return {}; }

 private:
  dispatch::KindOptions noop_{.name = "noop"};
};

struct Daemon {
  Daemon(rt::Runtime& runtime, int workers)
      // No more are kept of those that have just ended: each kilobyte costs time, as nothing of it is in a cache.
      : dispatcher({runtime, clock, journal, {&runner}}, {.finished_jobs_max = 10'000, .finished_age_min = Nanos(0)}) {
    Check(dispatcher.AddPool({.name = "default", .workers = workers, .capacity_jobs = 100'000}));
    Check(dispatcher.Start());
  }
  ~Daemon() { dispatcher.Stop(Nanos(0)); }
  static void Check(const Status& status) { MR_CHECK(status.ok(), "%s", status.ToString().c_str()); }

  SystemClock clock;
  NoopRunner runner;
  store::MemoryJournal journal;
  dispatch::Dispatcher dispatcher;
};

JobSpec Noop(const Bytes& payload) {
  JobSpec spec;
  spec.kind = "noop";
  spec.payload = payload;
  return spec;
}

// Runs the benchmark's loop as the main fiber.
void OnRuntime(benchmark::State& state, int workers, const std::function<void(Daemon&)>& loop) {
  rt::Runtime runtime({.procs = static_cast<int>(state.range(0))});
  runtime.Run([&] {
    Daemon daemon(runtime, workers);
    loop(daemon);
  });
  state.SetItemsProcessed(state.iterations());
}

class Answered final : public dispatch::Submission {
 public:
  std::atomic<int64_t>* answers = nullptr;
  void Done() override { answers->fetch_add(1, std::memory_order_relaxed); }
};

// One submit at a time, waiting for the end of the job: latency of the whole way.
class Finished final : public dispatch::JobWaiter {
 public:
  void OnFinished(const JobSnapshot&) override { parker.Wake(); }
  rt::Parker parker;
};

void submit_to_done(benchmark::State& state) {
  OnRuntime(state, 4, [&](Daemon& daemon) {
    const Bytes payload = MakeBytes(std::string(100, 'x'));
    std::atomic<int64_t> answers{0};
    for (auto _ : state) {
      Answered submission;
      submission.answers = &answers;
      submission.items.push_back({Noop(payload), {}});
      daemon.dispatcher.Submit(&submission);
      Finished finished;
      Daemon::Check(daemon.dispatcher.Wait(submission.acks[0].id, &finished));
      finished.parker.Wait(rt::WaitReason::kExternal);
    }
  });
}
BENCHMARK(submit_to_done)->Arg(1)->Arg(2)->UseRealTime();

// Throughput: submits as fast as the pool takes them, jobs of a burst queue up and are run by four workers.
void submit_burst(benchmark::State& state) {
  OnRuntime(state, 4, [&](Daemon& daemon) {
    const Bytes payload = MakeBytes(std::string(100, 'x'));
    std::atomic<int64_t> answers{0};
    constexpr int kBurst = 256;
    int64_t sent = 0;
    for (auto _ : state) {
      Answered submission;
      submission.answers = &answers;
      submission.items.push_back({Noop(payload), {}});
      daemon.dispatcher.Submit(&submission);
      if (++sent % kBurst == 0) rt::Yield();
    }
    while (daemon.dispatcher.GetPool("default")->queued_jobs > 0) rt::Yield();
  });
}
BENCHMARK(submit_burst)->Arg(1)->Arg(2)->UseRealTime();

void submit_batch_100(benchmark::State& state) {
  OnRuntime(state, 4, [&](Daemon& daemon) {
    const Bytes payload = MakeBytes(std::string(100, 'x'));
    std::atomic<int64_t> answers{0};
    for (auto _ : state) {
      Answered submission;
      submission.answers = &answers;
      for (int i = 0; i < 100; ++i) submission.items.push_back({Noop(payload), {}});
      daemon.dispatcher.Submit(&submission);
      while (daemon.dispatcher.GetPool("default")->queued_jobs > 0) rt::Yield();
    }
  });
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(submit_batch_100)->Arg(1)->Arg(2)->UseRealTime();

// One job into a queue and out of it, beside others: arguments are the kinds of these, and how many of each kind wait
// for a permit that is taken.
void queue_push_pop(benchmark::State& state) {
  dispatch::Permits permits;
  dispatch::Permit taken(permits, dispatch::BlockedOn::kConcurrency, 0);
  std::deque<dispatch::KindOptions> kinds;
  std::deque<dispatch::JobEntry> jobs;
  dispatch::ReadyQueue queue(1 << 30, 1 << 30);
  dispatch::Taker taker;
  const auto push = [&](const dispatch::KindOptions& kind, std::shared_ptr<const dispatch::Ties> ties) {
    dispatch::JobEntry& job = jobs.emplace_back();
    job.kind = &kind;
    job.ties = std::move(ties);
    queue.Push(&job);
  };
  const auto needs = std::make_shared<const dispatch::Ties>(dispatch::Ties{{&taken}});
  for (int64_t kind = 0; kind < state.range(0); ++kind) {
    kinds.push_back({.name = "kind-" + std::to_string(kind)});
    push(kinds.back(), nullptr);
    for (int64_t job = 0; job < state.range(1); ++job) push(kinds.back(), needs);
  }
  for (auto _ : state) {
    dispatch::JobEntry* job = queue.Pop(taker);
    queue.Push(job);
  }
  for (dispatch::JobEntry& job : jobs) queue.Remove(&job);
}
BENCHMARK(queue_push_pop)->Args({1, 0})->Args({100, 0})->Args({1, 100'000})->Args({100, 1000});

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
