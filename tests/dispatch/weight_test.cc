// What jobs make the daemon hold counts against its budgets, as it is on the heap.
#include "dispatch/weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::kColdJobBytes;
using dispatch::kJobOverheadBytes;
using dispatch::OnFull;

constexpr int64_t kMiB = int64_t{1} << 20;

// 0 under the sanitizers, which have an allocator of their own: what is asked of it holds there.
int64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

JobSpec Heavy() {
  JobSpec spec = DispatchFixture::Spec("noop");
  spec.delay = 24h;
  for (int i = 0; i < 32; ++i) {
    spec.labels.emplace(std::string(40, 'n') + std::to_string(i), std::string(255, 'v'));
  }
  return spec;
}

// As a disk: keeps nothing in memory, and makes every job anew that is read.
class DiskOfHeavyJobs final : public dispatch::Journal {
 public:
  explicit DiskOfHeavyJobs(uint64_t found) : found_(found) {}
  Durability durability() const override { return Durability::kNone; }
  bool CommitsAtOnce() const override { return true; }
  bool KeepsUnfinished() const override { return true; }
  void Commit(dispatch::Batch& batch) override {
    for (dispatch::Batch::Part& part : batch.parts()) part.answer = OkStatus();
  }
  Status LoadEnded(const std::function<void(const dispatch::EndedJob&)>&) override { return OkStatus(); }
  Status LoadRequests(const std::function<void(dispatch::SpentRequest)>&) override { return OkStatus(); }
  Result<std::vector<std::shared_ptr<const dispatch::JobRecord>>> ReadEnded(const Range&) override {
    return std::vector<std::shared_ptr<const dispatch::JobRecord>>();
  }
  Status Load(const std::function<void(dispatch::JobRecord)>& each) override {
    for (uint64_t n = 1; n <= found_; ++n) each(*Make({1, n}));
    return OkStatus();
  }
  Result<std::shared_ptr<const dispatch::JobRecord>> Read(const JobId& id, Part) override { return Make(id); }
  Result<Bytes> ReadResult(const JobId&) override { return Bytes(); }

 private:
  static std::shared_ptr<const dispatch::JobRecord> Make(const JobId& id) {
    auto record = std::make_shared<dispatch::JobRecord>();
    JobSpec spec = Heavy();
    spec.pool = "default";
    record->id = id;
    record->spec = std::make_shared<const JobSpec>(std::move(spec));
    record->created = ManualClock().Wall();
    record->due = record->created + 24h;
    return record;
  }
  const uint64_t found_;
};

int64_t Held(DispatchFixture& d) { return d.dispatcher.Stats().process_bytes; }

TEST(Weight, JobsInMemoryGrowTheHeapByWhatTheBudgetSays) {
  store::MemoryJournal journal;
  DispatchSetup setup;
  setup.journal = &journal;
  setup.options.process_bytes_max = 16 * kMiB;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    for (const bool heavy : {false, true}) {
      const int64_t heap = HeapBytes(), held = Held(d);
      int accepted = 0;
      Status status;
      std::vector<JobId> ids;
      for (; accepted < 4000; ++accepted) {
        JobSpec spec = heavy ? Heavy() : d.Spec("noop");
        spec.delay = 24h;
        spec.unique_key = UniqueKey{std::string(120, 'u') + std::to_string(accepted)};
        dispatch::SubmitAck ack;
        status = d.TrySubmit(spec, &ack, std::string(120, heavy ? 'h' : 'r') + std::to_string(accepted));
        if (!status.ok()) break;
        ids.push_back(ack.id);
      }
      EXPECT_EQ(status.reason(), heavy ? "PROCESS_FULL" : "");
      EXPECT_LE(Held(d), setup.options.process_bytes_max);
      EXPECT_LE(HeapBytes() - heap, (Held(d) - held) * 5 / 4 + kMiB) << accepted << " jobs, heavy: " << heavy;
      for (const JobId& id : ids) ASSERT_TRUE(d.Cancel(id).ok());
      EXPECT_EQ(Held(d), 0);
    }
  });
}

TEST(Weight, AColdJobHoldsNoLabelsNeitherWhenItIsAcceptedNorAfterARestart) {
  constexpr int kJobs = 4000;  // With their labels some 60 MiB.
  for (const bool restart : {false, true}) {
    DiskOfHeavyJobs journal(restart ? kJobs : 0);
    DispatchSetup setup;
    setup.journal = &journal;
    setup.options.hot_bytes_max = kMiB;
    setup.options.events_kept = 100;
    const int64_t heap = HeapBytes();
    WithDispatcher(setup, [&](DispatchFixture& d) {
      for (int i = 0; !restart && i < kJobs; ++i) d.Submit(Heavy());
      EXPECT_EQ(d.Pool().scheduled_jobs, kJobs);
      EXPECT_LE(Held(d), kJobs * kColdJobBytes + kMiB);
      EXPECT_LE(HeapBytes() - heap, 8 * kMiB) << "restart: " << restart;
    });
  }
}

