// A slot that no fiber uses: jobs are given to it as to a worker, and whoever uses it tells ends by job and claim.
#include "dispatch/slot.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "dispatch/core.h"
#include "dispatch/turn.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::dispatch {
namespace {

class BareSlot final : public Slot {
 public:
  using Slot::Slot;
  void Wake() override { ++woken; }
  int woken = 0;
};

// A core with one pool and nobody who runs anything.
class SlotTest : public testing::Test {
 protected:
  void Run(const std::function<void(Core& core, BareSlot& slot)>& body) {
    rt::Runtime runtime({.procs = 1});
    runtime.Run([&] {
      Core core({runtime, clock_, journal_, {&runner_}}, {.seed = 1});
      const PoolOptions options{.name = "default", .workers = 1};
      core.pools.Add(std::make_unique<Pool>(options, runner_, clock_.Mono()));
      BareSlot slot(core, *core.FindPool("default"), "default/remote");
      body(core, slot);
    });
  }
  static void BecomeIdle(Core& core, BareSlot& slot) {
    Turn turn(core);
    slot.pool.PushIdle(&slot);
    slot.waits = true;
  }
  static JobId Submit(Core& core) {
    test::SubmitCall call;
    call.items.push_back({test::DispatchFixture::Spec("hold"), ""});
    core.admission.Submit(&call);
    call.Await();
    test::DispatchFixture::Require(call.status);
    return call.acks[0].id;
  }
  static Status Finish(Core& core, const JobId& id, const Claim& by, AttemptOutcome outcome) {
    Turn turn(core);
    return core.Finish(id, by, {.outcome = std::move(outcome)}, turn);
  }
  JobState Remembered(const JobId& id) { return (*journal_.Read(id, Journal::Part::kBasic))->life.state; }

  ManualClock clock_;
  test::FakeRunner runner_;
  store::MemoryJournal journal_{store::MemoryJournal::Keep::kAll};
};

TEST_F(SlotTest, IsGivenAJobWhileItIsIdleAndIsWokenOnce) {
  Run([&](Core& core, BareSlot& slot) {
    BecomeIdle(core, slot);
    const JobId id = Submit(core);
    ASSERT_NE(slot.job, nullptr);
    EXPECT_EQ(slot.job->id, id);
    EXPECT_EQ(slot.attempt.id(), id);
    EXPECT_EQ(slot.woken, 1);
    EXPECT_EQ(Remembered(id), JobState::kRunning);
    EXPECT_TRUE(Finish(core, id, slot.job->life.claim, AttemptOutcome::Succeeded("")).ok());
    EXPECT_EQ(slot.job, nullptr);
    EXPECT_EQ(Remembered(id), JobState::kSucceeded);
  });
}

TEST_F(SlotTest, AResultThatComesLateIsAnsweredAndChangesNothing) {
  Run([&](Core& core, BareSlot& slot) {
    BecomeIdle(core, slot);
    const JobId id = Submit(core);
    const Claim first = slot.job->life.claim;
    EXPECT_EQ(
        Finish(core, id, {.attempt = first.attempt, .token = first.token + 1}, AttemptOutcome::Succeeded("")).reason(),
        "LEASE_LOST");
    AttemptOutcome lost;
    lost.result = AttemptResult::kLost;
    ASSERT_TRUE(Finish(core, id, first, lost).ok());
    EXPECT_EQ(Finish(core, id, first, AttemptOutcome::Succeeded("")).reason(), "LEASE_LOST") << "while the job waits";
    Claim second;
    {
      Turn turn(core);
      ASSERT_TRUE(core.AssignNext(slot.pool, slot, slot.pool.fibers, turn));
      second = slot.job->life.claim;
    }
    EXPECT_EQ(Finish(core, id, first, AttemptOutcome::Succeeded("")).reason(), "LEASE_LOST") << "while it runs again";
    EXPECT_EQ(Remembered(id), JobState::kRunning);
    ASSERT_TRUE(Finish(core, id, second, AttemptOutcome::Succeeded("")).ok());
    EXPECT_EQ(Finish(core, id, second, AttemptOutcome::Succeeded("")).reason(), "LEASE_LOST") << "told twice";
    EXPECT_EQ(Finish(core, {1, 1}, second, AttemptOutcome::Succeeded("")).reason(), "LEASE_LOST") << "no such job";
    EXPECT_EQ(Remembered(id), JobState::kSucceeded);
  });
}

}  // namespace
}  // namespace millrace::dispatch
