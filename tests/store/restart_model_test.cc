// Random sequences of operations against a plain model of what must be remembered, on the real store, with a restart at
// every step: in order, or from a copy that was made in the middle of it, as of a process that ends there (tests/crash
// kills real ones). Before each life the store is verified. The seed is printed; MILLRACE_SEED replays.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"
#include "store/tools/verify.h"
#include "sync/wait_group.h"
#include "tests/support/dispatch_fixture.h"
#include "tests/support/temp_folder.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

class RestartModel {
 public:
  explicit RestartModel(unsigned seed) : random_(seed) {}

  void Life() {
    if (crashed_) {
      std::filesystem::remove_all(Store());
      std::filesystem::rename(folder_ / "copy", Store());
      crashed_ = false;
    }
    if (std::filesystem::exists(Store())) Verify();
    // With small buffers tables are made and compacted within a life, with little garbage their room is given back.
    store::RocksDiskOptions disk_options;
    if (random_() % 2 == 0) disk_options.buffer_bytes = size_t{16} << 10;
    auto disk = store::OpenRocksDisk(Store(), disk_options);
    ASSERT_TRUE(disk.ok()) << disk.status().ToString();
    store::DiskJournalOptions options;
    if (random_() % 2 == 0) options.garbage_bytes_max = 1000;
    store::DiskJournal journal(*std::move(disk), options);
    DispatchSetup setup;
    setup.journal = &journal;
    setup.options.losses_max = 1'000'000;
    // None, some and all of those that wait are in memory.
    setup.options.hot_bytes_max = std::array<int64_t, 3>{0, 3000, 1 << 20}[random_() % 3];
    WithDispatcher(setup, [&](DispatchFixture& d) {
      Check(d);
      for (unsigned i = 1 + random_() % 4; i > 0 && !testing::Test::HasFailure(); --i) {
        Step(d);
        Check(d);
      }
      if (random_() % 2 == 0) Crash(d, journal);
      End(d);
      journal.Stop();
    });
  }

 private:
  enum class Is { kWaiting, kScheduled, kSucceeded, kFailed, kCancelled };
  struct Job {
    Is is = Is::kWaiting;  // kWaiting: queued or running.
    std::string payload, result, error, request_id, label, key;
    bool delayed = false;

    bool finished() const { return is != Is::kWaiting && is != Is::kScheduled; }
  };

  std::string Store() const { return folder_ / "store"; }
  std::string Text(size_t most) {
    std::string text(random_() % most + 1, '\0');
    for (char& c : text) c = static_cast<char>('a' + random_() % 26);
    return text;
  }

  void Verify() {
    const Result<store::VerifyReport> report = store::Verify(Store(), 5);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    for (const store::Finding& found : report->first) {
      ADD_FAILURE() << ToString(found.problem) << " " << found.shelf << " " << found.key << ": " << found.what;
    }
    EXPECT_EQ(report->jobs, static_cast<int64_t>(jobs_.size()));
  }

  // An attempt that has begun, if there is one. At most one is held back here.
  std::optional<FakeRunner::Held> TryNext(DispatchFixture& d) {
    return begun_ ? std::exchange(begun_, std::nullopt) : d.runner.TryNext();
  }

  // What runs is handed back, as a drain does it.
  void End(DispatchFixture& d) {
    sync::WaitGroup stopping;
    stopping.Go([&] { d.Stop(0s); });
    while (stopping.count() > 0) {
      if (std::optional<FakeRunner::Held> attempt = TryNext(d)) {
        attempt->AwaitStop();
        attempt->Fail();
      }
      rt::Yield();
    }
    stopping.Wait();
  }

  void Crash(DispatchFixture& d, store::DiskJournal& journal) {
    // A submit is answered after all that was noted before it.
    while (!Submit(d, /*delayed=*/true)) {
    }
    // To copy the files one by one would make a folder that no crash leaves: the store makes and removes tables
    // meanwhile.
    std::filesystem::remove_all(folder_ / "copy");
    const Status copied = journal.Checkpoint(folder_ / "copy");
    ASSERT_TRUE(copied.ok()) << copied.ToString();
    crashed_ = true;
  }

