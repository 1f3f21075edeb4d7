// A store that belongs to another daemon by now: nothing that was not committed is told to anybody, and serving ends in
// good order.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

Status Lost() { return Unavailable("NOT_OWNER", "epoch 8 has an owner, ours was 7"); }

class LostStore : public testing::Test {
 protected:
  void Run(const std::function<void(DispatchFixture&)>& body) {
    DispatchSetup setup;
    setup.pools = {{.name = "default", .workers = 1}};
    setup.journal = &journal;
    setup.store_lost = [this](const Status& status) {
      ++told;
      reason = status.reason();
    };
    WithDispatcher(setup, body);
    EXPECT_EQ(told, 1);
    EXPECT_EQ(reason, "NOT_OWNER");
  }
  std::unique_ptr<SubmitCall> Submit(DispatchFixture& d) {
    auto call = std::make_unique<SubmitCall>();
    call->items.push_back({d.Spec("hold"), ""});
    d.dispatcher.Submit(call.get());
    return call;
  }

  SlowJournal journal;
  int told = 0;
  std::string reason;
};

TEST_F(LostStore, RefusesTheSubmitThatFindsIt) {
  Run([&](DispatchFixture& d) {
    auto call = Submit(d);
    journal.Commit(Lost());
    call->Await();
    EXPECT_EQ(call->status.code(), StatusCode::kUnavailable);
    EXPECT_EQ(call->status.reason(), "NOT_OWNER");
    EXPECT_TRUE(d.List({}).empty());
    EXPECT_EQ(d.TrySubmit(d.Spec("hold")).reason(), "DRAINING") << "it serves nobody from now on";
  });
}

TEST_F(LostStore, RefusesASubmitThatTheJournalAnswersAtOnce) {
  Run([&](DispatchFixture& d) {
    journal.Lose(Lost());
    auto call = Submit(d);
    call->Await();
    EXPECT_EQ(call->status.reason(), "NOT_OWNER");
    EXPECT_TRUE(d.List({}).empty());
  });
}

TEST_F(LostStore, DoesNotTellAnEndThatWasNotCommitted) {
  Run([&](DispatchFixture& d) {
    const JobId id = SubmitTo(d, journal, d.Spec("hold"));
    FakeRunner::Held attempt = Begin(d, journal);
    WaitCall wait;
    ASSERT_TRUE(d.dispatcher.Wait(id, &wait).ok());
    attempt.Succeed("result");
    while (journal.waiting() == 0) rt::Yield();
    journal.Commit(Lost());
    EXPECT_FALSE(wait.told);
    EXPECT_EQ(d.State(id), JobState::kRunning) << "as it was committed last";
    EXPECT_TRUE(d.dispatcher.AbandonWait(id, &wait));
  });
}

TEST_F(LostStore, BeginsNoHandlerWhoseStartWasNotCommitted) {
  Run([&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    SubmitTo(d, journal, d.Spec("hold"));
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    journal.Lose(Lost());
    journal.Commit(Lost());
    EXPECT_EQ(d.Stop(Nanos(0)).released, 1);
    EXPECT_EQ(d.runner.begun(), 0u);
  });
}

TEST_F(LostStore, AnswersAVerbThatWaitedForItsCommit) {
  Run([&](DispatchFixture& d) {
    JobSpec spec = d.Spec("hold");
    spec.delay = 1h;
    const JobId id = SubmitTo(d, journal, spec);
    VerbCall cancel;
    d.dispatcher.Cancel(id, "", &cancel);
    EXPECT_FALSE(cancel.answered());
    journal.Commit(Lost());
    cancel.Await();
    EXPECT_EQ(cancel.status.reason(), "NOT_OWNER");
    EXPECT_EQ(d.State(id), JobState::kScheduled);
  });
}

}  // namespace
}  // namespace millrace::test
