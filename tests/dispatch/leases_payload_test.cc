// The things that travel beside a lease: checkpoints, and payloads that are too large for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/support/placement_fixture.h"
#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using dispatch::Lease;
using dispatch::WorkerOffer;
using testing::HasSubstr;
using testing::IsEmpty;
using LeasesPayload = PlacementTest;

// ---- Checkpoints

TEST_F(LeasesPayload, WhatAnAttemptSavedItsNextOneGets) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    JobSpec spec = d.Spec("resize");
    spec.retry.initial_backoff = Nanos(0);
    const JobId id = d.Submit(spec);
    Lease lease = worker.Next();
    EXPECT_EQ(lease.checkpoint, nullptr);
    const auto save = [&](std::string bytes) {
      dispatch::WorkerWords words;
      words.shown.push_back({.ref = lease.ref, .progress = {}, .log = {}, .checkpoint = std::move(bytes)});
      DispatchFixture::Require(worker.Say(std::move(words)));
    };
    save("page 1");
    save("page 2");
    EXPECT_EQ(d.Get(id).checkpoint_bytes, 6);
    save(std::string(kCheckpointBytesMax + 1, 'x'));
    ASSERT_EQ(worker.refused.size(), 1u);
    EXPECT_EQ(worker.refused[0].why.reason(), "CHECKPOINT_TOO_LARGE");
    worker.Fail(lease);
    lease = worker.Next();
    ASSERT_NE(lease.checkpoint, nullptr);
    EXPECT_EQ(*lease.checkpoint, "page 2");
    save("");
    worker.Fail(lease);
    lease = worker.Next();
    EXPECT_EQ(lease.checkpoint, nullptr);
    save("again");
    worker.Succeed(lease);
    EXPECT_EQ(d.Get(id).checkpoint_bytes, 0) << "nobody needs it any more";
  });
}

TEST_F(LeasesPayload, ACheckpointOutlivesTheDaemonAndALostWorker) {
  JobId id;
  Lives(
      [&](DispatchFixture& d) {
        FakeWorker worker(d, Offer("a"));
        worker.Grant(8);
        id = d.Submit("resize");
        const Lease lease = worker.Next();
        dispatch::WorkerWords words;
        words.shown.push_back({.ref = lease.ref, .progress = {}, .log = {}, .checkpoint = "half"});
        DispatchFixture::Require(worker.Say(std::move(words)));
        worker.Forget();
      },
      [&](DispatchFixture& d) {
        FakeWorker worker(d, Offer("b"));
        worker.Grant(8);
        d.Advance(dispatch::LeaseOptions{}.lease);
        const Lease lease = worker.Next();
        EXPECT_EQ(lease.ref.job, id);
        ASSERT_NE(lease.checkpoint, nullptr);
        EXPECT_EQ(*lease.checkpoint, "half");
      });
}

TEST(Checkpoints, HoweverFastTheyAreSavedOneAtATimeIsWrittenAndTheNewestIsTheLast) {
  SlowJournal journal;
  WithSlow(journal, {}, [&](DispatchFixture& d) {
    const JobId id = SubmitTo(d, journal, d.Spec("hold"));
    FakeRunner::Held held = Begin(d, journal);
    const int before = journal.parts();
    for (int i = 1; i <= 1000; ++i) ASSERT_TRUE(held.context().SaveCheckpoint(std::to_string(i)).ok());
    EXPECT_EQ(journal.parts() - before, 1);
    journal.Commit();
    EXPECT_EQ(journal.parts() - before, 2);
    journal.Commit();
    EXPECT_EQ(*(*journal.Read(id, dispatch::Journal::Part::kWhole))->checkpoint, "1000");
    held.Succeed();
    while (journal.Appended(id) != JobState::kSucceeded) rt::Yield();
    journal.Commit();
    EXPECT_EQ(journal.parts() - before, 3) << "nothing more was written of checkpoints";
  });
}

TEST(Checkpoints, ANativeHandlerSavesOneAsWell) {
  WithDispatcher({}, [](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.retry.initial_backoff = Nanos(0);
    const JobId id = d.Submit(spec);
    FakeRunner::Held held = d.runner.Next();
    EXPECT_EQ(held.context().checkpoint(), nullptr);
    EXPECT_EQ(held.context().SaveCheckpoint(std::string(kCheckpointBytesMax + 1, 'x')).reason(),
              "CHECKPOINT_TOO_LARGE");
    EXPECT_TRUE(held.context().SaveCheckpoint("so far").ok());
    held.Fail();
    held = d.runner.Next();
    EXPECT_EQ(held.id(), id);
    ASSERT_NE(held.context().checkpoint(), nullptr);
    EXPECT_EQ(*held.context().checkpoint(), "so far");
    held.Succeed();
  });
}

// ---- Large payloads

