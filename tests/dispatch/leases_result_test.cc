// Results that are too large for the messages of a worker.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/leases_fixture.h"
#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using dispatch::Lease;
using dispatch::LeaseRef;

std::string TextOf(const Result<Bytes>& bytes) {
  if (!bytes.ok()) return bytes.status().reason();
  return *bytes ? **bytes : "";
}

class LeasesResult : public LeasesTest {
 protected:
  LeasesResult() { setup.options.result_bytes_max = size_t{4} << 20; }

  const std::string large_ = std::string(size_t{3} << 20, 'r');
  static constexpr int64_t kLarge = int64_t{3} << 20;
};

TEST_F(LeasesResult, ALargeResultEndsItsAttemptAndIsReadByThoseWhoAskForIt) {
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    const JobId id = d.Submit("resize");
    EXPECT_EQ(d.dispatcher.ReadResult(id).status().reason(), "NO_RESULT");
    const Lease lease = worker.Next();
    EXPECT_TRUE(*d.dispatcher.leases().AwaitsResult(lease.ref, kLarge));
    EXPECT_TRUE(d.WriteResult(lease.ref, large_).ok());
    worker.AwaitAck(lease.ref);
    const JobSnapshot job = d.Get(id);
    EXPECT_EQ(job.state, JobState::kSucceeded);
    EXPECT_EQ(job.result, nullptr) << "it is left out of every look at the job";
    EXPECT_EQ(job.result_bytes, kLarge);
    EXPECT_EQ(d.List({.limit = 1, .full = true}).at(0).result, nullptr);
    EXPECT_TRUE(TextOf(d.dispatcher.ReadResult(id)) == large_);
    EXPECT_EQ(TextOf(d.dispatcher.ReadResult(id,
                                             [](int64_t bytes) {
                                               EXPECT_EQ(bytes, kLarge);
                                               return ResourceExhausted("SERVER_BUSY", "no room");
                                             })),
              "SERVER_BUSY");
    EXPECT_EQ(d.dispatcher.ReadResult({1, 2}).status().reason(), "JOB_NOT_FOUND");
  });
}

TEST_F(LeasesResult, ASmallResultIsReadInTheSameWay) {
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    const JobId small = d.Submit("resize"), empty = d.Submit("resize");
    worker.Succeed(worker.Next(), "42");
    EXPECT_TRUE(d.WriteResult(worker.Next().ref, "").ok()) << "it may be written as well";
    d.Await(small);
    d.Await(empty);
    EXPECT_EQ(TextOf(d.dispatcher.ReadResult(small)), "42");
    EXPECT_EQ(TextOf(d.dispatcher.ReadResult(empty)), "");
    EXPECT_EQ(d.Get(small).result_bytes, 2);
  });
}

TEST_F(LeasesResult, OneThatIsTooLargeIsRefusedAndItsAttemptGoesOn) {
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    const JobId id = d.Submit("resize");
    const Lease lease = worker.Next();
    const Status refused = d.dispatcher.leases().AwaitsResult(lease.ref, (int64_t{4} << 20) + 1).status();
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(refused.reason(), "RESULT_TOO_LARGE");
    EXPECT_EQ(d.Get(id).state, JobState::kRunning);
    worker.Succeed(lease);
    d.Await(id);
  });
}

TEST_F(LeasesResult, OnlyTheWordOfWhoeverHoldsTheAttemptCounts) {
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    JobSpec spec = d.Spec("resize");
    spec.retry.initial_backoff = Nanos(0);
    const JobId id = d.Submit(spec);
    const Lease first = worker.Next();
    LeaseRef wrong = first.ref;
    ++wrong.claim.token;
    worker.Fail(first);
    const Lease second = worker.Next();
    for (const LeaseRef& ref : {wrong, first.ref}) {
      EXPECT_EQ(d.WriteResult(ref, "late").reason(), "LEASE_LOST");
      EXPECT_EQ(d.dispatcher.leases().AwaitsResult(ref, 1).status().reason(), "LEASE_LOST");
    }
    EXPECT_EQ(d.Get(id).state, JobState::kRunning);
    EXPECT_TRUE(d.WriteResult(second.ref, large_).ok());
    EXPECT_FALSE(*d.dispatcher.leases().AwaitsResult(second.ref, kLarge)) << "it was told already";
    EXPECT_TRUE(d.WriteResult(second.ref, "something else").ok()) << "a repeat is answered, and changes nothing";
    EXPECT_TRUE(TextOf(d.dispatcher.ReadResult(id)) == large_);
  });
}

