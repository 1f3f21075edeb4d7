// What dispatch promises when the journal takes its time.
#include "dispatch/journal.h"

#include <gtest/gtest.h>

#include "sync/wait_group.h"
#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

class SlowDispatcher {
 public:
  explicit SlowDispatcher(int64_t capacity_jobs = 10) {
    setup_.journal = &journal;
    setup_.pools = {{.name = "default", .workers = 1, .capacity_jobs = capacity_jobs}};
  }
  void Run(const std::function<void(DispatchFixture&)>& body) {
    WithDispatcher(setup_, [&](DispatchFixture& d) {
      body(d);
      // Attempts that begin or end from here on are committed until the fixture has stopped.
      d.runner.LetGo();
      sync::WaitGroup stopping;
      stopping.Go([&] { d.Stop(Nanos(0)); });
      while (stopping.count() > 0) {
        journal.Commit();
        rt::Yield();
      }
      stopping.Wait();
      journal.Commit();
    });
  }
  void AwaitAppend() {
    while (journal.waiting() == 0) rt::Yield();
  }

  SlowJournal journal;

 private:
  DispatchSetup setup_;
};

// Accepted while the pool is paused, so its start is a commit of its own, which waits.
JobId StartApart(DispatchFixture& d, SlowJournal& journal, JobSpec spec) {
  EXPECT_TRUE(d.dispatcher.Pause("default").ok());
  const JobId id = SubmitTo(d, journal, std::move(spec));
  EXPECT_TRUE(d.dispatcher.Resume("default").ok());
  EXPECT_EQ(d.State(id), JobState::kRunning);
  EXPECT_EQ(journal.waiting(), 1u);
  return id;
}

std::unique_ptr<SubmitCall> Call(DispatchFixture& d, const char* kind, std::string request_id = "") {
  auto call = std::make_unique<SubmitCall>();
  call->items.push_back({d.Spec(kind), std::move(request_id)});
  d.dispatcher.Submit(call.get());
  return call;
}

TEST(SlowJournal, AnAcknowledgementWaitsForTheCommit) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    auto call = Call(d, "noop");
    EXPECT_FALSE(call->answered());
    EXPECT_TRUE(d.List({}).empty()) << "for clients it does not exist yet";
    EXPECT_EQ(d.Pool().state, dispatch::PoolState::kActive);
    EXPECT_EQ(slow.journal.Commit(), 1u);
    call->Await();
    ASSERT_TRUE(call->status.ok());
    EXPECT_TRUE(d.dispatcher.Get(call->acks[0].id).ok());
  });
}

TEST(SlowJournal, AHandlerStartsWhenItsStartIsCommitted) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    const JobId id = StartApart(d, slow.journal, d.Spec("hold"));
    EXPECT_EQ(slow.journal.Appended(id), JobState::kRunning);
    EXPECT_EQ(d.runner.begun(), 0u);
    slow.journal.Commit();
    d.runner.Next().Succeed();
  });
}

TEST(SlowJournal, AnIdleWorkerIsWokenOnceAndNotBeforeItsStartIsCommitted) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    StartApart(d, slow.journal, d.Spec("hold"));
    EXPECT_EQ(d.dispatcher.Stats().worker_wakes, 0u);
    slow.journal.Commit();
    EXPECT_EQ(d.dispatcher.Stats().worker_wakes, 1u);
    d.runner.Next().Succeed();
  });
}

TEST(SlowJournal, AJobTakesFourSectionsUnderTheLockAndTwoCommitsWhereAWorkerIsIdle) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    auto call = Call(d, "hold");
    const uint64_t turns = d.dispatcher.Stats().turns;  // After that of the submit, and with its own.
    slow.journal.Commit();                              // Accepted, and started.
    d.runner.Next().Succeed();
    slow.AwaitAppend();
    slow.journal.Commit();  // Ended.
    EXPECT_EQ(d.dispatcher.Stats().turns, turns + 3 + 1);
    EXPECT_EQ(d.State(call->acks[0].id), JobState::kSucceeded);
    EXPECT_EQ(slow.journal.parts(), 2);
    EXPECT_EQ(d.dispatcher.Stats().worker_wakes, 1u);
  });
}

TEST(MemoryStore, AJobTakesTwoSectionsUnderTheLock) {
  WithDispatcher({.pools = {{.name = "default", .workers = 1, .capacity_jobs = 0}}}, [](DispatchFixture& d) {
    dispatch::SubmitAck ack;
    while (!d.TrySubmit(d.Spec("hold"), &ack).ok()) rt::Yield();
    WaitCall wait;
    ASSERT_TRUE(d.dispatcher.Wait(ack.id, &wait).ok());
    const uint64_t turns = d.dispatcher.Stats().turns;
    d.runner.Next().Succeed();
    wait.Await();
    EXPECT_EQ(d.dispatcher.Stats().turns, turns + 1 + 1);
  });
}