  void Step(DispatchFixture& d) {
    switch (random_() % 8) {
      case 0:
      case 1:
        Submit(d, random_() % 3 == 0);
        return;
      case 2:
      case 3:
      case 4:
        return RunOne(d);
      case 5:
        return Verb(d, {Is::kScheduled, Is::kWaiting}, [&](const JobId& id, Job& job) { Cancel(d, id, job); });
      case 6:
        return Verb(d, {Is::kScheduled, Is::kFailed, Is::kCancelled}, [&](const JobId& id, Job& job) {
          const bool taken = job.finished() && HolderOf(job.key).has_value();
          const Result<JobSnapshot> retried = d.Retry(id);
          ASSERT_EQ(retried.ok(), !taken) << retried.status().ToString();
          if (taken) return;
          job.is = Is::kWaiting;
          job.error.clear();
        });
      default:
        return Verb(d, {Is::kSucceeded, Is::kFailed, Is::kCancelled}, [&](const JobId& id, Job&) {
          ASSERT_TRUE(d.Delete(id).ok());
          jobs_.erase(id);
        });
    }
  }

  JobSpec SpecOf(const Job& job) {
    JobSpec spec = DispatchFixture::Spec("hold", job.payload);
    spec.retry.max_attempts = 1;
    spec.labels = {{"name", job.label}};
    if (job.delayed) spec.delay = 1h;
    if (!job.key.empty()) spec.unique_key = UniqueKey{.key = job.key};
    return spec;
  }

  std::optional<JobId> HolderOf(const std::string& key) const {
    for (const auto& [id, job] : jobs_) {
      if (!key.empty() && job.key == key && !job.finished()) return id;
    }
    return std::nullopt;
  }

  // False: another holds its unique key.
  bool Submit(DispatchFixture& d, bool delayed) {
    Job job{.is = delayed ? Is::kScheduled : Is::kWaiting, .label = Text(3), .delayed = delayed};
    const unsigned size = random_() % 8;
    if (size > 0) job.payload = Text(size < 4 ? 50 : 3000);
    if (random_() % 2 == 0) job.request_id = "request " + std::to_string(requests_.size());
    if (random_() % 3 == 0) job.key = "key " + std::to_string(random_() % 3);
    const std::optional<JobId> holder = HolderOf(job.key);
    dispatch::SubmitAck ack;
    DispatchFixture::Require(d.TrySubmit(SpecOf(job), &ack, job.request_id));
    EXPECT_EQ(ack.existing, holder.has_value());
    if (holder) {
      EXPECT_EQ(ack.id, *holder);
      return false;
    }
    if (!job.request_id.empty()) requests_.emplace(job.request_id, std::pair(ack.id, job));
    EXPECT_TRUE(jobs_.emplace(ack.id, std::move(job)).second);
    return true;
  }

  void Cancel(DispatchFixture& d, const JobId& id, Job& job) {
    const Result<JobSnapshot> answer = d.Cancel(id, "no");
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    // One that runs has to heed it; it may have ended before its attempt began.
    const bool runs = !IsTerminal(answer->state);
    while (!IsTerminal(d.State(id))) {
      std::optional<FakeRunner::Held> attempt = TryNext(d);
      if (attempt && attempt->id() == id) {
        attempt->AwaitStop();
        attempt->Fail();
      } else if (attempt) {
        begun_ = std::move(attempt);
      }
      rt::Yield();
    }
    const JobSnapshot ended = runs ? d.Await(id) : d.Get(id);  // It has its unique key until its end is committed.
    EXPECT_EQ(ended.state, JobState::kCancelled);
    job.is = Is::kCancelled;
    job.error = ended.error;
    EXPECT_NE(job.error, "");
  }

  // One that waits is run to its end.
  void RunOne(DispatchFixture& d) {
    if (std::none_of(jobs_.begin(), jobs_.end(), [](const auto& each) { return each.second.is == Is::kWaiting; }))
      return;
    FakeRunner::Held attempt = begun_ ? *std::exchange(begun_, std::nullopt) : d.runner.Next();
    const JobId id = attempt.id();
    ASSERT_TRUE(jobs_.contains(id)) << "a job nobody submitted, or one that was deleted, runs";
    Job& job = jobs_.at(id);
    EXPECT_EQ(job.is, Is::kWaiting) << "a job that has ended runs again";
    EXPECT_EQ(attempt.payload(), job.payload);
    if (random_() % 3 == 0) {
      job.is = Is::kFailed;
      job.error = Text(20);
      attempt.Fail(job.error);
    } else {
      job.is = Is::kSucceeded;
      job.result = Text(2000);
      attempt.Succeed(job.result);
    }
    d.Await(id);
  }

