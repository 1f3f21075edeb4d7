// What a submit with a unique key is answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/unique_jobs.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::OnFull;
using dispatch::SubmitAck;
using dispatch::SubmitResult;
using testing::HasSubstr;

// ---- Submits

TEST(UniqueSubmit, GetsTheJobThatHoldsTheKey) {
  WithDispatcher([](DispatchFixture& d) {
    const JobId first = d.Submit(Unique("k"));
    FakeRunner::Held attempt = d.runner.Next();
    JobSpec other = Unique("k");
    other.payload = MakeBytes("the content may differ");
    SubmitAck ack;
    ASSERT_TRUE(d.TrySubmit(other, &ack).ok());
    EXPECT_TRUE(ack.existing);
    EXPECT_EQ(ack.id, first);
    EXPECT_EQ(ack.state, JobState::kRunning);
    EXPECT_EQ(Existing(d, Unique("other")), "");
    EXPECT_EQ(d.PoolStats().submitted[static_cast<size_t>(SubmitResult::kExisting)], 1u);
    attempt.Succeed();
    d.Await(first);
    EXPECT_EQ(Existing(d, Unique("k")), "") << "it has ended";
  });
}

TEST(UniqueSubmit, InABatchMayRepeatARequestIdWhoseFirstItemGetsTheHolder) {
  WithDispatcher([](DispatchFixture& d) {
    SubmitCall held_inside;
    held_inside.items.push_back({Unique("k"), ""});
    for (int i = 0; i < 2; ++i) held_inside.items.push_back({Unique("k"), "r"});
    d.dispatcher.Submit(&held_inside);
    held_inside.Await();
    ASSERT_TRUE(held_inside.status.ok()) << held_inside.status.ToString();
    SubmitCall held_before;
    for (int i = 0; i < 2; ++i) held_before.items.push_back({Unique("k"), "s"});
    d.dispatcher.Submit(&held_before);
    held_before.Await();
    ASSERT_TRUE(held_before.status.ok()) << held_before.status.ToString();
    const JobId holder = held_inside.acks[0].id;
    EXPECT_FALSE(held_inside.acks[0].existing);
    for (const SubmitAck& ack : {held_inside.acks[1], held_inside.acks[2], held_before.acks[0], held_before.acks[1]}) {
      EXPECT_EQ(ack.id, holder);
      EXPECT_TRUE(ack.existing);
    }
    EXPECT_EQ(d.List().size(), 1u);
  });
}

TEST(UniqueSubmit, IsRefusedWithTheHolderWhereItWantsAJobOfItsOwn) {
  WithDispatcher([](DispatchFixture& d) {
    const JobId first = d.Submit(Unique("k"));
    const Status status = d.TrySubmit(Rejecting("k"));
    EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(status.reason(), "UNIQUE_KEY_TAKEN");
    EXPECT_EQ(status.field(), "spec.unique_key");
    EXPECT_EQ(status.metadata().at("job"), first.ToString());
    EXPECT_EQ(status.metadata().at("unique_key"), "k");
    EXPECT_THAT(status.message(),
                HasSubstr("unique_key 'k' of kind 'hold' in pool 'default' is held by job " + first.ToString()));
    EXPECT_EQ(d.PoolStats().submitted[static_cast<size_t>(SubmitResult::kRefused)], 1u);
    EXPECT_EQ(Existing(d, Unique("k")), first.ToString()) << "the answer is chosen by who comes later";
  });
}

TEST(UniqueSubmit, AKeyIsHeldWhileTheJobIsInItsScope) {
  WithDispatcher([](DispatchFixture& d) {
    JobSpec later = Unique("k", kWhileQueued);
    later.delay = 1h;
    const JobId scheduled = d.Submit(later);
    EXPECT_EQ(Existing(d, Unique("k", kWhileQueued)), scheduled.ToString()) << "SCHEDULED";
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    d.Advance(1h);
    EXPECT_EQ(Existing(d, Unique("k", kWhileUnfinished)), scheduled.ToString()) << "QUEUED";
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    d.runner.Next();
    EXPECT_EQ(Existing(d, Unique("k", kWhileUnfinished)), "") << "RUNNING: the scope of the holder is over";
  });
}

