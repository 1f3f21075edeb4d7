#include "dispatch/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::OnFull;
using dispatch::SubmitResult;
using testing::HasSubstr;

// A pool of one worker that is busy, with room for `capacity` jobs behind it.
class BusyPool {
 public:
  BusyPool(int64_t capacity_jobs, int64_t capacity_bytes = 1 << 20) {
    setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = capacity_jobs, .capacity_bytes = capacity_bytes}};
  }
  void Run(const std::function<void(DispatchFixture&, FakeRunner::Held&)>& body) {
    WithDispatcher(setup, [&](DispatchFixture& d) {
      while (d.TrySubmit(d.Spec("hold")).reason() == "QUEUE_FULL")
        rt::Yield();  // A rendezvous: until its worker is there.
      FakeRunner::Held busy = d.runner.Next();
      body(d, busy);
    });
  }
  DispatchSetup setup;
};

TEST(Admission, RefusesWhatDoesNotFitWithEveryNumber) {
  BusyPool(2).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    d.Submit("noop");
    d.Submit("noop");
    Status status = d.TrySubmit(d.Spec("noop"));
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(status.reason(), "QUEUE_FULL");
    EXPECT_THAT(status.message(), HasSubstr("pool 'default' is full: 2 of 2 jobs"));
    EXPECT_THAT(status.message(), HasSubstr("on_full: ON_FULL_WAIT"));
    EXPECT_EQ(status.metadata().at("depth_jobs"), "2");
    EXPECT_EQ(status.metadata().at("capacity_jobs"), "2");
    EXPECT_TRUE(status.retry_delay().has_value());
    EXPECT_EQ(d.PoolStats().submitted[static_cast<size_t>(SubmitResult::kQueueFull)], 1u);
    busy.Succeed();
  });
}

TEST(Admission, BoundsBytesAsWellAsJobs) {
  BusyPool(100, 10).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    d.Submit("noop", "12345678");
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", "123")).reason(), "QUEUE_FULL");
    EXPECT_TRUE(d.TrySubmit(d.Spec("noop", "12")).ok());
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", "12345678901")).reason(), "LARGER_THAN_POOL") << "waiting would be for ever";
    busy.Succeed();
  });
}

TEST(Admission, BoundsTheBytesOfTheWholeProcess) {
  DispatchSetup setup;
  setup.options.process_bytes_max = 3 * dispatch::kJobOverheadBytes;
  WithDispatcher(setup, [](DispatchFixture& d) {
    JobSpec delayed = d.Spec("noop");
    delayed.delay = 1h;
    JobId first = d.Submit(delayed);
    d.Submit(delayed);
    d.Submit(delayed);
    Status status = d.TrySubmit(delayed);
    EXPECT_EQ(status.reason(), "PROCESS_FULL");
    EXPECT_EQ(status.metadata().at("depth_bytes"), "3072");
    auto waits = Waiting(d, {delayed});
    EXPECT_FALSE(waits->answered());
    ASSERT_TRUE(d.Cancel(first, "").ok());
    waits->Await();
    EXPECT_TRUE(waits->status.ok());
    EXPECT_EQ(d.dispatcher.Stats().process_bytes, 3072);
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", std::string(5000, 'x'))).reason(), "LARGER_THAN_PROCESS");
  });
}

TEST(Admission, WaitersAreServedFirstComeFirstServed) {
  BusyPool(1).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    JobId queued = d.Submit("hold");
    auto first = Waiting(d, {d.Spec("hold")});
    auto second = Waiting(d, {d.Spec("hold")});
    EXPECT_EQ(d.Pool().waiting_submits, 2);
    EXPECT_EQ(d.TrySubmit(d.Spec("hold")).reason(), "QUEUE_FULL");
    busy.Succeed();  // The worker takes the queued job; its place goes to the first in line.
    FakeRunner::Held next = d.runner.Next();
    EXPECT_EQ(next.id(), queued);
    first->Await();
    EXPECT_TRUE(first->status.ok());
    EXPECT_FALSE(second->answered());
    next.Succeed();
    next = d.runner.Next();
    EXPECT_EQ(next.id(), first->acks[0].id);
    second->Await();
    next.Succeed();
  });
}

