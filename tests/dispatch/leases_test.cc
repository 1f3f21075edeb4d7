// Workers in other processes: who gets which job, and what becomes of it whatever the worker does.
#include "dispatch/leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_worker.h"
#include "tests/support/slow_journal.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::HeldLease;
using dispatch::Lease;
using dispatch::Leases;
using dispatch::WorkerOffer;
using testing::HasSubstr;

class LeasesTest : public testing::Test {
 protected:
  void Run(const std::function<void(DispatchFixture&)>& body) { WithDispatcher(setup, body); }
  // A daemon that ends, and one that finds what the first has kept.
  void Lives(const std::function<void(DispatchFixture&)>& first, const std::function<void(DispatchFixture&)>& second) {
    store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
    setup.journal = &journal;
    Run(first);
    Run(second);
  }
  static WorkerOffer Offer(std::string key, std::vector<std::string> kinds = {"resize"}, int slots = 8) {
    return {.worker = "worker-" + key, .key = key, .kinds = std::move(kinds), .slots = slots, .held = {}};
  }
  static WorkerOffer Back(std::string key, std::vector<HeldLease> held) {
    WorkerOffer offer = Offer(std::move(key));
    offer.held = std::move(held);
    return offer;
  }

  LeasingRunner remote;
  DispatchSetup setup = {.pools = {{.name = "default", .runner = "remote"}},
                         .options = {.finished_age_min = Nanos(0), .seed = 1},
                         .remote = &remote};
};

// ---- Given, and ended

TEST_F(LeasesTest, AJobGoesToAWorkerThatOffersItsKindAndEndsByItsWord) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    const JobId id = d.Submit("resize", "cat.png");
    EXPECT_TRUE(worker.told());
    const Lease lease = worker.Next();
    EXPECT_EQ(lease.ref.job, id);
    EXPECT_EQ(PayloadOf(*lease.spec), "cat.png");
    EXPECT_EQ(d.State(id), JobState::kRunning);
    worker.Succeed(lease, "small cat");
    EXPECT_TRUE(worker.AwaitAck(lease.ref));
    const JobSnapshot job = d.Get(id);
    EXPECT_EQ(job.state, JobState::kSucceeded);
    EXPECT_EQ(*job.result, "small cat");
    EXPECT_EQ(job.history.at(0).worker, "worker-a");
  });
}

TEST_F(LeasesTest, AJobWhoseKindNobodyOffersWaitsForAWorkerThatDoes) {
  Run([](DispatchFixture& d) {
    FakeWorker other(d, Offer("a", {"other"}));
    other.Grant(1);
    const JobId id = d.Submit("resize");
    other.Look();
    EXPECT_TRUE(other.news.empty());
    EXPECT_EQ(d.State(id), JobState::kQueued);
    FakeWorker worker(d, Offer("b"));
    worker.Grant(1);
    EXPECT_EQ(worker.Next().ref.job, id);
  });
}

TEST_F(LeasesTest, AWorkerIsGivenAsManyAsItGrantedAndHasSlots) {
  Run([](DispatchFixture& d) {
    for (int i = 0; i < 20; ++i) d.Submit("resize");
    FakeWorker worker(d, Offer("a", {"resize"}, 4));
    worker.Grant(2);
    worker.Look();
    EXPECT_EQ(worker.news.given.size(), 2u);
    worker.Grant(2);  // The same once more.
    worker.Grant(1);  // Came late.
    worker.Look();
    EXPECT_EQ(worker.news.given.size(), 2u);
    worker.Grant(int64_t{1} << 62);
    worker.Look();
    EXPECT_EQ(worker.news.given.size(), 4u) << "it said that it has four slots";
    const Lease first = worker.Next();
    worker.Succeed(first);
    worker.Look();
    EXPECT_EQ(worker.news.given.size(), 4u) << "one ended and another one was given";
    EXPECT_EQ(worker.Say({.slots_granted = -1}).reason(), "BAD_CREDIT");
    EXPECT_EQ(d.Pool().workers, 4);
    EXPECT_EQ(d.Pool().workers_busy, 4);
  });
}

TEST_F(LeasesTest, WorkersTakeTurns) {
  Run([](DispatchFixture& d) {
    FakeWorker a(d, Offer("a")), b(d, Offer("b"));
    a.Grant(8);
    b.Grant(8);
    for (int i = 0; i < 6; ++i) d.Submit("resize");
    a.Look();
    b.Look();
    EXPECT_EQ(a.news.given.size(), 3u);
    EXPECT_EQ(b.news.given.size(), 3u);
  });
}

TEST_F(LeasesTest, AFailureIsRetriedAsAnyOther) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    JobSpec spec = d.Spec("resize");
    spec.retry = {.max_attempts = 2, .initial_backoff = 10s, .max_backoff = 10s};
    const JobId id = d.Submit(spec);
    const Lease first = worker.Next();
    worker.Fail(first, "no memory");
    EXPECT_TRUE(worker.AwaitAck(first.ref));
    EXPECT_EQ(d.State(id), JobState::kScheduled);
    d.Advance(20s);
    const Lease second = worker.Next();
    EXPECT_EQ(second.ref.claim.attempt, 2);
    EXPECT_NE(second.ref.claim.token, first.ref.claim.token);
    worker.Fail(second, "no memory");
    EXPECT_EQ(d.Await(id).state, JobState::kFailed);
    EXPECT_EQ(d.Get(id).error, "no memory");
  });
}

