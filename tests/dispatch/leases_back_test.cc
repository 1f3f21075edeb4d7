// Remote workers that fall silent, lose their stream, come back, or go for good.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/leases_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Lease;
using dispatch::Leases;

class LeasesBack : public LeasesTest {};

// ---- Silent, broken, back

TEST_F(LeasesBack, ASilentWorkerLosesWhatItHeldAndLateResultsChangeNothing) {
  Run([](DispatchFixture& d) {
    FakeWorker silent(d, Offer("a"));
    silent.Grant(8);
    const JobId id = d.Submit("resize");
    const Lease lease = silent.Next();
    d.Advance(29s);
    EXPECT_EQ(d.State(id), JobState::kRunning);
    d.Advance(1s);
    EXPECT_EQ(d.State(id), JobState::kQueued) << "and it is not given to the silent one again";
    EXPECT_EQ(d.Get(id).losses, 1);
    silent.Succeed(lease, "late");  // It speaks again, and is given the next attempt.
    EXPECT_EQ(silent.refused.at(0).why.reason(), "LEASE_LOST");
    EXPECT_EQ(silent.Next().ref.claim.attempt, 2);
    EXPECT_EQ(d.History(id), "LOST, RUNNING");
  });
}

TEST_F(LeasesBack, WhateverAWorkerSaysKeepsAllThatItHolds) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    const JobId first = d.Submit("resize"), second = d.Submit("resize");
    const Lease lease = worker.Next();
    worker.Next();
    for (int i = 0; i < 10; ++i) {
      d.Advance(20s);
      worker.Say({}).ok();
    }
    EXPECT_EQ(d.State(first), JobState::kRunning);
    EXPECT_EQ(d.State(second), JobState::kRunning);
    worker.Succeed(lease);
  });
}

TEST_F(LeasesBack, AJobIsQuarantinedWhenTooManyOfItsAttemptsWereLost) {
  Run([](DispatchFixture& d) {
    const JobId id = d.Submit("resize");
    for (int i = 0; i < 3; ++i) {
      FakeWorker dying(d, Offer("a" + std::to_string(i)));
      dying.Grant(1);
      dying.Next();
      dying.Break();
      d.Advance(5s);
    }
    EXPECT_EQ(d.State(id), JobState::kQuarantined);
    EXPECT_EQ(d.Pool().workers, 0);
  });
}

TEST_F(LeasesBack, AWorkerThatComesBackKeepsWhatItNamesAndLosesTheRest) {
  Run([](DispatchFixture& d) {
    FakeWorker before(d, Offer("a"));
    before.Grant(8);
    const JobId kept = d.Submit("resize"), forgotten = d.Submit("resize");
    const Lease lease = before.Next();
    before.Next();
    before.Break();
    d.Advance(4s);
    FakeWorker back(d, Back("a", {{.ref = lease.ref}}));
    EXPECT_EQ(back.kept.size(), 1u);
    EXPECT_TRUE(back.lost.empty());
    EXPECT_EQ(d.State(forgotten), JobState::kQueued);
    d.Advance(10s);
    EXPECT_EQ(d.State(kept), JobState::kRunning);
    back.Succeed(lease, "done");
    EXPECT_EQ(d.Await(kept).state, JobState::kSucceeded);
    EXPECT_EQ(d.Get(kept).attempts, 1);
  });
}

TEST_F(LeasesBack, AWorkerThatComesBackTooLateIsToldWhatItLost) {
  Run([](DispatchFixture& d) {
    FakeWorker before(d, Offer("a"));
    before.Grant(8);
    const JobId id = d.Submit("resize");
    const Lease lease = before.Next();
    before.Break();
    d.Advance(5s);
    EXPECT_EQ(d.State(id), JobState::kQueued);
    FakeWorker back(d, Back("a", {{.ref = lease.ref}}));
    EXPECT_EQ(back.lost.size(), 1u);
  });
}

TEST_F(LeasesBack, NobodyTakesOverWhatAnotherProcessHolds) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    d.Submit("resize");
    const Lease lease = worker.Next();
    FakeWorker thief(d, Back("b", {{.ref = lease.ref}}));
    EXPECT_EQ(thief.lost.size(), 1u);
    thief.Succeed(lease);
    EXPECT_EQ(thief.refused.at(0).why.reason(), "LEASE_LOST");
    worker.Succeed(lease);
    EXPECT_TRUE(worker.refused.empty());
  });
}