TEST_F(LeasesResult, AJobThatWasCancelledMeanwhileHasNone) {
  Run([&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    const JobId id = d.Submit("resize");
    const Lease lease = worker.Next();
    EXPECT_TRUE(*d.dispatcher.leases().AwaitsResult(lease.ref, kLarge));
    DispatchFixture::Require(d.Cancel(id).status());
    EXPECT_TRUE(d.WriteResult(lease.ref, large_).ok());
    d.Await(id);
    EXPECT_EQ(d.Get(id).state, JobState::kCancelled);
    EXPECT_EQ(d.Get(id).result_bytes, 0);
    EXPECT_EQ(d.dispatcher.ReadResult(id).status().reason(), "NO_RESULT");
  });
}

TEST_F(LeasesResult, WhileItComesTheAttemptNeedNotShowAnything) {
  Run([&](DispatchFixture& d) {
    dispatch::WorkerOffer offer = Offer("a");
    offer.kinds[0].beat_within = std::chrono::seconds(2);
    FakeWorker worker(d, offer);
    worker.Grant(8);
    d.Submit("resize");
    const Lease lease = worker.Next();
    EXPECT_TRUE(*d.dispatcher.leases().AwaitsResult(lease.ref, kLarge));
    d.Advance(std::chrono::seconds(10));
    worker.Look();
    EXPECT_TRUE(worker.news.stopped.empty());
    d.Advance(std::chrono::seconds(10));
    worker.Look();
    ASSERT_EQ(worker.news.stopped.size(), 1u) << "it takes too long by now";
    EXPECT_EQ(worker.news.stopped[0].why.reason(), "NO_BEAT");
    worker.Succeed(lease);
  });
}

TEST_F(LeasesResult, ALargeResultOutlivesTheDaemonAndSoDoesTheAttemptThatWritesIt) {
  JobId ended, running;
  Lease lease;
  Lives(
      [&](DispatchFixture& d) {
        FakeWorker worker(d, Offer("a"));
        worker.Grant(8);
        ended = d.Submit("resize");
        EXPECT_TRUE(d.WriteResult(worker.Next().ref, large_).ok());
        running = d.Submit("resize");
        lease = worker.Next();
        worker.Forget();
      },
      [&](DispatchFixture& d) {
        EXPECT_TRUE(TextOf(d.dispatcher.ReadResult(ended)) == large_);
        // Nobody has come back for it yet, and the token is enough.
        EXPECT_TRUE(*d.dispatcher.leases().AwaitsResult(lease.ref, kLarge));
        EXPECT_TRUE(d.WriteResult(lease.ref, large_).ok());
        EXPECT_TRUE(TextOf(d.dispatcher.ReadResult(running)) == large_);
      });
}

TEST_F(LeasesResult, TheAnswerComesWithTheCommitAndUntilThenTheJobRuns) {
  SlowJournal journal;
  setup.journal = &journal;
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a"));
    worker.Grant(8);
    const JobId id = SubmitTo(d, journal, d.Spec("resize"));
    while (journal.Appended(id) != JobState::kRunning) rt::Yield();
    journal.Commit();
    const Lease lease = worker.Next();
    const int64_t before = d.dispatcher.Stats().process_bytes;
    VerbCall first, repeat, given_up;
    const Bytes result = MakeBytes(large_);
    d.dispatcher.WriteResult(lease.ref, result, {}, &first);
    EXPECT_EQ(d.Get(id).state, JobState::kRunning);
    EXPECT_EQ(d.dispatcher.ReadResult(id).status().reason(), "NO_RESULT");
    EXPECT_GE(d.dispatcher.Stats().process_bytes - before, kLarge) << "it is in memory, and counts";
    for (VerbCall* call : {&repeat, &given_up}) d.dispatcher.WriteResult(lease.ref, result, {}, call);
    EXPECT_TRUE(d.dispatcher.Abandon(&given_up));
    EXPECT_FALSE(first.answered() || repeat.answered());
    journal.Commit();
    first.Await();
    EXPECT_TRUE(first.status.ok());
    while (!repeat.answered()) journal.Commit();
    EXPECT_TRUE(repeat.status.ok());
    EXPECT_FALSE(given_up.answered());
    EXPECT_TRUE(TextOf(d.dispatcher.ReadResult(id)) == large_);
    EXPECT_LT(d.dispatcher.Stats().process_bytes, before);
  });
}

}  // namespace
}  // namespace millrace::test
