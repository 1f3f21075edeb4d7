// Jobs that find a free slot are written down as started in the commit that accepts them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/leases_fixture.h"
#include "tests/support/slow_dispatch.h"
#include "tests/support/unique_jobs.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Lease;
using testing::ElementsAre;

Status DiskFull() { return Unavailable("DISK_FULL", "no space left"); }

std::unique_ptr<SubmitCall> SubmitOne(DispatchFixture& d) { return Batch(d, {d.Spec("hold")}); }

// The states, as they are written down, of the jobs of a submission that is being committed.
std::vector<JobState> Written(const SlowJournal& journal, const SubmitCall& call) {
  std::vector<JobState> states;
  for (const dispatch::SubmitAck& ack : call.acks) states.push_back(journal.Appended(ack.id));
  return states;
}

void WithWorkers(int workers, const std::function<void(DispatchFixture&, SlowJournal&)>& body) {
  SlowJournal journal;
  WithSlow(journal, {.pools = {{.name = "default", .workers = workers, .capacity_jobs = 10}}},
           [&](DispatchFixture& d) { body(d, journal); });
}

TEST(StartAhead, AHandlerBeginsWithTheCommitThatAcceptsItsJob) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    uint64_t cursor = d.dispatcher.events().End();
    auto call = SubmitOne(d);
    EXPECT_THAT(Written(journal, *call), ElementsAre(JobState::kRunning));
    EXPECT_TRUE(d.List({}).empty()) << "for clients it does not exist yet";
    EXPECT_EQ(d.runner.begun(), 0u);
    EXPECT_EQ(d.Pool().workers_busy, 1);
    std::vector<dispatch::JobEvent> events;
    d.dispatcher.events().Read(&cursor, 10, &events, nullptr);
    EXPECT_TRUE(events.empty());
    journal.Commit();
    call->Await();
    EXPECT_EQ(call->acks[0].state, JobState::kRunning);
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.number(), 1);
    d.dispatcher.events().Read(&cursor, 10, &events, nullptr);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].state, JobState::kQueued);
    EXPECT_EQ(events[0].attempt, 0);
    EXPECT_EQ(events[1].state, JobState::kRunning);
    EXPECT_EQ(events[1].attempt, 1);
    EXPECT_EQ(d.PoolStats().wait_seconds.count(), 1u);
    EXPECT_EQ(journal.parts(), 1);
    attempt.Succeed();
  });
}

TEST(StartAhead, ARefusalLeavesNothingBehindAndTheWorkerTakesTheNextJob) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    auto refused = SubmitOne(d);
    journal.Commit(DiskFull());
    refused->Await();
    EXPECT_EQ(refused->status.reason(), "DISK_FULL");
    EXPECT_EQ(d.dispatcher.Stats().jobs, (std::array<int64_t, kJobStates>{}));
    EXPECT_EQ(d.dispatcher.Stats().process_bytes, 0);
    EXPECT_EQ(d.Pool().workers_busy, 0);
    EXPECT_EQ(d.PoolStats().wait_seconds.count(), 0u);
    EXPECT_EQ(d.runner.begun(), 0u);
    auto next = SubmitOne(d);
    EXPECT_THAT(Written(journal, *next), ElementsAre(JobState::kRunning));
    journal.Commit();
    d.runner.Next().Succeed();
  });
}

TEST(StartAhead, ARefusalGivesTheWorkerToWhoeverCameIntoLineMeanwhile) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    JobSpec later = d.Spec("hold", "later");
    later.delay = 1s;
    SubmitTo(d, journal, later);
    auto refused = SubmitOne(d);
    d.Advance(1s);
    EXPECT_EQ(d.Pool().queued_jobs, 1);
    journal.Commit(DiskFull());
    EXPECT_EQ(d.Pool().queued_jobs, 0);
    journal.Commit();
    FakeRunner::Held attempt = d.runner.Next();
    EXPECT_EQ(attempt.payload(), "later");
    attempt.Succeed();
  });
}

TEST(StartAhead, SoDoesAJobThatIsTooLateWhenItIsAccepted) {
  for (const int64_t capacity : {10, 0}) {
    SlowJournal journal;
    DispatchSetup setup{.pools = {{.name = "default", .workers = 1, .capacity_jobs = capacity}}};
    WithSlow(journal, setup, [&](DispatchFixture& d) {
      JobSpec later = d.Spec("hold", "later"), late = d.Spec("hold");
      later.delay = 1s;
      late.deadline = d.clock.Wall() + 1s;
      SubmitTo(d, journal, later);
      auto call = Batch(d, {late});
      d.Advance(1s);
      EXPECT_EQ(d.Pool().queued_jobs, 1);
      journal.Commit();
      journal.Commit();
      EXPECT_EQ(d.State(call->acks[0].id), JobState::kExpired);
      FakeRunner::Held attempt = Begin(d, journal);
      EXPECT_EQ(attempt.payload(), "later");
      attempt.Succeed();
    });
  }
}