TEST(UniqueSubmit, EveryKindOfEndFreesTheKey) {
  WithDispatcher([](DispatchFixture& d) {
    auto failing = [&](auto end) {
      JobSpec spec = Rejecting("k");
      spec.retry.max_attempts = 1;
      spec.run_timeout = 1s;
      spec.deadline = d.clock.Wall() + 1h;
      const JobId id = d.Submit(spec);
      FakeRunner::Held attempt = d.runner.Next();
      EXPECT_EQ(d.TrySubmit(Rejecting("k")).reason(), "UNIQUE_KEY_TAKEN");
      end(attempt);
      return d.Await(id).state;
    };
    EXPECT_EQ(failing([](FakeRunner::Held& a) { a.Succeed(); }), JobState::kSucceeded);
    EXPECT_EQ(failing([](FakeRunner::Held& a) { a.Fail(); }), JobState::kFailed);
    EXPECT_EQ(failing([&](FakeRunner::Held& a) {
                d.Advance(2s);
                EXPECT_EQ(a.AwaitStop(), "RUN_TIMEOUT");
                a.Fail();
              }),
              JobState::kFailed);
    EXPECT_EQ(failing([&](FakeRunner::Held& a) {
                ASSERT_TRUE(d.Cancel(a.id(), "").ok());
                EXPECT_EQ(d.TrySubmit(Rejecting("k")).reason(), "UNIQUE_KEY_TAKEN") << "it runs until it has stopped";
                a.Fail();
              }),
              JobState::kCancelled);
    // Off the queue.
    d.AwaitIdle();
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    ASSERT_TRUE(d.Cancel(d.Submit(Rejecting("k")), "").ok());
    JobSpec expiring = Rejecting("k");
    expiring.deadline = d.clock.Wall() + 1s;
    const JobId expired = d.Submit(expiring);
    d.Advance(2s);
    EXPECT_EQ(d.State(expired), JobState::kExpired);
    EXPECT_EQ(Existing(d, Rejecting("k")), "");
  });
}

TEST(UniqueSubmit, ARequestIdComesBeforeTheKey) {
  WithDispatcher([](DispatchFixture& d) {
    SubmitAck first, second;
    ASSERT_TRUE(d.TrySubmit(Rejecting("k"), &first, "r").ok());
    ASSERT_TRUE(d.TrySubmit(Rejecting("k"), &second, "r").ok()) << "a repeat, not a second submit";
    EXPECT_TRUE(second.existing);
    EXPECT_EQ(second.id, first.id);
    EXPECT_EQ(d.TrySubmit(Unique("k"), nullptr, "r").reason(), "REQUEST_ID_REUSED") << "the key is content";
    // Whoever was given another's job has not used the request id up.
    ASSERT_TRUE(d.TrySubmit(Unique("k"), &second, "s").ok());
    EXPECT_EQ(second.id, first.id);
    d.runner.Next().Succeed();
    d.Await(first.id);
    ASSERT_TRUE(d.TrySubmit(Unique("k"), &second, "s").ok());
    EXPECT_FALSE(second.existing);
    d.runner.Next().Succeed();
    d.Await(second.id);
    ASSERT_TRUE(d.TrySubmit(Rejecting("k"), &second, "r").ok());
    EXPECT_EQ(second.id, first.id) << "also when the job has ended";
  });
}

// ---- Batches

TEST(UniqueSubmit, WithinABatchTheFirstHoldsTheKey) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1}, {.name = "other", .workers = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    JobSpec elsewhere = Unique("k"), echo = Unique("k");
    elsewhere.pool = "other";
    echo.kind = "echo";
    auto call = Batch(d, {Unique("k"), Unique("k"), elsewhere, echo, Unique("k"), Unique("l")});
    call->Await();
    ASSERT_TRUE(call->status.ok()) << call->status.ToString();
    std::string existing;
    std::set<JobId> ids;
    for (const SubmitAck& ack : call->acks) {
      existing += ack.existing ? 'x' : '.';
      ids.insert(ack.id);
      EXPECT_FALSE(ack.id.empty());
    }
    EXPECT_EQ(existing, ".x..x.");
    EXPECT_EQ(ids.size(), 4u);
    EXPECT_EQ(call->acks[1].id, call->acks[0].id);
    EXPECT_EQ(call->acks[1].state, call->acks[0].state);
    EXPECT_EQ(call->acks[4].id, call->acks[0].id);
  });
}