TEST(SlowJournal, AStopHandsBackAJobWhoseStartIsNotCommitted) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    const JobId id = StartApart(d, slow.journal, d.Spec("hold"));
    const dispatch::Dispatcher::DrainReport report = d.Stop(Nanos(0));
    EXPECT_EQ(report.released, 1);
    EXPECT_EQ(report.queued, 1);
    EXPECT_EQ(d.State(id), JobState::kQueued);
    EXPECT_EQ(d.Get(id).attempts, 0);
    EXPECT_EQ(d.History(id), "RELEASED");
    EXPECT_EQ(slow.journal.Appended(id), JobState::kQueued);
    EXPECT_EQ(slow.journal.Commit(), 1u) << "the start, whose worker has left";
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

TEST(SlowJournal, AJobThatRunsAtMostOnceIsHandedBackWhereItsHandlerHasNotBegun) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.no_retry_after_start = true;
    const JobId id = StartApart(d, slow.journal, std::move(spec));
    EXPECT_EQ(d.Stop(Nanos(0)).released, 1);
    EXPECT_EQ(slow.journal.Appended(id), JobState::kQueued);
  });
}

TEST(SlowJournal, TheTimeThatAnAttemptMayTakeBeginsWhenItsStartIsCommitted) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.run_timeout = 10s;
    StartApart(d, slow.journal, std::move(spec));
    d.Advance(1h);
    slow.journal.Commit();
    FakeRunner::Held attempt = d.runner.Next();
    d.Advance(10s - 1ns);
    EXPECT_FALSE(attempt.context().cancel().cancelled());
    d.Advance(1ns);
    EXPECT_TRUE(attempt.context().cancel().cancelled());
    attempt.Fail();
  });
}

TEST(SlowJournal, AResultIsVisibleOnceItIsCommitted) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    auto call = Call(d, "hold");
    slow.journal.Commit();
    call->Await();
    const JobId id = call->acks[0].id;
    WaitCall wait;
    ASSERT_TRUE(d.dispatcher.Wait(id, &wait).ok());
    FakeRunner::Held attempt = d.runner.Next();
    attempt.context().Log("log");
    attempt.Succeed("result");
    slow.AwaitAppend();
    JobSnapshot job = d.Get(id);
    EXPECT_EQ(job.state, JobState::kRunning);
    EXPECT_EQ(job.result, nullptr);
    EXPECT_EQ(job.history.at(0).result, AttemptResult::kRunning);
    EXPECT_EQ(job.log_tail, "log");
    EXPECT_FALSE(wait.told.load());
    slow.journal.Commit();
    job = wait.Await();
    EXPECT_EQ(job.state, JobState::kSucceeded);
    EXPECT_EQ(*job.result, "result");
    EXPECT_EQ(job.log_tail, "log");
  });
}

TEST(SlowJournal, AWorkerGoesOnWhileAResultIsBeingCommitted) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    auto first = Call(d, "hold"), second = Call(d, "hold");
    slow.journal.Commit();
    d.runner.Next().Succeed();
    slow.AwaitAppend();  // The end of the first and the start of the second, in one part.
    EXPECT_EQ(d.State(second->acks[0].id), JobState::kRunning);
    slow.journal.Commit();
    EXPECT_EQ(d.State(first->acks[0].id), JobState::kSucceeded);
    d.runner.Next().Succeed();
  });
}

TEST(SlowJournal, AFailedAcceptLeavesNothingBehind) {
  SlowDispatcher slow(1);
  slow.Run([&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    auto call = Call(d, "noop", "r");
    auto refused = Call(d, "noop");
    EXPECT_EQ(refused->status.reason(), "QUEUE_FULL") << "the place is taken while the commit is under way";
    slow.journal.Commit(Unavailable("DISK_FULL", "no space left"));
    call->Await();
    EXPECT_EQ(call->status.reason(), "DISK_FULL");
    EXPECT_EQ(d.dispatcher.Stats().process_bytes, 0);
    EXPECT_EQ(d.dispatcher.Stats().jobs, (std::array<int64_t, kJobStates>{}));
    auto again = Call(d, "noop", "r");
    slow.journal.Commit();
    again->Await();
    EXPECT_TRUE(again->status.ok());
    EXPECT_FALSE(again->acks[0].existing);
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
  });
}

TEST(SlowJournal, ARepeatOfASubmitThatIsNotAnsweredYetWaitsForItsAnswer) {
  for (const bool disk_full : {false, true}) {
    SlowDispatcher slow;
    slow.Run([&](DispatchFixture& d) {
      ASSERT_TRUE(d.dispatcher.Pause("default").ok());
      auto first = Call(d, "noop", "r"), repeat = Call(d, "noop", "r"), other = Call(d, "noop", "s");
      auto gives_up = Call(d, "noop", "r");
      ASSERT_TRUE(d.dispatcher.Abandon(gives_up.get()));
      EXPECT_FALSE(repeat->answered());
      slow.journal.Commit(disk_full ? Unavailable("DISK_FULL", "no space left") : OkStatus());
      first->Await();
      EXPECT_EQ(first->status.ok(), !disk_full);
      if (disk_full) {  // There was no such job, so it is one now.
        EXPECT_FALSE(repeat->answered());
        slow.journal.Commit();
      }
      repeat->Await();
      ASSERT_TRUE(repeat->status.ok()) << repeat->status.ToString();
      EXPECT_EQ(repeat->acks[0].existing, !disk_full);
      EXPECT_EQ(repeat->acks[0].id == first->acks[0].id, !disk_full);
      other->Await();
      EXPECT_EQ(d.Pool().queued_jobs, disk_full ? 1 : 2);
      ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    });
  }
}

