// Remote workers: who gets which job, and how it ends.
#include "dispatch/leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/leases_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Lease;
using dispatch::WorkerOffer;
using testing::HasSubstr;

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

}  // namespace
}  // namespace millrace::test
