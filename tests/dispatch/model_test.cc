// Random sequences of operations against a plain model of what a dispatcher promises. The seed is printed;
// MILLRACE_SEED replays.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "dispatch/unique_keys.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::AttemptOutcome;

constexpr int kWorkers = 3;
constexpr int64_t kCapacity = 8;

// One pool of held jobs. The test ends attempts, moves time and calls verbs; the model says which states are possible
// after each.
class Model {
 public:
  Model(DispatchFixture& d, bool cold, unsigned seed) : d_(d), cold_(cold), random_(seed) {}

  void Step() {
    switch (random_() % 10) {
      case 0:
      case 1:
      case 2:
        return SubmitOne();
      case 3:
      case 4:
        return EndOne();
      case 5:
        return CancelOne();
      case 6:
        return RetryOne();
      case 7:
        return DeleteOne();
      case 8:
        return Toggle();
      default:
        return d_.Advance(std::chrono::milliseconds(random_() % 2000));
    }
  }

  // Waits until every job that has a worker has reached the test and no worker is on its way, then compares everything.
  void Check() {
    dispatch::PoolStatus pool = d_.Pool();
    while (pool.workers_busy != static_cast<int>(held_.size()) ||
           (!paused_ && pool.queued_jobs > 0 && pool.workers_busy < kWorkers)) {
      if (std::optional<FakeRunner::Held> attempt = d_.runner.TryNext()) {
        EXPECT_TRUE(held_.emplace(attempt->id(), *attempt).second) << "a job runs twice at a time";
        EXPECT_GT(attempt->number(), starts_[attempt->id()]) << "attempts are numbered upwards";
        starts_[attempt->id()] = attempt->number();
      }
      rt::Yield();
      pool = d_.Pool();
    }
    std::array<int64_t, kJobStates> states{};
    for (const JobSnapshot& job : d_.List({.limit = 100'000})) {
      ++states[static_cast<size_t>(job.state)];
      EXPECT_TRUE(known_.contains(job.id)) << "a job nobody submitted";
      EXPECT_EQ(job.state == JobState::kRunning, held_.contains(job.id));
      EXPECT_LE(job.attempts, 3);
    }
    EXPECT_EQ(states, d_.dispatcher.Stats().jobs);
    EXPECT_EQ(states[static_cast<size_t>(JobState::kQueued)], pool.queued_jobs);
    EXPECT_EQ(states[static_cast<size_t>(JobState::kScheduled)], pool.scheduled_jobs);
    EXPECT_EQ(states[static_cast<size_t>(JobState::kRunning)], pool.workers_busy);
    int64_t kept = 0, unfinished = 0;
    for (size_t i = 0; i < states.size(); ++i) {
      kept += states[i];
      if (!IsTerminal(static_cast<JobState>(i))) unfinished += states[i];
    }
    EXPECT_EQ(kept, static_cast<int64_t>(known_.size())) << "an acknowledged job is there until it is deleted";
    const int64_t cold = cold_ ? unfinished - pool.workers_busy : 0;
    // A key, and what attempts left, on top of what every job takes.
    const int64_t least = (unfinished - cold) * dispatch::kJobOverheadBytes + cold * dispatch::kColdJobBytes;
    EXPECT_GE(d_.dispatcher.Stats().process_bytes, least);
    EXPECT_LE(d_.dispatcher.Stats().process_bytes, least + unfinished * 1024);
    EXPECT_LE(pool.workers_busy, kWorkers);
    EXPECT_EQ(d_.journal.size(), known_.size());
  }

  void Finish() {
    if (paused_) Toggle();
    while (!held_.empty() || d_.Pool().queued_jobs > 0) {
      Check();
      if (!held_.empty()) End(held_.begin()->first, AttemptOutcome::Succeeded(""));
    }
    d_.AwaitIdle();
  }

 private:
  void SubmitOne() {
    JobSpec spec = d_.Spec("hold");
    spec.band = static_cast<Band>(random_() % kBands);
    spec.retry = {.max_attempts = 3, .initial_backoff = 1s};
    if (random_() % 4 == 0) spec.delay = std::chrono::milliseconds(random_() % 3000);
    if (random_() % 6 == 0) {
      spec.deadline = d_.clock.Wall() + spec.delay.value_or(Nanos(0)) + std::chrono::milliseconds(1 + random_() % 5000);
    }
    if (random_() % 6 == 0) spec.run_timeout = std::chrono::milliseconds(1 + random_() % 1000);
    std::optional<JobId> holder;
    if (random_() % 3 == 0) {
      spec.unique_key = UniqueKey{std::to_string(random_() % 3), static_cast<UniqueScope>(random_() % 2),
                                  static_cast<OnTaken>(random_() % 2)};
      holder = HolderOf(*spec.unique_key);
    }
    const int64_t queued = d_.Pool().queued_jobs;
    const bool immediate = !spec.delay || *spec.delay == 0s;
    dispatch::SubmitAck ack;
    Status status = d_.TrySubmit(spec, &ack);
    if (holder && spec.unique_key->on_taken == OnTaken::kReject) {
      EXPECT_EQ(status.reason(), "UNIQUE_KEY_TAKEN");
      EXPECT_EQ(status.metadata().at("job"), holder->ToString());
      return;
    }
    EXPECT_EQ(ack.existing, holder.has_value());
    if (holder) {
      EXPECT_EQ(ack.id, *holder) << "whether there is room or not";
      return;
    }
    EXPECT_EQ(status.ok(), !immediate || queued < kCapacity) << status.ToString();
    if (status.ok()) {
      known_.insert(ack.id);
    } else {
      EXPECT_EQ(status.reason(), "QUEUE_FULL");
    }
  }

  // The oldest job that has the key and is in its scope.
  std::optional<JobId> HolderOf(const UniqueKey& wanted) {
    for (const JobSnapshot& job : d_.List({.limit = 100'000})) {
      const std::optional<UniqueKey>& own = job.spec->unique_key;
      if (own && own->key == wanted.key && dispatch::UniqueKeys::InScope(own->scope, job.state)) return job.id;
    }
    return std::nullopt;
  }

  void EndOne() {
    if (held_.empty()) return;
    auto any = std::next(held_.begin(), static_cast<ptrdiff_t>(random_() % held_.size()));
    AttemptOutcome outcome;
    switch (random_() % 4) {
      case 0:
        outcome = AttemptOutcome::Succeeded("x");
        break;
      case 1:
        outcome.result = AttemptResult::kLost;
        break;
      default:
        outcome = AttemptOutcome::Failed("no");
    }
    End(any->first, std::move(outcome));
  }

  void End(JobId id, AttemptOutcome outcome) {
    FakeRunner::Held attempt = held_.at(id);
    held_.erase(id);
    const int number = attempt.number();
    attempt.Finish(std::move(outcome));
    // Until the worker has told of it.
    for (;;) {
      JobSnapshot job = d_.Get(id);
      auto own =
          std::find_if(job.history.begin(), job.history.end(), [&](const Attempt& a) { return a.number == number; });
      if (own == job.history.end() || own->result != AttemptResult::kRunning) return;
      rt::Yield();
    }
  }

  JobId Any() {
    if (known_.empty()) return {};
    return *std::next(known_.begin(), static_cast<ptrdiff_t>(random_() % known_.size()));
  }

  void CancelOne() {
    JobId id = Any();
    if (id.empty()) return;
    JobState before = d_.State(id);
    Result<JobSnapshot> job = d_.Cancel(id, "model");
    EXPECT_EQ(job.ok(), !IsTerminal(before));
    if (job.ok()) {
      EXPECT_EQ(job->state, before == JobState::kRunning ? JobState::kRunning : JobState::kCancelled);
    }
  }

  void RetryOne() {
    JobId id = Any();
    if (id.empty()) return;
    const JobState before = d_.State(id);
    const bool full = d_.Pool().queued_jobs >= kCapacity;
    const std::optional<UniqueKey> key = d_.Get(id).spec->unique_key;
    const bool taken = key && HolderOf(*key);
    Result<JobSnapshot> job = d_.Retry(id);
    const bool may =
        before == JobState::kScheduled || (IsTerminal(before) && before != JobState::kSucceeded && !full && !taken);
    EXPECT_EQ(job.ok(), may) << ToString(before) << " " << job.status().ToString();
  }

  void DeleteOne() {
    JobId id = Any();
    if (id.empty()) return;
    JobState before = d_.State(id);
    Status status = d_.Delete(id);
    EXPECT_EQ(status.ok(), IsTerminal(before));
    if (status.ok()) known_.erase(id);
  }

  void Toggle() {
    paused_ = !paused_;
    EXPECT_TRUE((paused_ ? d_.dispatcher.Pause("default") : d_.dispatcher.Resume("default")).ok());
  }

  DispatchFixture& d_;
  const bool cold_;  // Jobs that wait do so without their record.
  std::mt19937 random_;
  bool paused_ = false;
  std::set<JobId> known_;
  std::map<JobId, FakeRunner::Held> held_;
  std::map<JobId, int> starts_;
};

TEST(DispatcherModel, RandomOperationsKeepEveryPromise) {
  const char* given = std::getenv("MILLRACE_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  std::printf("seed %u\n", seed);
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = kWorkers, .capacity_jobs = kCapacity}};
  setup.options.seed = seed + 1;
  for (int round = 0; round < 6; ++round) {
    const bool cold = round % 2 == 1;
    setup.options.hot_bytes_max = cold ? 0 : dispatch::DispatcherOptions().hot_bytes_max;
    WithDispatcher(setup, [&](DispatchFixture& d) {
      Model model(d, cold, seed + static_cast<unsigned>(round));
      for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step) {
        model.Step();
        model.Check();
      }
      if (!testing::Test::HasFailure()) model.Finish();
    });
  }
}

}  // namespace
}  // namespace millrace::test