TEST(Admission, ACancelledJobMakesRoomAtOnce) {
  BusyPool(1).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    JobId queued = d.Submit("noop");
    auto waits = Waiting(d, {d.Spec("noop")});
    ASSERT_TRUE(d.Cancel(queued, "").ok());
    waits->Await();
    EXPECT_TRUE(waits->status.ok());
    busy.Succeed();
  });
}

TEST(Admission, ABatchIsAcceptedAsAWholeOrNotAtAll) {
  BusyPool(3).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    d.Submit("noop");
    SubmitCall batch;
    for (int i = 0; i < 3; ++i) batch.items.push_back({d.Spec("noop"), ""});
    d.dispatcher.Submit(&batch);
    batch.Await();
    EXPECT_EQ(batch.status.reason(), "QUEUE_FULL");
    EXPECT_EQ(d.Pool().queued_jobs, 1);
    EXPECT_EQ(d.List({}).size(), 2u);
    EXPECT_TRUE(d.TrySubmit(d.Spec("noop")).ok()) << "the places were given back";
    busy.Succeed();
  });
}

TEST(Admission, ABatchWaitsAsAUnitAndNobodyOvertakesIt) {
  BusyPool(3).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    std::vector<JobId> queued = {d.Submit("noop"), d.Submit("noop")};
    auto batch = Waiting(d, {d.Spec("noop"), d.Spec("noop"), d.Spec("noop")});
    EXPECT_EQ(d.TrySubmit(d.Spec("noop")).reason(), "QUEUE_FULL") << "one would fit, but the batch was first";
    ASSERT_TRUE(d.Cancel(queued[0], "").ok());
    EXPECT_FALSE(batch->answered());
    ASSERT_TRUE(d.Cancel(queued[1], "").ok());
    batch->Await();
    EXPECT_TRUE(batch->status.ok());
    EXPECT_EQ(d.Pool().queued_jobs, 3);
    EXPECT_LT(batch->acks[0].id, batch->acks[1].id);
    busy.Succeed();
  });
}

TEST(Admission, ABatchThatNeverFitsIsRefusedEvenIfItWouldWait) {
  BusyPool(2).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    auto batch = Waiting(d, {d.Spec("noop"), d.Spec("noop"), d.Spec("noop")});
    batch->Await();
    EXPECT_EQ(batch->status.reason(), "LARGER_THAN_POOL");
    busy.Succeed();
  });
}

TEST(Admission, AWaiterThatGivesUpLetsTheNextOnePass) {
  BusyPool(2).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    d.Submit("noop");
    auto big = Waiting(d, {d.Spec("noop"), d.Spec("noop")});
    auto small = Waiting(d, {d.Spec("noop")});
    EXPECT_FALSE(small->answered());
    EXPECT_TRUE(d.dispatcher.Abandon(big.get()));
    EXPECT_FALSE(d.dispatcher.Abandon(big.get()));
    small->Await();
    EXPECT_TRUE(small->status.ok());
    EXPECT_FALSE(big->answered());
    EXPECT_FALSE(d.dispatcher.Abandon(small.get())) << "it was answered";
    EXPECT_EQ(d.PoolStats().submitted[static_cast<size_t>(SubmitResult::kAbandoned)], 2u);
    busy.Succeed();
  });
}