TEST(Weight, ColdJobsAreFoundByTheirLabelsAndToldWithThem) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.options.hot_bytes_max = 0;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    std::map<std::string, JobId> of_team;
    for (const char* team : {"a", "b", ""}) {
      JobSpec spec = d.Spec("noop");
      spec.delay = 1h;
      if (*team != '\0') spec.labels = {{"team", team}};
      of_team[team] = SubmitTo(d, journal, spec);
    }
    EXPECT_EQ(Held(d), 3 * kColdJobBytes);
    const auto ids = [&](const char* filter) {
      std::vector<JobId> found;
      for (const JobSnapshot& job : d.List({.filter = *dispatch::Filter::Parse(filter)})) found.push_back(job.id);
      return found;
    };
    EXPECT_THAT(ids("labels.team = a"), testing::ElementsAre(of_team["a"]));
    EXPECT_THAT(ids("labels.team != a"), testing::ElementsAre(of_team["b"], of_team[""]));
    EXPECT_THAT(ids("labels.team = a AND state = QUEUED"), testing::IsEmpty());
    uint64_t cursor = d.dispatcher.events().End();
    d.Advance(1h);
    std::vector<dispatch::JobEvent> events;
    d.dispatcher.events().Read(&cursor, 100, &events);
    ASSERT_EQ(events.size(), 3u);
    for (const dispatch::JobEvent& event : events) {
      EXPECT_EQ(event.state, JobState::kQueued);
      EXPECT_EQ(event.job == of_team["a"], dispatch::Filter::Parse("labels.team = a")->Matches(event));
    }
    EXPECT_EQ(Held(d), 3 * kColdJobBytes);
  });
}

TEST(Weight, ADiskThatCannotBeReadKeepsNoJobFromBecomingDue) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.options.hot_bytes_max = 0;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    JobSpec spec = d.Spec("noop");
    spec.delay = 1h;
    spec.labels = {{"team", "a"}};
    SubmitTo(d, journal, spec);
    journal.FailReads(Unavailable("STORE_FAILED", "no disk"));
    EXPECT_EQ(d.dispatcher.List({.filter = *dispatch::Filter::Parse("labels.team = a")}).status().reason(),
              "STORE_FAILED");
    d.Advance(1h);
    EXPECT_EQ(d.Pool().queued_jobs, 1);
  });
}

TEST(Weight, WhatARunningJobShowsAndLeavesCounts) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry = {.max_attempts = 2, .initial_backoff = 1h};
    d.Submit(spec);
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(Held(d), kJobOverheadBytes);
    attempt.context().Log(std::string(kLogTailBytes, 'x'));
    EXPECT_GE(Held(d), kJobOverheadBytes + static_cast<int64_t>(kLogTailBytes));
    attempt.context().SetProgress(0.5, std::string(100'000, 'p'));
    attempt.Fail(std::string(100'000, 'e'));
    d.AwaitIdle();
    const JobSnapshot job = d.List()[0];
    EXPECT_EQ(job.error.size(), kErrorBytesMax + 3);
    EXPECT_EQ(job.progress->message.size(), kProgressMessageBytesMax + 3);
    EXPECT_GE(Held(d), static_cast<int64_t>(kJobOverheadBytes + kLogTailBytes + 2 * kErrorBytesMax));
    d.Advance(1h);
    d.runner.Next().Succeed();
    d.AwaitIdle();
    EXPECT_EQ(Held(d), 0);
  });
}

TEST(Weight, SubmitsThatWaitAreBoundedByWhatTheyHold) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  setup.options.waiting_bytes_max = 2 * (dispatch::kWaitingCallBytes + 100 + kJobOverheadBytes);
  WithDispatcher(setup, [](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    d.Submit("noop");
    std::vector<std::unique_ptr<SubmitCall>> calls;
    for (int i = 0; i < 3; ++i) {
      auto& call = calls.emplace_back(std::make_unique<SubmitCall>());
      call->items.push_back({d.Spec("noop", std::string(100, 'x')), ""});
      call->on_full = OnFull::kWait;
      d.dispatcher.Submit(call.get());
    }
    ASSERT_TRUE(calls[2]->answered());
    EXPECT_EQ(calls[2]->status.reason(), "WAITING_FULL");
    EXPECT_EQ(calls[2]->status.code(), StatusCode::kResourceExhausted);
    EXPECT_TRUE(calls[2]->status.retry_delay().has_value());
    EXPECT_FALSE(calls[1]->answered());
    EXPECT_TRUE(d.dispatcher.Abandon(calls[0].get()));
    calls[0] = std::make_unique<SubmitCall>();
    calls[0]->items.push_back({d.Spec("noop", std::string(100, 'x')), ""});
    calls[0]->on_full = OnFull::kWait;
    d.dispatcher.Submit(calls[0].get());
    EXPECT_FALSE(calls[0]->answered()) << "whoever leaves makes room";
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    calls[0]->Await();
    calls[1]->Await();
    EXPECT_EQ(d.dispatcher.Stats().waiting_bytes, 0);
  });
}

TEST(Weight, RequestIdsOfForgottenJobsHaveABoundAndTheOldestGoFirst) {
  DispatchSetup setup;
  const std::string long_id(100, 'r');
  setup.options.request_ids_bytes_max = 3 * dispatch::RequestIdWeight(std::string(101, 'r'));
  WithDispatcher(setup, [&](DispatchFixture& d) {
    const auto submit = [&](int n) {
      dispatch::SubmitAck ack;
      DispatchFixture::Require(d.TrySubmit(d.Spec("noop"), &ack, long_id + std::to_string(n)));
      return ack;
    };
    for (int n = 0; n < 5; ++n) {
      const JobId id = submit(n).id;
      d.Await(id);
      ASSERT_TRUE(d.Delete(id).ok());
    }
    EXPECT_EQ(d.dispatcher.Stats().request_ids, 3);
    EXPECT_EQ(d.dispatcher.Stats().request_ids_dropped, 2u);
    EXPECT_TRUE(submit(2).existing);
    EXPECT_FALSE(submit(1).existing);
  });
}

}  // namespace
}  // namespace millrace::test