TEST(UniqueSubmit, AKeyThatIsTakenRefusesTheWholeBatch) {
  WithDispatcher([](DispatchFixture& d) {
    auto twice = Batch(d, {Unique("k"), Rejecting("k")});
    EXPECT_EQ(twice->status.reason(), "UNIQUE_KEY_TAKEN");
    EXPECT_EQ(twice->status.field(), "requests[1].spec.unique_key");
    EXPECT_THAT(twice->status.message(), HasSubstr("is that of requests[0] as well"));
    EXPECT_TRUE(d.List({}).empty());
    const JobId holder = d.Submit(Unique("k"));
    auto taken = Batch(d, {Unique("l"), Unique("k"), Rejecting("k")});
    EXPECT_EQ(taken->status.metadata().at("job"), holder.ToString());
    EXPECT_EQ(taken->status.field(), "requests[2].spec.unique_key");
    EXPECT_EQ(Existing(d, Unique("l")), "") << "nothing of the batch holds a key";
    EXPECT_EQ(d.dispatcher.Stats().unknown_pool, 0u);
  });
}

// ---- Waiting for room

class FullPool {
 public:
  void Run(const std::function<void(DispatchFixture&, FakeRunner::Held&, JobId)>& body) {
    DispatchSetup setup;
    setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
    WithDispatcher(setup, [&](DispatchFixture& d) {
      d.Submit("hold");
      FakeRunner::Held busy = d.runner.Next();
      body(d, busy, d.Submit("hold"));
    });
  }
};

TEST(UniqueSubmit, ThatWaitsForRoomHoldsNothingAndIsAskedAgainWhenThereIsSome) {
  FullPool().Run([](DispatchFixture& d, FakeRunner::Held&, JobId queued) {
    auto first = Batch(d, {Unique("k")}, OnFull::kWait), second = Batch(d, {Unique("k")}, OnFull::kWait);
    auto third = Batch(d, {Rejecting("k")}, OnFull::kWait);
    JobSpec scheduled = Unique("m");
    scheduled.delay = 1h;
    EXPECT_EQ(Existing(d, scheduled), "") << "needs no room";
    EXPECT_FALSE(first->answered() || second->answered() || third->answered());
    ASSERT_TRUE(d.Cancel(queued, "").ok());
    first->Await();
    EXPECT_FALSE(first->acks.at(0).existing);
    second->Await();
    ASSERT_TRUE(second->status.ok());
    EXPECT_TRUE(second->acks.at(0).existing) << "it needs no room any more";
    EXPECT_EQ(second->acks.at(0).id, first->acks.at(0).id);
    third->Await();
    EXPECT_EQ(third->status.reason(), "UNIQUE_KEY_TAKEN");
  });
}

TEST(UniqueSubmit, ABatchThatWaitsForRoomFollowsWhoTookItsKey) {
  FullPool().Run([](DispatchFixture& d, FakeRunner::Held&, JobId queued) {
    auto batch = Batch(d, {d.Spec("hold"), Unique("k"), Unique("k")}, OnFull::kWait);
    EXPECT_EQ(batch->status.reason(), "LARGER_THAN_POOL");
    JobSpec later = Unique("k");
    later.delay = 1h;  // Takes no room in the pool.
    auto waits = Batch(d, {later, d.Spec("hold"), later, Unique("gone")}, OnFull::kWait);
    EXPECT_EQ(waits->status.reason(), "LARGER_THAN_POOL");
    waits = Batch(d, {later, d.Spec("hold"), later}, OnFull::kWait);
    EXPECT_FALSE(waits->answered());
    const JobId holder = d.Submit(later);
    ASSERT_TRUE(d.Cancel(queued, "").ok());
    waits->Await();
    ASSERT_TRUE(waits->status.ok());
    EXPECT_EQ(waits->acks.at(0).id, holder);
    EXPECT_EQ(waits->acks.at(2).id, holder);
    EXPECT_EQ(waits->acks.at(2).state, JobState::kScheduled);
    EXPECT_FALSE(waits->acks.at(1).existing);
  });
}

TEST(UniqueSubmit, IsToldOfAHolderThatIsForgottenBeforeThereIsRoom) {
  FullPool().Run([](DispatchFixture& d, FakeRunner::Held&, JobId queued) {
    JobSpec later = Unique("k");
    later.delay = 1h;
    const JobId holder = d.Submit(later);
    auto waits = Batch(d, {later, d.Spec("hold")}, OnFull::kWait);
    EXPECT_FALSE(waits->answered());
    ASSERT_TRUE(d.Cancel(holder, "").ok());
    ASSERT_TRUE(d.Delete(holder).ok());
    ASSERT_TRUE(d.Cancel(queued, "").ok());
    waits->Await();
    ASSERT_TRUE(waits->status.ok());
    EXPECT_EQ(waits->acks.at(0).id, holder) << "it held the key during the call";
    EXPECT_EQ(waits->acks.at(0).state, JobState::kScheduled);
  });
}

}  // namespace
}  // namespace millrace::test
