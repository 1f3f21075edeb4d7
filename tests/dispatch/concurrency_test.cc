// Many plain threads, as gRPC's, at one dispatcher at the same time. Meant above all for ThreadSanitizer.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::AttemptOutcome;
using dispatch::Dispatcher;

using AttemptId = std::pair<JobId, int>;

// Who runs, and what has run.
class Runs {
 public:
  void Begin(const dispatch::AttemptContext& attempt) {
    rt::LockGuard guard(lock_);
    if (!running_.insert(attempt.id()).second) ++overlaps_;
    if (!begun_.insert({attempt.id(), attempt.attempt()}).second) ++repeated_;
  }
  void End(const dispatch::AttemptContext& attempt) {
    rt::LockGuard guard(lock_);
    running_.erase(attempt.id());
  }

  int overlaps() const { return overlaps_; }  // How often a job began to run while it ran.
  int repeated() const { return repeated_; }  // How often an attempt began that had begun before.
  const std::set<AttemptId>& begun() const { return begun_; }

 private:
  rt::Lock lock_;
  std::set<JobId> running_;
  std::set<AttemptId> begun_;
  int overlaps_ = 0, repeated_ = 0;
};

// Succeeds, fails, shows progress, heeds its token: whatever the payload says.
class BusyRunner final : public dispatch::Runner {
 public:
  std::string_view name() const override { return "native"; }
  const dispatch::KindOptions* FindKind(std::string_view kind) const override {
    return kind == "busy" ? &busy_ : nullptr;
  }
  std::vector<std::string> Kinds() const override { return {"busy"}; }
  AttemptOutcome Run(dispatch::AttemptContext& attempt) override {
    runs.Begin(attempt);
    AttemptOutcome outcome = Do(attempt);
    runs.End(attempt);
    return outcome;
  }

  Runs runs;

 private:
  static AttemptOutcome Do(dispatch::AttemptContext& attempt) {
    const char what = PayloadOf(attempt.spec())[0];
    if (what == 'p') {
      attempt.SetProgress(0.5, "half");
      attempt.Log("a line\n");
    }
    if (what == 'y') rt::Yield();
    if (what == 'w') attempt.cancel().SleepFor(200us);
    return what == 'f' ? AttemptOutcome::Failed("as asked") : AttemptOutcome::Succeeded(std::string(1, what));
  }

  dispatch::KindOptions busy_{.name = "busy", .retry = {.max_attempts = 2, .initial_backoff = 1ms}};
};

// A submission of a plain thread.
class ThreadCall final : public dispatch::Submission {
 public:
  void Done() override {
    done_.store(true, std::memory_order_release);
    done_.notify_one();
  }
  void Await() { done_.wait(false, std::memory_order_acquire); }

 private:
  std::atomic<bool> done_{false};
};

class CountingWatcher final : public dispatch::EventListener {
 public:
  void OnEvents() override { calls.fetch_add(1); }
  std::atomic<int> calls{0};
};

struct Crowd {
  explicit Crowd(Dispatcher& one) : dispatcher(one) {}

  template <typename F>
  void Start(F fn) {
    threads.emplace_back([this, fn] {
      std::mt19937 random(seed.fetch_add(1));
      while (!stop.load(std::memory_order_relaxed)) fn(random);
    });
  }

  JobId Any(std::mt19937& random) {
    std::vector<JobSnapshot> jobs = dispatcher.List({.limit = 1 + random() % 50, .newest_first = true})->jobs;
    return jobs.empty() ? JobId{} : jobs.back().id;
  }

  Dispatcher& dispatcher;
  std::atomic<bool> stop{false};
  std::atomic<unsigned> seed{1};
  std::atomic<int64_t> retried{0};  // Also those that were to be tried again anyway.
  std::vector<std::thread> threads;
};