TEST(SlowJournal, ARepeatThatWaitsIsRefusedLikeOthersWhereItsJobFindsNoRoom) {
  SlowDispatcher slow(1);
  slow.Run([&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    auto first = Call(d, "noop", "r"), repeat = Call(d, "noop", "r");
    auto waits = std::make_unique<SubmitCall>();
    waits->items.push_back({d.Spec("noop"), ""});
    waits->on_full = dispatch::OnFull::kWait;
    d.dispatcher.Submit(waits.get());
    slow.journal.Commit(Unavailable("DISK_FULL", "no space left"));
    repeat->Await();
    EXPECT_EQ(repeat->status.reason(), "QUEUE_FULL") << "somebody else waited for the place";
    slow.journal.Commit();
    waits->Await();
    EXPECT_TRUE(waits->status.ok());
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
  });
}

TEST(SlowJournal, AStopAnswersWhoWaitsForTheCommitOfAnother) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    auto first = Call(d, "noop", "r"), repeat = Call(d, "noop", "r");
    sync::WaitGroup stopping;
    stopping.Go([&] { d.Stop(Nanos(0)); });
    repeat->Await();
    EXPECT_EQ(repeat->status.reason(), "DRAINING");
    while (stopping.count() > 0) {
      slow.journal.Commit();
      rt::Yield();
    }
    stopping.Wait();
    slow.journal.Commit();
    first->Await();
  });
}

TEST(SlowJournal, ADrainedPoolHasCommittedItsResults) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    auto call = Call(d, "hold");
    slow.journal.Commit();
    FakeRunner::Held attempt = d.runner.Next();
    DrainCall drain;
    ASSERT_TRUE(d.dispatcher.Drain("default", &drain).ok());
    attempt.Succeed();
    slow.AwaitAppend();
    EXPECT_FALSE(drain.told.load());
    slow.journal.Commit();
    drain.Await();
  });
}

TEST(SlowJournal, ACancelBeforeTheHandlerStartedIsHonoured) {
  SlowDispatcher slow;
  slow.Run([&](DispatchFixture& d) {
    const JobId id = StartApart(d, slow.journal, d.Spec("hold"));
    VerbCall cancel;
    d.dispatcher.Cancel(id, "", &cancel);
    slow.journal.Commit();
    cancel.Await();
    EXPECT_TRUE(cancel.status.ok());
    slow.AwaitAppend();
    slow.journal.Commit();
    EXPECT_EQ(d.State(id), JobState::kCancelled);
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

TEST(SlowJournal, ADueJobDoesNotTakeTheWorkerThatARendezvousHasReserved) {
  for (const bool disk_full : {false, true}) {
    SlowDispatcher slow(/*capacity_jobs=*/0);
    slow.Run([&](DispatchFixture& d) {
      SubmitCall later;
      later.items.push_back({d.Spec("hold", "due"), ""});
      later.items[0].spec.delay = std::chrono::seconds(1);
      d.dispatcher.Submit(&later);
      slow.journal.Commit();
      auto call = Call(d, "hold");
      d.Advance(std::chrono::seconds(1));
      EXPECT_EQ(d.Pool().queued_jobs, 1);
      slow.journal.Commit(disk_full ? Unavailable("DISK_FULL", "no space left") : OkStatus());
      call->Await();
      EXPECT_EQ(call->status.ok(), !disk_full);
      if (!disk_full) {
        EXPECT_EQ(call->acks[0].state, JobState::kRunning);
      }
      slow.journal.Commit();  // The start of the due job.
      EXPECT_EQ(d.runner.Next().payload(), disk_full ? "due" : "") << "nobody takes the place: the due job may run";
    });
  }
}

// Else what becomes of it is found as well, among the jobs that had ended before.
TEST(Journal, WhatWasRunningIsGivenUpOnlyWhenAllIsRead) {
  SlowDispatcher slow;
  dispatch::JobRecord record;
  record.id = {1, 1};
  JobSpec spec;
  spec.pool = "default";
  spec.kind = "hold";
  record.spec = std::make_shared<const JobSpec>(spec);
  record.life.state = JobState::kRunning;
  record.life.claim = {.attempt = 3, .token = 3};
  record.losses = 2;
  record.history.push_back({.number = 3});
  slow.journal.Found(record);
  slow.Run([&](DispatchFixture& d) {
    slow.journal.Commit();
    EXPECT_EQ(d.State(record.id), JobState::kQuarantined);
    EXPECT_EQ(d.Pool().queued_jobs, 0);
  });
}

}  // namespace
}  // namespace millrace::test