TEST(Admission, ABatchMayGoToSeveralPools) {
  DispatchSetup setup;
  setup.pools = {{.name = "a", .workers = 1, .capacity_jobs = 1}, {.name = "b", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    auto in = [&](const char* pool) {
      JobSpec spec = d.Spec("noop");
      spec.pool = pool;
      return spec;
    };
    ASSERT_TRUE(d.dispatcher.Pause("a").ok());
    ASSERT_TRUE(d.dispatcher.Pause("b").ok());
    JobId a = d.Submit(in("a")), b = d.Submit(in("b"));
    auto both = Waiting(d, {in("a"), in("b")});
    EXPECT_EQ(d.Pool("a").waiting_submits, 1);
    ASSERT_TRUE(d.Cancel(a, "").ok());
    EXPECT_FALSE(both->answered());
    EXPECT_EQ(d.Pool("b").waiting_submits, 1) << "now it stands in line at the other one";
    EXPECT_EQ(d.Pool("a").queued_jobs, 0) << "and holds no place meanwhile";
    ASSERT_TRUE(d.Cancel(b, "").ok());
    both->Await();
    EXPECT_TRUE(both->status.ok());
  });
}

TEST(Admission, ARendezvousAnswersWhenAWorkerHasTakenTheJob) {
  BusyPool(0).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    Status status = d.TrySubmit(d.Spec("hold"));
    EXPECT_EQ(status.reason(), "QUEUE_FULL");
    EXPECT_THAT(status.message(), HasSubstr("takes a job only when a worker is free"));
    auto waits = Waiting(d, {d.Spec("hold")});
    EXPECT_FALSE(waits->answered());
    busy.Succeed();
    waits->Await();
    ASSERT_TRUE(waits->status.ok());
    EXPECT_EQ(waits->acks[0].state, JobState::kRunning);
    d.runner.Next().Succeed();
    EXPECT_EQ(d.Pool().queued_jobs, 0);
  });
}

TEST(Admission, APausedRendezvousTakesNothing) {
  BusyPool(0).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    busy.Succeed();
    d.AwaitIdle();
    EXPECT_EQ(d.TrySubmit(d.Spec("hold")).reason(), "QUEUE_FULL");
    auto waits = Waiting(d, {d.Spec("hold")});
    EXPECT_FALSE(waits->answered());
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    waits->Await();
    EXPECT_EQ(waits->acks[0].state, JobState::kRunning);
    d.runner.Next().Succeed();
  });
}

TEST(Admission, ARelativeDeadlineIsHeldLikeAnother) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec spec = d.Spec("noop");
    spec.run_at = d.clock.Wall() + 2h;
    spec.deadline_after = 1h;
    EXPECT_EQ(d.TrySubmit(spec).reason(), "DEADLINE_BEFORE_RUN_AT");
    spec.run_at = d.clock.Wall() + 30min;
    const JobId id = d.Submit(spec);
    EXPECT_EQ(d.Get(id).state, JobState::kScheduled);
  });
}

TEST(Admission, ARequestIdThatWasRefusedIsFree) {
  BusyPool(1).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    JobId queued = d.Submit("noop");
    EXPECT_EQ(d.TrySubmit(d.Spec("noop", "x"), nullptr, "r").reason(), "QUEUE_FULL");
    ASSERT_TRUE(d.Cancel(queued, "").ok());
    dispatch::SubmitAck ack;
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop", "other"), &ack, "r").ok());
    EXPECT_FALSE(ack.existing);
    busy.Succeed();
  });
}

TEST(Admission, ARepeatIsAnsweredAlsoWhereItsRequestIdExpiresWhileTheRestOfItsBatchWaits) {
  BusyPool(1).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    dispatch::SubmitAck first;
    ASSERT_TRUE(d.TrySubmit(d.Spec("noop"), &first, "r").ok());
    ASSERT_TRUE(d.Cancel(first.id).ok());
    ASSERT_TRUE(d.Delete(first.id).ok());
    JobId queued = d.Submit("noop");
    SubmitCall batch;
    batch.on_full = OnFull::kWait;
    batch.items.push_back({d.Spec("noop"), "r"});
    batch.items.push_back({d.Spec("noop"), "other"});
    d.dispatcher.Submit(&batch);
    d.Advance(24h);
    EXPECT_FALSE(batch.answered());
    ASSERT_TRUE(d.Cancel(queued).ok());
    batch.Await();
    ASSERT_TRUE(batch.status.ok()) << batch.status.ToString();
    EXPECT_TRUE(batch.acks[0].existing);
    EXPECT_EQ(batch.acks[0].id, first.id);
    EXPECT_EQ(batch.acks[0].state, JobState::kCancelled);
    EXPECT_FALSE(batch.acks[1].existing);
    busy.Succeed();
  });
}