// The submitters do a fixed amount of work; the others disturb them until that is done.
void Disturb(Crowd& crowd) {
  Dispatcher& d = crowd.dispatcher;
  crowd.Start([&](std::mt19937& random) {
    JobId id = crowd.Any(random);
    VerbCall call;
    const auto what = random() % 4;
    switch (what) {
      case 0:
        d.Cancel(id, "crowd", &call);
        break;
      case 1:
        d.Retry(id, &call);
        break;
      case 2:
        (void)d.Get(id);
        return;
      default:
        d.Delete(id, &call);
    }
    call.Await();
    if (what == 1 && call.status.ok()) crowd.retried.fetch_add(1);
  });
  crowd.Start([&](std::mt19937& random) {
    switch (random() % 4) {
      case 0:
        (void)d.Resize("default", 1 + static_cast<int>(random() % 6), {}, {});
        break;
      case 1:
        (void)d.Pause("default");
        break;
      case 2:
        (void)d.Stats();
        break;
      default:
        (void)d.Resume("default");
    }
    (void)d.Resume("default");
    std::this_thread::yield();
  });
  auto watcher = std::make_shared<CountingWatcher>();
  crowd.Start([&d, watcher](std::mt19937&) {
    uint64_t cursor = d.events().End();
    d.events().Subscribe(watcher, cursor);
    std::vector<dispatch::JobEvent> events;
    for (int i = 0; i < 20; ++i) {
      events.clear();
      d.events().Read(&cursor, 100, &events, watcher.get());
      std::this_thread::yield();
    }
    d.events().Unsubscribe(watcher.get());
  });
}

// What the events tell of all jobs together, each of which must be the life of a job.
struct Lives {
  explicit Lives(Dispatcher& dispatcher) {
    std::vector<dispatch::JobEvent> events;
    for (uint64_t cursor = 0; dispatcher.events().Read(&cursor, 1000, &events) > 0; events.clear()) {
      for (const dispatch::JobEvent& event : events) {
        EXPECT_NE(event.type, dispatch::EventType::kGap) << "the log is to have them all";
        if (event.type == dispatch::EventType::kState) Add(event);
      }
    }
  }
  void Add(const dispatch::JobEvent& event) {
    SCOPED_TRACE(event.job.ToString() + " became " + ToString(event.state));
    auto [last, is_new] = states.try_emplace(event.job, event.state);
    const JobState before = std::exchange(last->second, event.state);
    if (is_new) {
      EXPECT_TRUE(event.state == JobState::kQueued || event.state == JobState::kScheduled) << "it begins with that";
    } else if (IsTerminal(before)) {
      EXPECT_EQ(event.state, JobState::kQueued) << "only a retry follows an end";
      ++revivals;
    } else if (before == JobState::kRunning) {
      EXPECT_NE(event.state, JobState::kRunning) << "it ran already";
    }
    if (event.state == JobState::kRunning) {
      EXPECT_TRUE(started.insert({event.job, event.attempt}).second) << "this attempt was started before";
    }
    if (event.state == JobState::kSucceeded) succeeded.insert({event.job, event.attempt});
    if (IsTerminal(event.state)) ++ends;
  }

  std::map<JobId, JobState> states;  // The newest one.
  std::set<AttemptId> started, succeeded;
  int64_t ends = 0, revivals = 0;
};