  template <typename Do>
  void Verb(DispatchFixture&, std::initializer_list<Is> which, Do verb) {
    std::vector<JobId> ids;
    for (const auto& [id, job] : jobs_) {
      if (std::find(which.begin(), which.end(), job.is) != which.end()) ids.push_back(id);
    }
    if (ids.empty()) return;
    const JobId id = ids[random_() % ids.size()];
    verb(id, jobs_.at(id));
  }

  void Check(DispatchFixture& d) {
    for (const bool full : {false, true}) {
      const std::vector<JobSnapshot> listed = d.List({.limit = 10'000, .newest_first = full, .full = full});
      ASSERT_EQ(listed.size(), jobs_.size());
      auto expected = jobs_.begin();
      for (size_t i = 0; i < listed.size(); ++i, ++expected) {
        const JobSnapshot& job = full ? listed[listed.size() - 1 - i] : listed[i];
        ASSERT_EQ(job.id, expected->first) << "in id order";
        Compare(job, expected->second, full);
      }
    }
    for (const auto& [id, job] : jobs_) Compare(d.Get(id), job, /*full=*/true);
    int64_t total = 0, dead = 0;
    for (int64_t count : d.dispatcher.Stats().jobs) total += count;
    EXPECT_EQ(total, static_cast<int64_t>(jobs_.size()));
    for (const auto& [id, job] : jobs_) dead += job.is == Is::kFailed ? 1 : 0;
    EXPECT_EQ(d.dispatcher.Stats().dead_letter_jobs, dead);
    CheckRequests(d);
    if (jobs_.empty()) return;
    const auto& [id, job] = *std::next(jobs_.begin(), static_cast<ptrdiff_t>(random_() % jobs_.size()));
    EXPECT_EQ(d.List({.filter = *dispatch::Filter::Parse("labels.name = " + job.label), .limit = 1000}).size(),
              static_cast<size_t>(std::count_if(jobs_.begin(), jobs_.end(), [&label = job.label](const auto& each) {
                return each.second.label == label;
              })));
  }

  // Whatever became of the job, forgotten or not.
  void CheckRequests(DispatchFixture& d) {
    if (requests_.empty()) return;
    const auto& [request_id, use] = *std::next(requests_.begin(), static_cast<ptrdiff_t>(random_() % requests_.size()));
    const auto& [id, job] = use;
    dispatch::SubmitAck ack;
    DispatchFixture::Require(d.TrySubmit(SpecOf(job), &ack, request_id));
    EXPECT_TRUE(ack.existing);
    EXPECT_EQ(ack.id, id);
    Job other = job;
    other.payload += "other";
    EXPECT_EQ(d.TrySubmit(SpecOf(other), &ack, request_id).reason(), "REQUEST_ID_REUSED");
  }

  void Compare(const JobSnapshot& job, const Job& model, bool full) {
    const bool right = [&] {
      switch (model.is) {
        case Is::kWaiting:
          return job.state == JobState::kQueued || job.state == JobState::kRunning;
        case Is::kScheduled:
          return job.state == JobState::kScheduled;
        case Is::kSucceeded:
          return job.state == JobState::kSucceeded;
        case Is::kFailed:
          return job.state == JobState::kFailed;
        case Is::kCancelled:
          return job.state == JobState::kCancelled;
      }
      return false;
    }();
    EXPECT_TRUE(right) << ToString(job.state) << " where the model has " << static_cast<int>(model.is);
    EXPECT_EQ(job.finished.has_value(), IsTerminal(job.state));
    EXPECT_EQ(job.spec->labels.at("name"), model.label);
    if (model.is != Is::kWaiting) {
      EXPECT_EQ(job.error, model.error);
    }
    if (!full) return;
    EXPECT_EQ(PayloadOf(*job.spec), model.payload);
    if (model.is == Is::kSucceeded) {
      EXPECT_EQ(*job.result, model.result);
    }
  }

  std::mt19937 random_;
  TempFolder folder_;
  bool crashed_ = false;
  std::map<JobId, Job> jobs_;
  std::map<std::string, std::pair<JobId, Job>> requests_;  // Every one, with the job as it was submitted.
  std::optional<FakeRunner::Held> begun_;
};

TEST(RestartModel, RandomOperationsWithARestartAtEveryStepForgetNothing) {
  const char* given = std::getenv("MILLRACE_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  std::printf("seed %u\n", seed);
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
  RestartModel model(seed);
  for (int life = 0; life < 40 && !testing::Test::HasFailure(); ++life) model.Life();
}

}  // namespace
}  // namespace millrace::test
