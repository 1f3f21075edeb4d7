// Which worker gets which job: by labels, by what a kind takes of its slots, by an operator's word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/support/placement_fixture.h"

namespace millrace::test {
namespace {

using dispatch::Lease;
using dispatch::WorkerOffer;
using dispatch::WorkerState;
using dispatch::WorkerStatus;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Reason = millrace::Waiting::Reason;
using LeasesPlacement = PlacementTest;

// ---- Labels

TEST_F(LeasesPlacement, AJobGoesToAWorkerThatHasAllLabelsThatItRequires) {
  Run([](DispatchFixture& d) {
    FakeWorker plain(d, Offer("plain")), half(d, Labelled("half", {{"gpu", "a100"}})),
        whole(d, Labelled("whole", {{"gpu", "a100"}, {"zone", "b"}}));
    for (FakeWorker* each : {&plain, &half, &whole}) each->Grant(8);
    std::vector<JobId> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(d.Submit(Requiring(d, {{"zone", "b"}, {"gpu", "a100"}})));
    EXPECT_THAT(Given(whole), testing::ElementsAreArray(ids));
    EXPECT_THAT(Given(half), IsEmpty());
    EXPECT_THAT(Given(plain), IsEmpty());
  });
}

TEST_F(LeasesPlacement, AJobThatNobodyHasTheLabelsForWaitsAndHoldsUpNobody) {
  Run([](DispatchFixture& d) {
    FakeWorker plain(d, Offer("plain"));
    const JobId picky = d.Submit(Requiring(d, {{"gpu", "h100"}}));
    const JobId easy = d.Submit("resize");
    plain.Grant(8);
    EXPECT_THAT(Given(plain), ElementsAre(easy));
    EXPECT_EQ(Why(d, picky).reason, Reason::kNoLabels);
    EXPECT_THAT(Why(d, picky).message, HasSubstr("gpu=h100"));
    FakeWorker fitting(d, Labelled("fits", {{"gpu", "h100"}}));
    fitting.Grant(1);
    EXPECT_THAT(Given(fitting), ElementsAre(picky));
  });
}

TEST_F(LeasesPlacement, TheNameAndTheBuildOfAWorkerAreLabels) {
  Run([](DispatchFixture& d) {
    WorkerOffer old = Offer("old"), newer = Offer("new");
    old.build_id = "1.0";
    newer.build_id = "1.1";
    FakeWorker a(d, old), b(d, newer);
    a.Grant(8);
    b.Grant(8);
    const JobId pinned = d.Submit(Requiring(d, {{"build", "1.1"}}));
    const JobId named = d.Submit(Requiring(d, {{"worker", "worker-old"}}));
    EXPECT_THAT(Given(b), ElementsAre(pinned));
    EXPECT_THAT(Given(a), ElementsAre(named));
  });
}

TEST_F(LeasesPlacement, AWorkerThatIsPreferredGetsTheJobWhileItHasASlot) {
  Run([](DispatchFixture& d) {
    FakeWorker a(d, Offer("a", {"resize"}, 1)), b(d, Offer("b", {"resize"}, 2)), c(d, Offer("c", {"resize"}, 1));
    for (FakeWorker* each : {&a, &b, &c}) each->Grant(8);
    const LabelSet sticky{{"worker", "worker-b"}};
    const JobId first = d.Submit(Requiring(d, {}, sticky));
    const JobId second = d.Submit(Requiring(d, {}, sticky));
    EXPECT_THAT(Given(b), ElementsAre(first, second));
    d.Submit(Requiring(d, {}, sticky));
    EXPECT_EQ(Given(a).size() + Given(c).size(), 1u) << "it has no slot, so another one runs it";
  });
}

TEST_F(LeasesPlacement, JobsThatRequireLabelsComeInTheirOrderAmongOthers) {
  Run([](DispatchFixture& d) {
    std::vector<JobId> ids;
    for (int i = 0; i < 6; ++i) ids.push_back(d.Submit(i % 2 == 0 ? d.Spec("resize") : Requiring(d, {{"x", "1"}})));
    d.Submit(Requiring(d, {{"x", "2"}}));
    FakeWorker worker(d, Labelled("a", {{"x", "1"}}));
    worker.Grant(6);
    EXPECT_THAT(Given(worker), testing::ElementsAreArray(ids));
  });
}

TEST_F(LeasesPlacement, AfterARestartAJobRequiresWhatItRequired) {
  JobId id;
  Lives(
      [&](DispatchFixture& d) {
        id = d.Submit(Requiring(d, {{"gpu", "a100"}}));
      },
      [&](DispatchFixture& d) {
        FakeWorker plain(d, Offer("plain"));
        plain.Grant(8);
        EXPECT_THAT(Given(plain), IsEmpty());
        FakeWorker fitting(d, Labelled("fits", {{"gpu", "a100"}}));
        fitting.Grant(8);
        EXPECT_EQ(fitting.Next().ref.job, id);
      });
}

TEST_F(LeasesPlacement, LabelsAreRefusedWhereTheDaemonRunsTheJobsItself) {
  setup.pools.push_back({.name = "native"});
  Run([](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop");
    spec.pool = "native";
    spec.placement.require = {{"gpu", "a100"}};
    EXPECT_EQ(d.TrySubmit(spec).reason(), "PLACEMENT_NOT_REMOTE");
  });
}

TEST_F(LeasesPlacement, WhatAWorkerSaysOfItselfIsChecked) {
  Run([](DispatchFixture& d) {
    const auto field_of = [&](const WorkerOffer& offer) {
      auto entered = d.dispatcher.leases().Enter(offer, nullptr);
      EXPECT_EQ(entered.status().reason(), "BAD_WORKER");
      return entered.status().field();
    };
    EXPECT_EQ(field_of(Labelled("a", {{"worker", "other"}})), "labels");
    EXPECT_EQ(field_of(Labelled("a", {{"bad\nname", "x"}})), "labels");
    EXPECT_EQ(field_of(Labelled("a", {{"name", "bad\x01value"}})), "labels");
    WorkerOffer offer = Offer("a", {"resize"}, 4);
    offer.kinds[0].slots = 5;
    EXPECT_EQ(field_of(offer), "kinds[0].slots");
    offer.kinds[0].slots = 0;
    EXPECT_EQ(field_of(offer), "kinds[0].slots");
    offer.kinds[0] = {.name = "resize", .at_once_max = -1};
    EXPECT_EQ(field_of(offer), "kinds[0].at_once_max");
    offer = Offer("a");
    offer.build_id = "with space";
    EXPECT_EQ(field_of(offer), "build_id");
  });
}

// ---- What a kind takes

TEST_F(LeasesPlacement, AKindTakesOfTheSlotsWhatItsOfferSays) {
  Run([](DispatchFixture& d) {
    WorkerOffer offer = Offer("a", {"resize", "train"}, 8);
    offer.kinds[1].slots = 3;
    FakeWorker worker(d, offer);
    for (int i = 0; i < 3; ++i) d.Submit("train");
    for (int i = 0; i < 3; ++i) d.Submit("resize");
    worker.Grant(5);
    EXPECT_EQ(Given(worker).size(), 1u) << "three are taken, and the next one needs three";
    worker.Grant(8);
    EXPECT_EQ(Given(worker).size(), 2u);
    const Lease train = worker.Next();
    worker.Succeed(train);
    EXPECT_EQ(Given(worker).size(), 1u) << "it has granted eight in all, and six of these were taken";
    worker.Grant(9);
    EXPECT_EQ(Given(worker).size(), 2u);
    EXPECT_EQ(d.dispatcher.leases().GetWorker("worker-a")->slots_used, 6);
    worker.Grant(100);
    EXPECT_EQ(Given(worker).size(), 4u) << "two small ones find room beside two large ones";
    EXPECT_EQ(d.dispatcher.leases().GetWorker("worker-a")->slots_used, 8);
  });
}

TEST_F(LeasesPlacement, SmallJobsDoNotKeepALargeOneWaitingForEver) {
  Run([](DispatchFixture& d) {
    WorkerOffer offer = Offer("a", {"small", "large"}, 4);
    offer.kinds[1].slots = 4;
    FakeWorker worker(d, offer);
    worker.Grant(1000);
    for (int i = 0; i < 4; ++i) d.Submit("small");
    const JobId large = d.Submit("large");
    for (int i = 0; i < 8; ++i) d.Submit("small");
    for (int i = 0; i < 3; ++i) {
      const Lease small = worker.Next();
      worker.Succeed(small);
      EXPECT_EQ(Given(worker).size(), static_cast<size_t>(3 - i)) << "what is free is kept for the large one";
    }
    EXPECT_EQ(Why(d, large).reason, Reason::kNoSlot);
    worker.Succeed(worker.Next());
    EXPECT_THAT(Given(worker), ElementsAre(large));
  });
}

TEST_F(LeasesPlacement, ALargeJobGetsItsTurnBesideAnotherPoolAndBetterBands) {
  setup.pools.push_back({.name = "other", .runner = "remote"});
  for (const bool other_pool : {true, false}) {
    Run([&](DispatchFixture& d) {
      WorkerOffer offer = Offer("a", {"small", "large"}, 4);
      offer.kinds[1].slots = 4;
      FakeWorker worker(d, offer);
      worker.Grant(1'000'000);
      JobSpec small = d.Spec("small"), large = d.Spec("large");
      if (other_pool) small.pool = "other";
      if (!other_pool) large.band = Band::kLow;
      for (int i = 0; i < 4; ++i) d.Submit(small);
      const JobId id = d.Submit(large);
      // One small job comes for each that ends.
      int ended = 0;
      while (d.State(id) == JobState::kQueued && ended < 200) {
        d.Submit(small);
        worker.Succeed(worker.Next());
        ++ended;
        worker.Look();
      }
      EXPECT_LT(ended, 200) << (other_pool ? "small jobs of another pool" : "small jobs of a better band")
                            << " kept a large one waiting";
      EXPECT_THAT(Given(worker), testing::Contains(id));
    });
  }
}

TEST_F(LeasesPlacement, SlotsThatWereKeptForAJobThatWentElsewhereAreUsed) {
  Run([](DispatchFixture& d) {
    WorkerOffer offer = Offer("a", {"small", "large"}, 4);
    offer.kinds[1].slots = 4;
    FakeWorker worker(d, offer);
    worker.Grant(1000);
    d.Submit("small");
    const JobId large = d.Submit("large");
    const JobId small = d.Submit("small");
    EXPECT_EQ(Given(worker).size(), 1u);
    ASSERT_TRUE(d.Cancel(large, "").ok());
    EXPECT_THAT(Given(worker), testing::Contains(small)) << "nothing is kept any more";
  });
}

TEST_F(LeasesPlacement, OfAKindNoMoreRunAtOnceThanItsOfferSays) {
  Run([](DispatchFixture& d) {
    WorkerOffer offer = Offer("a", {"resize", "mail"}, 8);
    offer.kinds[1].at_once_max = 2;
    FakeWorker worker(d, offer);
    worker.Grant(100);
    for (int i = 0; i < 4; ++i) d.Submit("mail");
    for (int i = 0; i < 3; ++i) d.Submit("resize");
    EXPECT_EQ(Given(worker).size(), 5u);
    const Lease mail = worker.Next();
    EXPECT_EQ(mail.spec->kind, "mail");
    worker.Succeed(mail);
    EXPECT_EQ(Given(worker).size(), 5u) << "another one took its place";
    worker.Grant(100);
    EXPECT_EQ(Given(worker).size(), 5u);
  });
}

TEST_F(LeasesPlacement, AnAttemptOfWhichNothingIsHeardIsStoppedAlthoughItsWorkerIsAlive) {
  using namespace std::chrono_literals;  // NOLINT: literals are made for this
  setup.options.leases.lease = std::chrono::hours(1);
  Run([](DispatchFixture& d) {
    WorkerOffer offer = Offer("a", {"resize", "quiet"});
    offer.kinds[0].beat_within = 10s;
    FakeWorker worker(d, offer);
    worker.Grant(8);
    JobSpec spec = d.Spec("resize");
    spec.retry.max_attempts = 1;
    const JobId id = d.Submit(spec);
    d.Submit("quiet");
    const Lease lease = worker.Next();
    worker.Next();
    for (int i = 0; i < 3; ++i) {
      d.Advance(9s);
      dispatch::WorkerWords words;
      words.shown.push_back({.ref = lease.ref, .progress = Progress{.fraction = 0.1 * i}, .log = {}, .checkpoint = {}});
      DispatchFixture::Require(worker.Say(std::move(words)));
    }
    d.Advance(9s);
    worker.Look();
    EXPECT_THAT(worker.news.stopped, IsEmpty());
    d.Advance(1s);
    worker.Look();
    ASSERT_EQ(worker.news.stopped.size(), 1u) << "the other kind may be quiet";
    EXPECT_EQ(worker.news.stopped[0].ref, lease.ref);
    EXPECT_EQ(worker.news.stopped[0].why.reason(), "NO_BEAT");
    worker.Fail(lease, "stopped");
    const JobSnapshot job = d.Get(id);
    EXPECT_EQ(job.state, JobState::kFailed);
    EXPECT_EQ(job.history.at(0).result, AttemptResult::kTimedOut);
    EXPECT_THAT(job.error, HasSubstr("beat_within"));
  });
}

// ---- Looking at workers, and draining them

TEST_F(LeasesPlacement, WorkersAreListedOldestFirstAndPageByPage) {
  Run([](DispatchFixture& d) {
    std::deque<FakeWorker> workers;
    for (const char* key : {"a", "b", "c"}) workers.emplace_back(d, Offer(key, {std::string(key) + "-kind"}));
    const dispatch::Leases& leases = d.dispatcher.leases();
    const auto names = [](const dispatch::WorkersPage& page) {
      std::vector<std::string> found;
      for (const WorkerStatus& each : page.workers) found.push_back(each.name);
      return found;
    };
    const dispatch::WorkersPage first = leases.Workers({.limit = 2});
    EXPECT_THAT(names(first), ElementsAre("worker-a", "worker-b"));
    EXPECT_TRUE(first.more);
    const dispatch::WorkersPage rest = leases.Workers({.limit = 2, .after = first.workers.back().id});
    EXPECT_THAT(names(rest), ElementsAre("worker-c"));
    EXPECT_FALSE(rest.more);
    EXPECT_THAT(names(leases.Workers({.kind = "b-kind"})), ElementsAre("worker-b"));
  });
}

TEST_F(LeasesPlacement, AWorkerIsFoundByItsNameAndShowsWhatItHolds) {
  Run([](DispatchFixture& d) {
    FakeWorker worker(d, Offer("a")), twin(d, Offer("a2"));
    worker.Grant(1);
    const JobId id = d.Submit("resize");
    worker.Next();
    const auto& leases = d.dispatcher.leases();
    auto status = leases.GetWorker("worker-a");
    DispatchFixture::Require(status.status());
    ASSERT_EQ(status->held.size(), 1u);
    EXPECT_EQ(status->held[0].job, id);
    EXPECT_EQ(status->held[0].kind, "resize");
    EXPECT_TRUE(status->held[0].accepted);
    EXPECT_EQ(status->attempts_given, 1);
    EXPECT_EQ(status->state, WorkerState::kConnected);
    EXPECT_EQ(leases.GetWorker(status->id.ToString())->name, "worker-a");
    EXPECT_EQ(leases.GetWorker("nobody").status().reason(), "UNKNOWN_WORKER");
    WorkerOffer same_name = Offer("a3");
    same_name.worker = "worker-a2";
    FakeWorker third(d, same_name);
    EXPECT_EQ(leases.GetWorker("worker-a2").status().reason(), "AMBIGUOUS_WORKER");
    worker.Break();
    EXPECT_EQ(leases.GetWorker("worker-a")->state, WorkerState::kAway);
  });
}

TEST_F(LeasesPlacement, AWorkerThatIsDrainedGetsNoMoreUntilItIsResumedAlsoWhenItComesBack) {
  Run([](DispatchFixture& d) {
    auto worker = std::make_unique<FakeWorker>(d, Offer("a"));
    worker->Grant(8);
    d.Submit("resize");
    const Lease held = worker->Next();
    auto& leases = d.dispatcher.leases();
    auto drained = leases.SetDrained("worker-a", true);
    DispatchFixture::Require(drained.status());
    EXPECT_EQ(drained->state, WorkerState::kDraining);
    worker->Look();
    EXPECT_EQ(worker->news.drained, true);
    const JobId waits = d.Submit("resize");
    EXPECT_THAT(Given(*worker), IsEmpty());
    EXPECT_EQ(Why(d, waits).reason, Reason::kNoWorker);
    EXPECT_EQ(d.Pool().workers, 0);
    worker->Break();
    FakeWorker again(d, Back("a", {{held.ref}}));
    again.Grant(8);
    EXPECT_THAT(Given(again), IsEmpty());
    EXPECT_EQ(again.news.drained, true);
    again.Succeed(held);
    EXPECT_EQ(leases.GetWorker("worker-a")->id, drained->id) << "it is the same process";
    DispatchFixture::Require(leases.SetDrained("worker-a", false).status());
    EXPECT_THAT(Given(again), ElementsAre(waits));
    EXPECT_EQ(again.news.drained, false);
    EXPECT_EQ(d.Pool().workers, 8);
  });
}

TEST_F(LeasesPlacement, AWorkerThatHoldsNothingStaysDrainedThroughAnyAbsence) {
  Run([](DispatchFixture& d) {
    auto& leases = d.dispatcher.leases();
    const auto come = [&] { return std::make_unique<FakeWorker>(d, Offer("a")); };
    auto worker = come();
    const Id id = leases.SetDrained("worker-a", true)->id;
    for (const Nanos absence : {Nanos(0), 2 * dispatch::LeaseOptions{}.resume_grace}) {
      worker->Break();
      d.Advance(absence);
      worker = come();
      worker->Grant(8);
      d.Submit("resize");
      EXPECT_THAT(Given(*worker), IsEmpty());
      EXPECT_EQ(worker->news.drained, true);
      EXPECT_EQ(leases.GetWorker("worker-a")->id, id);
    }
    DispatchFixture::Require(leases.SetDrained("worker-a", false).status());
    EXPECT_EQ(Given(*worker).size(), 2u);
    worker->Break();
    d.Advance(2 * dispatch::LeaseOptions{}.resume_grace);
    EXPECT_EQ(leases.GetWorker("worker-a").status().reason(), "UNKNOWN_WORKER");
  });
}

// ---- Why a job waits

TEST_F(LeasesPlacement, AJobSaysWhatItWaitsFor) {
  setup.pools.push_back({.name = "native", .workers = 1});
  Run([](DispatchFixture& d) {
    JobSpec spec = d.Spec("resize");
    spec.delay = std::chrono::hours(1);
    EXPECT_EQ(Why(d, d.Submit(spec)).reason, Reason::kTime);
    const JobId first = d.Submit("resize"), second = d.Submit("resize");
    EXPECT_EQ(Why(d, first).reason, Reason::kNoWorker);
    EXPECT_THAT(Why(d, first).message, HasSubstr("'resize'"));
    EXPECT_EQ(Why(d, first).jobs_ahead, 0);
    EXPECT_EQ(Why(d, second).jobs_ahead, 1);
    spec = d.Spec("resize");
    spec.band = Band::kLow;
    EXPECT_EQ(Why(d, d.Submit(spec)).jobs_ahead, 2);
    FakeWorker worker(d, Offer("a", {"resize"}, 1));
    worker.Grant(1);
    EXPECT_EQ(Why(d, first).message, "it does not wait");
    EXPECT_EQ(Why(d, second).reason, Reason::kNoSlot);
    EXPECT_EQ(Why(d, second).jobs_ahead, 0);
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    EXPECT_EQ(Why(d, second).reason, Reason::kPool);

    spec = d.Spec("hold");
    spec.pool = "native";
    spec.retry.initial_backoff = std::chrono::hours(1);
    spec.retry.multiplier = 1;
    const JobId retried = d.Submit(spec);
    FakeRunner::Held held = d.runner.Next();
    const JobId next = d.Submit(spec), after = d.Submit(spec);
    EXPECT_EQ(Why(d, next).reason, Reason::kNoSlot);
    EXPECT_EQ(Why(d, after).reason, Reason::kQueue);
    EXPECT_EQ(Why(d, after).jobs_ahead, 1);
    held.Fail();
    FakeRunner::Held other = d.runner.Next();
    EXPECT_EQ(Why(d, retried).reason, Reason::kRetry);
    other.Succeed();
    d.runner.Next().Succeed();
  });
}

}  // namespace
}  // namespace millrace::test