TEST_F(LeasesTest, ShowsProgressAndLog) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    const JobId id = d.Submit("resize");
    const Lease lease = worker.Next();
    dispatch::WorkerWords words;
    words.shown.push_back({lease.ref, Progress{.fraction = 0.5, .message = "half"}, "a line\n"});
    words.shown.push_back({lease.ref, std::nullopt, "another\n"});
    ASSERT_TRUE(worker.Say(std::move(words)).ok());
    EXPECT_EQ(d.Get(id).progress->fraction, 0.5);
    EXPECT_EQ(d.Get(id).log_tail, "a line\nanother\n");
    worker.Succeed(lease);
  });
}

// ---- Not accepted

TEST_F(LeasesTest, AJobThatIsNotAcceptedGoesToTheFrontOfItsQueueAndDoesNotCount) {
  Run([](DispatchFixture& d) {
    const JobId first = d.Submit("resize"), second = d.Submit("resize");
    FakeWorker deaf(d, Offer("deaf", {"resize"}, 1));
    deaf.Grant(1);
    const Lease lease = deaf.NextUnaccepted();
    EXPECT_EQ(lease.ref.job, first);
    d.Advance(4s);
    EXPECT_EQ(d.State(first), JobState::kRunning);
    d.Advance(1s);
    EXPECT_EQ(d.State(first), JobState::kQueued);
    deaf.Look();
    ASSERT_EQ(deaf.news.revoked.size(), 1u);
    EXPECT_EQ(deaf.news.revoked[0].why.reason(), "NOT_ACCEPTED");
    FakeWorker worker(d, Offer("b"));
    worker.Grant(8);
    const Lease again = worker.Next();
    EXPECT_EQ(again.ref.job, first) << "before younger ones";
    EXPECT_EQ(worker.Next().ref.job, second);
    EXPECT_EQ(d.Get(first).attempts, 1);
    deaf.Succeed(lease, "late");
    ASSERT_EQ(deaf.refused.size(), 1u);
    EXPECT_EQ(deaf.refused[0].why.reason(), "LEASE_LOST");
    EXPECT_EQ(d.State(first), JobState::kRunning);
  });
}

TEST_F(LeasesTest, AJobThatMayStartOnceOnlyHasStartedWhenItWasGiven) {
  Run([](DispatchFixture& d) {
    FakeWorker deaf(d, Offer("deaf"));
    deaf.Grant(1);
    JobSpec spec = d.Spec("resize");
    spec.no_retry_after_start = true;
    const JobId id = d.Submit(spec);
    deaf.NextUnaccepted();
    d.Advance(5s);
    EXPECT_EQ(d.State(id), JobState::kFailed);
  });
}

// ---- Silent, broken, back

TEST_F(LeasesTest, ASilentWorkerLosesWhatItHeldAndLateResultsChangeNothing) {
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

TEST_F(LeasesTest, WhateverAWorkerSaysKeepsAllThatItHolds) {
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

TEST_F(LeasesTest, AJobIsQuarantinedWhenTooManyOfItsAttemptsWereLost) {
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

TEST_F(LeasesTest, AWorkerThatComesBackKeepsWhatItNamesAndLosesTheRest) {
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

TEST_F(LeasesTest, AWorkerThatComesBackTooLateIsToldWhatItLost) {
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

TEST_F(LeasesTest, NobodyTakesOverWhatAnotherProcessHolds) {
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

TEST_F(LeasesTest, TheNewerOfTwoStreamsOfOneWorkerTakesOver) {
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

TEST_F(LeasesTest, WhoSaysGoodbyeGivesBackAtOnceWhatDoesNotCount) {
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

TEST_F(LeasesTest, AWorkerThatDrainsEndsWhatItHasAndIsGivenNoMore) {
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

TEST_F(LeasesTest, AWorkerThatDoesNotNameAnAcceptedJobHasLostIt) {
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
    ASSERT_EQ(worker.news.revoked.size(), 1u);
    EXPECT_EQ(worker.news.revoked[0].ref, unknown);
  });
}

// ---- Stopped

TEST_F(LeasesTest, ACancelIsToldAtOnceAndDecides) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    const JobId id = d.Submit("resize");
    const Lease lease = worker.Next();
    EXPECT_EQ(d.Cancel(id, "not needed")->state, JobState::kRunning);
    worker.Look();
    ASSERT_EQ(worker.news.stopped.size(), 1u);
    EXPECT_THAT(worker.news.stopped[0].why.message(), HasSubstr("not needed"));
    worker.Succeed(lease);
    EXPECT_EQ(d.State(id), JobState::kCancelled);
  });
}

TEST_F(LeasesTest, AnAttemptThatDoesNotStopIsGivenUp) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    const JobId id = d.Submit("resize");
    const Lease lease = worker.Next();
    d.Cancel(id).status().ok();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(d.State(id), JobState::kRunning);
      worker.Say({}).ok();
      d.Advance(10s);
    }
    EXPECT_EQ(d.State(id), JobState::kCancelled);
    worker.Look();
    ASSERT_EQ(worker.news.revoked.size(), 1u);
    EXPECT_EQ(worker.news.revoked[0].ref, lease.ref);
  });
}

