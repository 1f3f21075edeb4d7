// Leases and what is written down: when who is told, restarts, and a disk that fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/leases_fixture.h"
#include "tests/support/slow_journal.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Lease;
using dispatch::Leases;
using testing::HasSubstr;

class LeasesJournal : public LeasesTest {};

// ---- The journal

TEST_F(LeasesJournal, AWorkerIsToldOnceTheStartIsCommittedAndItsEndIsAcknowledgedWhenThatIs) {
  SlowJournal journal;
  setup.journal = &journal;
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    SubmitCall call;
    call.items.push_back({d.Spec("resize"), ""});
    d.dispatcher.Submit(&call);
    worker.Look();
    EXPECT_TRUE(worker.news.given.empty()) << "its start is not committed";
    journal.Commit();
    const Lease lease = worker.Next();
    worker.Succeed(lease);
    worker.Look();
    EXPECT_TRUE(worker.news.acked.empty());
    journal.Commit();
    EXPECT_TRUE(worker.AwaitAck(lease.ref));
    while (journal.Commit() > 0) {
    }
  });
}

TEST_F(LeasesJournal, AnEndThatIsNotCommittedYetIsNotTakenFromTheWorker) {
  SlowJournal journal;
  setup.journal = &journal;
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    SubmitCall call;
    call.items.push_back({d.Spec("resize"), ""});
    d.dispatcher.Submit(&call);
    while (journal.Commit() > 0) {
    }
    const Lease lease = worker.Next();
    worker.Succeed(lease);
    ASSERT_TRUE(worker.Say({.held = {{lease.ref}}}).ok());
    worker.Look();
    EXPECT_TRUE(worker.news.unknown.empty()) << "it may have to tell it again";
    while (journal.Commit() > 0) {
    }
    EXPECT_TRUE(worker.AwaitAck(lease.ref));
  });
}

TEST_F(LeasesJournal, AJobThatMayStartOnceOnlyGoesOnWhereNobodyWasToldOfIt) {
  Run([](DispatchFixture& d) {
    JobSpec spec = d.Spec("resize");
    spec.no_retry_after_start = true;
    FakeWorker gone(d, Offer("a"));
    gone.Grant(1);
    const JobId id = d.Submit(spec);
    gone.Break();
    EXPECT_EQ(d.State(id), JobState::kQueued);
  });
}

TEST_F(LeasesJournal, ASilentWorkerIsToldWhatItLostWhenItListensAgain) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    d.Submit("resize");
    const Lease lease = worker.Next();
    d.Advance(30s);
    worker.Look();
    EXPECT_THAT(worker.news.unknown, testing::ElementsAre(lease.ref));
  });
}

TEST_F(LeasesJournal, LeasesDoNotRunOutWhileTheDiskFails) {
  SlowJournal journal;
  setup.journal = &journal;
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    SubmitCall call;
    call.items.push_back({d.Spec("resize"), ""});
    d.dispatcher.Submit(&call);
    while (journal.Commit() > 0) {
    }
    const Lease lease = worker.Next();
    journal.SetFailing(true);
    for (int i = 0; i < 10; ++i) d.Advance(10s);
    EXPECT_EQ(d.State(lease.ref.job), JobState::kRunning);
    journal.SetFailing(false);
    d.Advance(1s);
    EXPECT_EQ(d.State(lease.ref.job), JobState::kQueued);
    while (journal.Commit() > 0) {
    }
  });
}

TEST_F(LeasesJournal, ARestartGivesEachLeaseAWholeNewPeriodAndWorkersComeBackForThem) {
  Lease kept, lost;
  Lives(
      [&](DispatchFixture& d) {
        FakeWorker worker(d, Offer("a"));
        worker.Grant(8);
        d.Submit("resize");
        d.Submit("resize");
        kept = worker.Next();
        lost = worker.Next();
        d.Advance(29s);
        worker.Forget();
        d.Stop(Nanos(0));
        EXPECT_EQ(d.State(kept.ref.job), JobState::kRunning);
      },
      [&](DispatchFixture& d) {
        d.Advance(29s);
        EXPECT_EQ(d.State(kept.ref.job), JobState::kRunning);
        EXPECT_EQ(d.Pool().workers_busy, 2);
        FakeWorker worker(d, Back("a", {{.ref = kept.ref}}));
        EXPECT_EQ(worker.kept.size(), 1u);
        d.Advance(1s);
        EXPECT_EQ(d.History(lost.ref.job), "LOST");
        worker.Succeed(kept, "survived");
        EXPECT_EQ(*d.Await(kept.ref.job).result, "survived");
        EXPECT_EQ(d.Get(kept.ref.job).attempts, 1);
      });
}

TEST_F(LeasesJournal, AResultWhoseAcknowledgementWasLostIsAcknowledgedAgainAlsoByTheNextDaemon) {
  Lease lease, failed, gone;
  Lives(
      [&](DispatchFixture& d) {
        FakeWorker worker(d, Offer("a"));
        worker.Grant(8);
        lease = (d.Submit("resize"), worker.Next());
        JobSpec spec = d.Spec("resize");
        spec.retry = {.max_attempts = 2, .initial_backoff = 1h, .max_backoff = 1h};
        failed = (d.Submit(spec), worker.Next());
        worker.Succeed(lease, "once");
        worker.Fail(failed);
        gone = (d.Submit("resize"), worker.Next());
        worker.Leave(Leases::Leaving::kGoodbye);
      },
      [&](DispatchFixture& d) {
        FakeWorker worker(d, Back("a", {{lease.ref, true}, {failed.ref, true}, {gone.ref, true}}));
        EXPECT_TRUE(worker.lost.empty()) << "their ends will be told again";
        for (const Lease& each : {lease, failed, gone}) worker.Succeed(each, "twice");
        EXPECT_EQ(worker.refused.size(), 3u);
        EXPECT_TRUE(d.dispatcher.leases().AckAgain(worker.holder(), lease.ref));
        EXPECT_TRUE(d.dispatcher.leases().AckAgain(worker.holder(), failed.ref));
        EXPECT_FALSE(d.dispatcher.leases().AckAgain(worker.holder(), gone.ref));
        EXPECT_TRUE(worker.AwaitAck(lease.ref) && worker.AwaitAck(failed.ref));
        EXPECT_EQ(*d.Get(lease.ref.job).result, "once");
      });
}

TEST_F(LeasesJournal, AJobThatIsColdIsReadForTheWorker) {
  store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
  setup.journal = &journal;
  setup.options.hot_bytes_max = 0;
  Run([](DispatchFixture& d) {
    std::vector<JobId> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(d.Submit("resize", "payload " + std::to_string(i)));
    FakeWorker worker(d, Offer("a"));
    worker.Grant(10);
    for (int i = 0; i < 10; ++i) {
      const Lease lease = worker.Next();
      EXPECT_THAT(std::string(PayloadOf(*lease.spec)), HasSubstr("payload "));
      worker.Succeed(lease);
    }
    for (const JobId& id : ids) EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
  });
}

}  // namespace
}  // namespace millrace::test