TEST(StartAhead, NobodyOvertakesAJobThatWasAcceptedEarlier) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    auto first = SubmitOne(d);
    journal.Commit();
    FakeRunner::Held busy = d.runner.Next();
    auto second = SubmitOne(d);
    EXPECT_THAT(Written(journal, *second), ElementsAre(JobState::kQueued));
    busy.Succeed();
    d.AwaitIdle();
    d.AwaitWorkers();
    auto third = SubmitOne(d);
    EXPECT_THAT(Written(journal, *third), ElementsAre(JobState::kQueued)) << "the worker is idle, the second is first";
    journal.Commit();
    FakeRunner::Held next = Begin(d, journal);
    EXPECT_EQ(next.id(), second->acks[0].id);
    next.Succeed();
  });
}

TEST(StartAhead, ABatchStartsAsManyAsThereAreWorkers) {
  for (const bool disk_full : {false, true}) {
    WithWorkers(2, [&](DispatchFixture& d, SlowJournal& journal) {
      auto call = Batch(d, {d.Spec("hold"), d.Spec("hold"), d.Spec("hold")});
      EXPECT_THAT(Written(journal, *call), ElementsAre(JobState::kRunning, JobState::kRunning, JobState::kQueued));
      journal.Commit(disk_full ? DiskFull() : OkStatus());
      call->Await();
      EXPECT_EQ(call->status.ok(), !disk_full);
      EXPECT_EQ(d.Pool().workers_busy, disk_full ? 0 : 2);
      EXPECT_EQ(d.Pool().queued_jobs, disk_full ? 0 : 1);
      if (!disk_full) return;
      auto next = Batch(d, {d.Spec("hold"), d.Spec("hold")});
      EXPECT_THAT(Written(journal, *next), ElementsAre(JobState::kRunning, JobState::kRunning));
      journal.Commit();
    });
  }
}

TEST(StartAhead, AStartedJobTakesNoPlace) {
  SlowJournal journal;
  WithSlow(journal, {.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}}}, [&](DispatchFixture& d) {
    auto runs = SubmitOne(d), waits = SubmitOne(d), refused = SubmitOne(d);
    EXPECT_FALSE(runs->answered() || waits->answered());
    refused->Await();
    EXPECT_EQ(refused->status.reason(), "QUEUE_FULL");
    journal.Commit();
    EXPECT_EQ(d.State(waits->acks[0].id), JobState::kQueued);
  });
}

TEST(StartAhead, AStopTakesItBackAndSoItIsWritten) {
  for (const bool disk_full : {false, true}) {
    WithWorkers(1, [&](DispatchFixture& d, SlowJournal& journal) {
      auto call = SubmitOne(d);
      const dispatch::Dispatcher::DrainReport report = d.Stop(Nanos(0));  // Though the disk may hang for ever.
      EXPECT_EQ(report.released, 0);
      EXPECT_EQ(d.runner.begun(), 0u);
      journal.Commit(disk_full ? DiskFull() : OkStatus());
      call->Await();
      EXPECT_EQ(call->status.ok(), !disk_full);
      EXPECT_EQ(d.List({}).empty(), disk_full);
      if (disk_full) return;
      const JobId id = call->acks[0].id;
      EXPECT_EQ(d.State(id), JobState::kQueued);
      EXPECT_EQ(d.Get(id).attempts, 0);
      EXPECT_EQ(d.History(id), "");
      EXPECT_EQ(journal.Appended(id), JobState::kQueued);
    });
  }
}

TEST(StartAhead, APoolThatIsPausedBeforeTheCommitDoesNotBeginIt) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    auto call = SubmitOne(d);
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    journal.Commit();
    call->Await();
    EXPECT_EQ(call->acks[0].state, JobState::kQueued);
    EXPECT_EQ(journal.Appended(call->acks[0].id), JobState::kQueued);
    EXPECT_EQ(d.Pool().workers_busy, 0);
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    Begin(d, journal).Succeed();
  });
}

TEST(StartAhead, AKeyThatIsHeldWhileAJobIsQueuedHasOneHolderWhateverHappensBeforeTheCommit) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    auto first = Batch(d, {Unique("k", UniqueScope::kWhileQueued)});
    EXPECT_THAT(Written(journal, *first), ElementsAre(JobState::kQueued));
    auto second = Batch(d, {Unique("k", UniqueScope::kWhileQueued)});
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    journal.Commit();
    second->Await();
    EXPECT_TRUE(second->acks[0].existing);
    EXPECT_EQ(second->acks[0].id, first->acks[0].id);
  });
}

TEST(StartAhead, APausedPoolStartsNothing) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    auto call = SubmitOne(d);
    EXPECT_THAT(Written(journal, *call), ElementsAre(JobState::kQueued));
    journal.Commit();
    EXPECT_EQ(d.State(call->acks[0].id), JobState::kQueued);
  });
}