TEST_F(LeasesBack, TheNewerOfTwoStreamsOfOneWorkerTakesOver) {
  Run([](DispatchFixture& d) {
    FakeWorker older(d, Offer("a"));
    older.Grant(8);
    d.Submit("resize");
    const Lease lease = older.Next();
    FakeWorker newer(d, Back("a", {{.ref = lease.ref}}));
    older.Look();
    EXPECT_TRUE(older.news.replaced);
    older.Succeed(lease);  // Not heard: its successor repeats it.
    EXPECT_EQ(d.State(lease.ref.job), JobState::kRunning);
    newer.Succeed(lease);
    EXPECT_EQ(d.Await(lease.ref.job).state, JobState::kSucceeded);
  });
}

TEST_F(LeasesBack, WhatTheOlderStreamGivesUpGoesToTheNewerAndNotBack) {
  store::MemoryJournal journal;  // Commits at once, so that what is given is given within the same Turn.
  setup.journal = &journal;
  Run([](DispatchFixture& d) {
    FakeWorker older(d, Offer("a"));
    older.Grant(8);
    const JobId id = d.Submit("resize");
    FakeWorker newer(d, Back("a", {}));
    EXPECT_EQ(d.State(id), JobState::kQueued);
    newer.Grant(8);
    const Lease lease = newer.Next();
    EXPECT_EQ(lease.ref.job, id);
    newer.Succeed(lease);
    EXPECT_EQ(d.Await(id).state, JobState::kSucceeded);
  });
}

TEST_F(LeasesBack, ATokenThatTheWorkerWasNotToldIsNotItsOwn) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(2);
    d.Submit("resize");
    const Lease first = worker.Next();
    const JobId untold = d.Submit("resize");
    const dispatch::LeaseRef guessed{untold, {1, first.ref.claim.token + 1}};
    FakeWorker back(d, Back("a", {{.ref = first.ref}, {.ref = guessed}}));
    EXPECT_EQ(back.kept.size(), 1u);
    EXPECT_EQ(back.lost.size(), 1u);
    d.Advance(10s);
    back.Succeed(first);
    back.Grant(8);
    back.Succeed(back.Next());
    EXPECT_EQ(d.State(untold), JobState::kSucceeded);
  });
}

TEST_F(LeasesBack, WhoSaysGoodbyeGivesBackAtOnceWhatDoesNotCount) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    const JobId id = d.Submit("resize");
    worker.Next();
    worker.Leave(Leases::Leaving::kGoodbye);
    EXPECT_EQ(d.State(id), JobState::kQueued);
    EXPECT_EQ(d.Get(id).attempts, 0);
    EXPECT_EQ(d.Get(id).losses, 0);
  });
}

TEST_F(LeasesBack, AWorkerThatDrainsEndsWhatItHasAndIsGivenNoMore) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    d.Submit("resize");
    const Lease lease = worker.Next();
    worker.Say({.draining = true}).ok();
    const JobId waiting = d.Submit("resize");
    worker.Succeed(lease);
    worker.Grant(100);
    EXPECT_EQ(d.State(lease.ref.job), JobState::kSucceeded);
    EXPECT_EQ(d.State(waiting), JobState::kQueued);
    EXPECT_EQ(d.Pool().workers, 0);
  });
}

TEST_F(LeasesBack, AWorkerThatDoesNotNameAnAcceptedJobHasLostIt) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(2);
    const JobId lost = d.Submit("resize"), kept = d.Submit("resize");
    worker.Next();
    const Lease second = worker.NextUnaccepted();
    dispatch::WorkerWords words;
    words.held.emplace();
    ASSERT_TRUE(worker.Say(std::move(words)).ok());
    EXPECT_EQ(d.State(lost), JobState::kQueued);
    EXPECT_EQ(d.State(kept), JobState::kRunning) << "it may be on its way";
    dispatch::LeaseRef unknown = second.ref;
    ++unknown.claim.token;
    ASSERT_TRUE(worker.Say({.held = {{second.ref, unknown}}}).ok());
    worker.Look();
    EXPECT_THAT(worker.news.unknown, testing::ElementsAre(unknown));
  });
}

}  // namespace
}  // namespace millrace::test
