// Pools whose jobs compute share the processors fairly, whatever their number of workers.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/clock.h"
#include "dispatch/dispatcher.h"
#include "runtime/preempt.h"
#include "runtime/runtime.h"
#include "store/memory_journal.h"
#include "sync/wait_group.h"

namespace millrace::dispatch {
namespace {

constexpr int kMany = 20;
// More from one look at the account to the next is a pause of the machine, which counts as running.
constexpr Nanos kStepMax = std::chrono::milliseconds(1);

class Computing final : public Runner {
 public:
  std::string_view name() const override { return "native"; }
  const KindOptions* FindKind(std::string_view kind) const override {
    return kind == "many" ? &many_ : kind == "few" ? &few_ : nullptr;
  }
  std::vector<std::string> Kinds() const override { return {"many", "few"}; }

  AttemptOutcome Run(AttemptContext& attempt) override {
    if (attempt.spec().kind == "many") {
      begun.Done();
      Compute(theirs, [this] { return stop.load(std::memory_order_relaxed); });
    } else {
      begun.Wait();
      std::atomic<int64_t> mine{0};
      const int64_t before = theirs.load();
      Compute(mine, [&mine] { return mine.load() >= Nanos(std::chrono::milliseconds(200)).count(); });
      ratio = (theirs.load() - before) / mine.load();
      stop = true;
    }
    ended.Done();
    return {};
  }

  sync::WaitGroup begun, ended;
  std::atomic<int64_t> theirs{0};  // ns
  std::atomic<bool> stop{false};
  int64_t ratio = -1;

 private:
  template <typename Until>
  static void Compute(std::atomic<int64_t>& sum, Until until) {
    Nanos last = rt::CurrentFiberTimes().running;
    while (!until()) {
      const Nanos now = rt::CurrentFiberTimes().running;
      sum.fetch_add(std::min(now - last, kStepMax).count(), std::memory_order_relaxed);
      last = now;
    }
  }

  KindOptions many_{.name = "many", .pool = "many"};
  KindOptions few_{.name = "few", .pool = "few"};
};

TEST(PoolShare, OneWorkerGetsAsMuchAsAPoolOfTwenty) {
  if (!rt::kPreemptionWorks) GTEST_SKIP() << "signals are held back in this build (runtime/preempt.h)";
  rt::Runtime runtime({.procs = 1});
  SystemClock clock;
  store::MemoryJournal journal;
  Computing runner;
  runtime.Run([&] {
    Dispatcher dispatcher({.runtime = runtime, .clock = clock, .journal = journal, .runners = {&runner}}, {});
    ASSERT_TRUE(dispatcher.AddPool({.name = "many", .workers = kMany, .capacity_jobs = 100}).ok());
    ASSERT_TRUE(dispatcher.AddPool({.name = "few", .workers = 1, .capacity_jobs = 100}).ok());
    ASSERT_TRUE(dispatcher.Start().ok());
    class Answered final : public Submission {
      void Done() override {}
    } submission;
    runner.begun.Add(kMany);
    runner.ended.Add(kMany + 1);
    for (int i = 0; i <= kMany; ++i) {
      JobSpec spec;
      spec.kind = i < kMany ? "many" : "few";
      submission.items.push_back({spec, {}});
    }
    dispatcher.Submit(&submission);
    ASSERT_TRUE(submission.status.ok()) << submission.status.ToString();
    runner.ended.Wait();
    dispatcher.Stop(Nanos(0));
  });
  EXPECT_LE(runner.ratio, 4) << "time of the pool of " << kMany << ", as a multiple of the other's";
}

}  // namespace
}  // namespace millrace::dispatch