TEST_F(LeasesTest, AJobThatIsCancelledBeforeTheWorkerWasToldNeverComesThere) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    const JobId id = d.Submit("resize");
    d.Cancel(id).status().ok();
    worker.Look();
    EXPECT_TRUE(worker.news.given.empty());
    EXPECT_EQ(d.State(id), JobState::kCancelled);
    EXPECT_EQ(d.Pool().workers_busy, 0);
  });
}

TEST_F(LeasesTest, AnAttemptThatRunsTooLongIsToldToStop) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    JobSpec spec = d.Spec("resize");
    spec.run_timeout = 3s;
    spec.retry.max_attempts = 1;
    const JobId id = d.Submit(spec);
    const Lease lease = worker.Next();
    EXPECT_EQ(lease.run_timeout, Nanos(3s));
    d.Advance(3s);
    worker.Look();
    EXPECT_EQ(worker.news.stopped.at(0).why.reason(), "RUN_TIMEOUT");
    worker.Fail(lease, "interrupted");
    EXPECT_EQ(d.State(id), JobState::kFailed);
    EXPECT_EQ(d.History(id), "TIMED_OUT");
  });
}

// ---- Pools

TEST_F(LeasesTest, APausedPoolGivesNothingUntilItIsResumed) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    d.dispatcher.Pause("default").status().ok();
    const JobId id = d.Submit("resize");
    worker.Look();
    EXPECT_TRUE(worker.news.given.empty());
    d.dispatcher.Resume("default").status().ok();
    EXPECT_EQ(worker.Next().ref.job, id);
  });
}

TEST_F(LeasesTest, ADrainOfThePoolWaitsForWhatRunsElsewhere) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    d.Submit("resize");
    const Lease lease = worker.Next();
    DrainCall drained;
    ASSERT_TRUE(d.dispatcher.Drain("default", &drained).ok());
    EXPECT_FALSE(drained.told);
    worker.Succeed(lease);
    drained.Await();
    EXPECT_EQ(drained.pool.state, dispatch::PoolState::kDrained);
  });
}

TEST_F(LeasesTest, WithoutAPoolForThemWorkersAreToldHowToMakeOne) {
  setup.pools = {{.name = "default"}};
  Run([](DispatchFixture& d) {
    auto entered = d.dispatcher.leases().Enter(Offer("a"), nullptr);
    EXPECT_EQ(entered.status().reason(), "NO_REMOTE_POOL");
    EXPECT_THAT(entered.status().message(), HasSubstr("runner = \"remote\""));
  });
}

TEST_F(LeasesTest, OffersThatMakeNoSenseAreRefusedByField) {
  Run([](DispatchFixture& d) {
    const auto field = [&](WorkerOffer offer) { return d.dispatcher.leases().Enter(offer, nullptr).status().field(); };
    WorkerOffer offer = Offer("a");
    offer.worker = "two words";
    EXPECT_EQ(field(offer), "worker");
    offer.worker = "bell\a";
    EXPECT_EQ(field(offer), "worker");
    EXPECT_EQ(field(Offer("")), "instance_key");
    EXPECT_EQ(field(Offer("a", {})), "kinds");
    EXPECT_EQ(field(Offer("a", std::vector<std::string>(10'000, "k"))), "kinds");
    EXPECT_EQ(field(Offer("a", {"k", "k"})), "kinds[0]");
    EXPECT_EQ(field(Offer("a", {"k", "no kind"})), "kinds[1]");
    EXPECT_EQ(field(Offer("a", {"k"}, 0)), "slots");
    EXPECT_EQ(field(Offer("a", {"k"}, 10'001)), "slots");
  });
}

// ---- The journal

TEST_F(LeasesTest, AWorkerIsToldOnceTheStartIsCommittedAndItsEndIsAcknowledgedWhenThatIs) {
  SlowJournal journal;
  setup.journal = &journal;
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(1);
    SubmitCall call;
    call.items.push_back({d.Spec("resize"), ""});
    d.dispatcher.Submit(&call);
    journal.Commit();
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

TEST_F(LeasesTest, LeasesDoNotRunOutWhileTheDiskFails) {
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

TEST_F(LeasesTest, ARestartGivesEachLeaseAWholeNewPeriodAndWorkersComeBackForThem) {
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

TEST_F(LeasesTest, AResultWhoseAcknowledgementWasLostIsAcknowledgedAgainAlsoByTheNextDaemon) {
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

TEST_F(LeasesTest, AJobThatIsColdIsReadForTheWorker) {
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