TEST(DispatcherCrowd, LosesAndDoublesNothing) {
  constexpr int kSubmitters = 3, kCallsEach = 400;
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    SystemClock clock;
    BusyRunner runner;
    store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
    Dispatcher d({runtime, clock, journal, {&runner}}, {.events_kept = size_t{1} << 20});
    ASSERT_TRUE(d.AddPool({.name = "default", .workers = 4, .capacity_jobs = 20}).ok());
    ASSERT_TRUE(d.AddPool({.name = "meet", .workers = 2, .capacity_jobs = 0}).ok());
    ASSERT_TRUE(d.Start().ok());
    Crowd crowd(d);
    std::mutex lock;
    std::set<JobId> accepted;
    std::atomic<int64_t> abandoned{0};
    std::atomic<int> left{kSubmitters};
    for (int s = 0; s < kSubmitters; ++s) {
      crowd.threads.emplace_back([&, s] {
        std::mt19937 random(static_cast<unsigned>(1000 + s));
        for (int i = 0; i < kCallsEach; ++i) {
          ThreadCall call;
          const size_t jobs = random() % 8 == 0 ? 5 : 1;
          for (size_t j = 0; j < jobs; ++j) {
            JobSpec spec;
            spec.kind = "busy";
            spec.payload = MakeBytes(std::string(1, "ssspywf"[random() % 7]));
            spec.band = static_cast<Band>(random() % kBands);
            if (jobs == 1 && random() % 4 == 0) spec.pool = "meet";
            if (random() % 10 == 0) spec.delay = 1ms;
            call.items.push_back({std::move(spec), ""});
          }
          call.on_full = dispatch::OnFull::kWait;
          d.Submit(&call);
          if (random() % 10 == 0 && d.Abandon(&call)) {
            abandoned.fetch_add(static_cast<int64_t>(jobs));
            continue;
          }
          call.Await();
          EXPECT_TRUE(call.status.ok()) << call.status.ToString();
          std::lock_guard guard(lock);
          for (const dispatch::SubmitAck& ack : call.acks) EXPECT_TRUE(accepted.insert(ack.id).second);
        }
        left.fetch_sub(1);
      });
    }
    Disturb(crowd);
    while (left.load() > 0) rt::SleepFor(1ms);
    crowd.stop.store(true);
    for (std::thread& thread : crowd.threads) thread.join();
    EXPECT_FALSE(accepted.empty());

    // Whatever was disturbed, everything comes to an end.
    ASSERT_TRUE(d.Resume("default").ok());
    for (;;) {
      dispatch::DispatchStats stats = d.Stats();
      int64_t unfinished = 0;
      for (int s = 0; s < kJobStates; ++s) {
        if (!IsTerminal(static_cast<JobState>(s))) unfinished += stats.jobs[static_cast<size_t>(s)];
      }
      if (unfinished == 0) break;
      rt::SleepFor(1ms);
    }
    dispatch::DispatchStats stats = d.Stats();
    int64_t counted = 0, gave_up = 0, ended = 0;
    for (const dispatch::PoolStats& pool : stats.pools) {
      counted += static_cast<int64_t>(pool.submitted[static_cast<size_t>(dispatch::SubmitResult::kAccepted)]);
      gave_up += static_cast<int64_t>(pool.submitted[static_cast<size_t>(dispatch::SubmitResult::kAbandoned)]);
      for (const dispatch::KindStats& kind : pool.kinds) {
        for (uint64_t of_state : kind.finished) ended += static_cast<int64_t>(of_state);
      }
      EXPECT_EQ(pool.status.queued_jobs, 0);
      EXPECT_EQ(pool.status.waiting_submits, 0);
      EXPECT_EQ(pool.status.queued_bytes, 0);
    }
    EXPECT_EQ(counted, static_cast<int64_t>(accepted.size()));
    EXPECT_EQ(gave_up, abandoned.load());
    EXPECT_EQ(stats.process_bytes, 0);
    EXPECT_EQ(d.Stop(0s).queued, 0);

    const Lives lives(d);
    EXPECT_EQ(lives.states.size(), accepted.size());
    for (const JobId& id : accepted) {
      const auto life = lives.states.find(id);
      ASSERT_NE(life, lives.states.end()) << id.ToString() << " was lost";
      EXPECT_TRUE(IsTerminal(life->second)) << id.ToString() << " is " << ToString(life->second) << " for ever";
    }
    EXPECT_EQ(lives.ends, counted + lives.revivals);
    EXPECT_EQ(lives.ends, ended);
    EXPECT_LE(lives.revivals, crowd.retried.load());
    EXPECT_EQ(runner.runs.overlaps(), 0);
    EXPECT_EQ(runner.runs.repeated(), 0);
    // An attempt that is stopped before it begins is not run.
    for (const AttemptId& run : runner.runs.begun()) EXPECT_TRUE(lives.started.contains(run)) << run.first.ToString();
    for (const AttemptId& success : lives.succeeded) {
      EXPECT_TRUE(runner.runs.begun().contains(success)) << success.first.ToString() << " has not run";
    }
  });
}

}  // namespace
}  // namespace millrace::test