TEST(Admission, NamesTheFieldAndTheFix) {
  WithDispatcher([](DispatchFixture& d) {
    Status status = d.TrySubmit(d.Spec("unheard"));
    EXPECT_EQ(status.reason(), "KIND_NOT_FOUND");
    EXPECT_EQ(status.field(), "spec.kind");
    EXPECT_THAT(status.message(), HasSubstr("'echo', 'hold', 'noop'"));
    JobSpec spec = d.Spec("noop");
    spec.pool = "thumbs";
    status = d.TrySubmit(spec);
    EXPECT_EQ(status.reason(), "POOL_NOT_FOUND");
    EXPECT_THAT(status.message(), HasSubstr("the pools are 'default'"));
    spec = d.Spec("noop");
    spec.deadline = d.clock.Wall();
    EXPECT_EQ(d.TrySubmit(spec).reason(), "DEADLINE_PASSED");

    SubmitCall batch;
    batch.items.push_back({d.Spec("noop"), ""});
    batch.items.push_back({d.Spec(""), ""});
    d.dispatcher.Submit(&batch);
    batch.Await();
    EXPECT_EQ(batch.status.field(), "requests[1].spec.kind");
    EXPECT_THAT(batch.status.message(), HasSubstr("requests[1]: "));
    SubmitCall empty;
    d.dispatcher.Submit(&empty);
    empty.Await();
    EXPECT_EQ(empty.status.reason(), "BAD_BATCH_SIZE");
    EXPECT_TRUE(d.List({}).empty());
  });
}

TEST(Admission, AKindBringsItsPool) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1}, {.name = "special", .workers = 1}};
  setup.prepare = [](FakeRunner& runner) { runner.AddKind({.name = "odd", .pool = "special"}); };
  WithDispatcher(setup, [](DispatchFixture& d) {
    EXPECT_EQ(d.Get(d.Submit("odd")).spec->pool, "special");
    EXPECT_EQ(d.Get(d.Submit("noop")).spec->pool, "default");
  });
}

TEST(Admission, AJobThatWaitsForItsTimeTakesNoPlaceButAlwaysGetsIn) {
  BusyPool(1).Run([](DispatchFixture& d, FakeRunner::Held& busy) {
    JobSpec later = d.Spec("noop");
    later.delay = 1s;
    d.Submit(later);
    d.Submit(later);
    d.Submit("noop");
    EXPECT_EQ(d.Pool().queued_jobs, 1);
    d.Advance(1s);
    EXPECT_EQ(d.Pool().queued_jobs, 3) << "they were acknowledged: over the bound, but not lost";
    EXPECT_EQ(d.TrySubmit(d.Spec("noop")).reason(), "QUEUE_FULL");
    busy.Succeed();
  });
}

TEST(Admission, RetryingADeadLetterNeedsRoomToo) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    JobSpec once = d.Spec("hold");
    once.retry.max_attempts = 1;
    JobId dead = d.Submit(once);
    d.runner.Next().Fail();
    d.Await(dead);
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    JobId queued = d.Submit("noop");
    EXPECT_EQ(d.Retry(dead).status().reason(), "QUEUE_FULL");
    EXPECT_EQ(d.State(dead), JobState::kFailed);
    ASSERT_TRUE(d.Cancel(queued, "").ok());
    EXPECT_TRUE(d.Retry(dead).ok());
    busy.Succeed();
    d.runner.Next().Succeed();
  });
}

}  // namespace
}  // namespace millrace::test