TEST_F(LeasesPayload, ALargePayloadIsLeftOutForAWorkerThatReadsItApart) {
  Run([](DispatchFixture& d) {
    WorkerOffer offer = Offer("a");
    offer.reads_payloads = true;
    FakeWorker worker(d, offer);
    worker.Grant(8);
    const std::string large(dispatch::kLeaseInlineBytes + 1, 'x');
    d.Submit("resize", large);
    const Lease lease = worker.Next();
    EXPECT_EQ(lease.payload_apart, static_cast<int64_t>(large.size()));
    auto payload = d.dispatcher.leases().ReadPayload(lease.ref);
    DispatchFixture::Require(payload.status());
    EXPECT_EQ(**payload, large);
    dispatch::LeaseRef wrong = lease.ref;
    ++wrong.claim.token;
    EXPECT_EQ(d.dispatcher.leases().ReadPayload(wrong).status().reason(), "LEASE_LOST");
    worker.Succeed(lease);
    EXPECT_EQ(d.dispatcher.leases().ReadPayload(lease.ref).status().reason(), "LEASE_LOST");
    d.Submit("resize", "small");
    EXPECT_EQ(worker.Next().payload_apart, 0);
  });
}

TEST_F(LeasesPayload, ALargePayloadTakesNoMemoryWhileItsJobRunsElsewhere) {
  Run([](DispatchFixture& d) {
    WorkerOffer offer = Offer("a");
    offer.reads_payloads = true;
    auto worker = std::make_unique<FakeWorker>(d, offer);
    worker->Grant(8);
    const std::string large(size_t{1} << 20, 'x');
    JobSpec spec = d.Spec("resize", large);
    spec.retry.initial_backoff = Nanos(0);
    const JobId id = d.Submit(spec);
    Lease lease = worker->Next();
    EXPECT_LT(d.dispatcher.Stats().process_bytes, int64_t{1} << 16);
    EXPECT_EQ(PayloadOf(*d.Get(id).spec), large) << "whoever looks sees it";
    EXPECT_EQ(PayloadOf(*d.List({.limit = 1, .full = true}).at(0).spec), large);
    worker->Fail(lease);
    lease = worker->Next();
    EXPECT_EQ(lease.ref.claim.attempt, 2);
    EXPECT_EQ(**d.dispatcher.leases().ReadPayload(lease.ref), large);
    worker->Leave(dispatch::Leases::Leaving::kGoodbye);
    FakeWorker old(d, Offer("old"));  // Its library reads no payload apart.
    old.Grant(8);
    lease = old.Next();
    EXPECT_EQ(lease.payload_apart, 0);
    EXPECT_EQ(PayloadOf(*lease.spec), large);
    old.Succeed(lease);
    EXPECT_EQ(PayloadOf(*d.Get(id).spec), large);
  });
}

TEST_F(LeasesPayload, AfterARestartALargePayloadIsReadBySomebodyElse) {
  const std::string large(size_t{1} << 20, 'x');
  WorkerOffer offer = Offer("a");
  offer.reads_payloads = true;
  Lives(
      [&](DispatchFixture& d) {
        FakeWorker worker(d, offer);
        worker.Grant(8);
        d.Submit("resize", large);
        worker.Next();
        worker.Forget();
      },
      [&](DispatchFixture& d) {
        EXPECT_LT(d.dispatcher.Stats().process_bytes, int64_t{1} << 16);
        offer.key = "b";
        FakeWorker worker(d, offer);
        worker.Grant(8);
        d.Advance(dispatch::LeaseOptions{}.lease);
        const Lease lease = worker.Next();
        EXPECT_EQ(lease.payload_apart, static_cast<int64_t>(large.size()));
        EXPECT_EQ(**d.dispatcher.leases().ReadPayload(lease.ref), large);
        worker.Succeed(lease);
        EXPECT_EQ(PayloadOf(*d.Get(lease.ref.job).spec), large);
      });
}

TEST_F(LeasesPayload, APayloadThatAnOldWorkerCannotTakeFailsItsAttemptWithAClearWord) {
  setup.options.payload_bytes_max = size_t{8} << 20;
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    JobSpec spec = d.Spec("resize", std::string(dispatch::kLeasePayloadBytesMax + 1, 'x'));
    spec.retry.max_attempts = 1;
    const JobId id = d.Submit(spec);
    EXPECT_EQ(d.State(id), JobState::kQueued) << "it waits for another worker, until this one asks";
    worker.Grant(8);
    while (d.State(id) != JobState::kFailed) {
      worker.Look();
      rt::Yield();
    }
    EXPECT_THAT(worker.news.given, IsEmpty());
    EXPECT_THAT(d.Get(id).error, HasSubstr("payload_ref"));
  });
}

}  // namespace
}  // namespace millrace::test