TEST(StartAhead, NeitherAJobThatWaitsForItsTimeNorOneThatIsTooLateStarts) {
  WithWorkers(1, [](DispatchFixture& d, SlowJournal& journal) {
    JobSpec later = d.Spec("hold"), late = d.Spec("hold");
    later.delay = 1h;
    late.deadline = d.clock.Wall() + 1s;
    auto call = Batch(d, {later, late});
    EXPECT_THAT(Written(journal, *call), ElementsAre(JobState::kScheduled, JobState::kRunning));
    d.clock.Advance(2s);
    journal.Commit();
    EXPECT_EQ(d.Pool().workers_busy, 0);
    journal.Commit();
    EXPECT_EQ(d.State(call->acks[1].id), JobState::kExpired);
    EXPECT_EQ(d.Get(call->acks[1].id).attempts, 0);
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

// ---- Workers in other processes

class StartAheadRemote : public LeasesTest {
 protected:
  void RunSlow(const std::function<void(DispatchFixture&)>& body) { WithSlow(journal, setup, body); }
  static std::unique_ptr<SubmitCall> Submit(DispatchFixture& d, std::string kind = "resize") {
    return Batch(d, {d.Spec(std::move(kind))});
  }
  SlowJournal journal;
};

TEST_F(StartAheadRemote, ARefusalFreesTheSlotForWhoeverCameIntoLineMeanwhile) {
  RunSlow([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    JobSpec later = d.Spec("resize");
    later.delay = 1s;
    const JobId waits = SubmitTo(d, journal, later);
    auto refused = Submit(d);
    EXPECT_THAT(Written(journal, *refused), ElementsAre(JobState::kRunning));
    d.Advance(1s);
    EXPECT_EQ(d.Pool().queued_jobs, 1);
    journal.Commit(DiskFull());
    refused->Await();
    journal.Commit();
    const Lease lease = worker.Next();
    EXPECT_EQ(lease.ref.job, waits);
    worker.Succeed(lease);
    journal.Commit();
    EXPECT_TRUE(worker.AwaitAck(lease.ref));
  });
}

TEST_F(StartAheadRemote, ARefusalFreesTheSlotForTheJobsOfOtherPoolsAsWell) {
  setup.pools.push_back({.name = "other", .runner = "remote"});
  RunSlow([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    JobSpec later = d.Spec("resize");
    later.pool = "other";
    later.delay = 1s;
    const JobId waits = SubmitTo(d, journal, later);
    auto refused = Submit(d);
    d.Advance(1s);
    EXPECT_EQ(d.Pool("other").queued_jobs, 1);
    journal.Commit(DiskFull());
    ASSERT_EQ(d.Pool("other").queued_jobs, 0);
    journal.Commit();
    EXPECT_EQ(worker.Next().ref.job, waits);
  });
}

TEST_F(StartAheadRemote, AWorkerThatLeavesBeforeTheCommitLosesNoAttempt) {
  for (const bool disk_full : {false, true}) {
    RunSlow([&](DispatchFixture& d) {
      auto worker = std::make_unique<FakeWorker>(d, Offer("a"));
      worker->Grant(1);
      auto call = Submit(d);
      worker.reset();
      journal.Commit(disk_full ? DiskFull() : OkStatus());
      call->Await();
      EXPECT_EQ(d.List({}).empty(), disk_full);
      if (disk_full) return;
      const JobId id = call->acks[0].id;
      EXPECT_EQ(d.State(id), JobState::kQueued);
      EXPECT_EQ(d.Get(id).attempts, 0);
      journal.Commit();
      FakeWorker other(d, Offer("b"));
      other.Grant(1);
      journal.Commit();
      EXPECT_EQ(other.Next().ref.job, id);
    });
  }
}

TEST_F(StartAheadRemote, ALargeJobThatIsRefusedHoldsUpNobody) {
  RunSlow([&](DispatchFixture& d) {
    dispatch::WorkerOffer offer = Offer("a");
    offer.slots = 2;
    offer.kinds = {{.name = "large", .slots = 2}, {.name = "resize"}};
    FakeWorker worker(d, offer);
    worker.Grant(2);
    auto small = Submit(d);
    auto large = Submit(d, "large");
    EXPECT_THAT(Written(journal, *large), ElementsAre(JobState::kQueued)) << "one of the two slots is taken";
    journal.Commit(DiskFull());
    auto next = Submit(d);
    EXPECT_THAT(Written(journal, *next), ElementsAre(JobState::kRunning)) << "nobody keeps slots for what is gone";
    journal.Commit();
    EXPECT_EQ(worker.Next().ref.job, next->acks[0].id);
  });
}

}  // namespace
}  // namespace millrace::test
