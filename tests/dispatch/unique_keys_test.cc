// The index by itself, and what becomes of a key when jobs come back, commits take their time and daemons die. What a
// submit is answered is in unique_submit_test.cc.
#include "dispatch/unique_keys.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "sync/wait_group.h"
#include "tests/support/one_part.h"
#include "tests/support/slow_journal.h"
#include "tests/support/unique_jobs.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::SubmitAck;
using dispatch::UniqueKeys;

// ---- The index by itself

dispatch::JobRecord Record(uint64_t id, JobSpec spec, JobState state) {
  dispatch::JobRecord record;
  record.id = {0, id};
  spec.pool = "p";
  record.spec = std::make_shared<const JobSpec>(std::move(spec));
  record.life.state = state;
  return record;
}

TEST(UniqueKeys, AJobHoldsItsKeyInTheStatesOfItsScope) {
  std::string queued, unfinished;
  for (int state = 0; state < kJobStates; ++state) {
    if (UniqueKeys::InScope(kWhileQueued, static_cast<JobState>(state))) {
      queued += ToString(static_cast<JobState>(state));
    }
    if (UniqueKeys::InScope(kWhileUnfinished, static_cast<JobState>(state)))
      unfinished += ToString(static_cast<JobState>(state));
  }
  EXPECT_EQ(queued, "SCHEDULEDBLOCKEDQUEUED");
  EXPECT_EQ(unfinished, "SCHEDULEDBLOCKEDQUEUEDRUNNING");
}

TEST(UniqueKeys, APoolAndAKindHaveKeysOfTheirOwn) {
  auto digest = [](const char* pool, const char* kind, const char* key) {
    JobSpec spec = Unique(key);
    spec.pool = pool;
    spec.kind = kind;
    return UniqueKeys::DigestOf(spec);
  };
  EXPECT_EQ(digest("a", "b", "c"), digest("a", "b", "c"));
  const std::set<UniqueKeys::Digest> different = {digest("a", "b", "c"),  digest("x", "b", "c"), digest("a", "x", "c"),
                                                  digest("a", "b", "x"),  digest("ab", "", "c"), digest("a", "bc", ""),
                                                  digest("", "a", "b c"), digest("", "ab", "c")};
  EXPECT_EQ(different.size(), 8u);
}

// Against the definition: whoever is in scope and was not removed.
TEST(UniqueKeys, RandomMovesKeepToTheDefinition) {
  std::mt19937 random(1);
  UniqueKeys keys;
  std::vector<dispatch::JobRecord> jobs;
  for (uint64_t id = 0; id < 40; ++id) {
    JobSpec spec = id % 10 == 9 ? DispatchFixture::Spec("hold")
                                : Unique(std::to_string(id % 3), id % 2 == 0 ? kWhileQueued : kWhileUnfinished);
    jobs.push_back(Record(id, std::move(spec), JobState::kQueued));
  }
  std::vector<bool> ended(jobs.size(), true);
  for (int step = 0; step < 20'000; ++step) {
    const size_t i = random() % jobs.size();
    dispatch::JobRecord& job = jobs[i];
    if (ended[i]) {
      job.life.state = static_cast<JobState>(random() % 4);
      keys.Add(job.id, *job.spec, job.life.state);
      ended[i] = false;
    } else if (random() % 4 == 0) {
      keys.Remove(job.id, *job.spec);
      ended[i] = true;
    } else {
      const JobState from = job.life.state;
      job.life.state = static_cast<JobState>(random() % 4);
      if (UniqueKeys::Matters(from, job.life.state)) keys.Moved(job.id, *job.spec, from, job.life.state);
    }
    size_t holders = 0;
    for (int key = 0; key < 3; ++key) {
      std::optional<JobId> oldest;
      for (size_t j = 0; j < jobs.size(); ++j) {
        const auto& unique = jobs[j].spec->unique_key;
        if (ended[j] || !unique || unique->key != std::to_string(key)) continue;
        if (!UniqueKeys::InScope(unique->scope, jobs[j].life.state)) continue;
        ++holders;
        if (!oldest) oldest = jobs[j].id;
      }
      JobSpec spec = *Record(0, Unique(std::to_string(key)), JobState::kQueued).spec;
      ASSERT_EQ(keys.Holder(UniqueKeys::DigestOf(spec)), oldest) << "step " << step;
    }
    ASSERT_EQ(keys.size(), holders);
  }
}

// ---- Retries

// The first one runs, a second has taken its key and waits; then the first comes back.
void ComesBack(DispatchFixture& d, JobId* first, JobId* second, const std::function<void(FakeRunner::Held&)>& back) {
  JobSpec spec = Unique("k", kWhileQueued);
  spec.retry.initial_backoff = 1h;
  *first = d.Submit(spec);
  FakeRunner::Held attempt = d.runner.Next();
  *second = d.Submit(spec);
  EXPECT_NE(*first, *second);
  back(attempt);
  EXPECT_EQ(Existing(d, spec), first->ToString()) << "both hold it, the older one is named";
}

TEST(UniqueRetry, AJobThatComesBackSharesItsKeyWithWhoTookItMeanwhile) {
  WithDispatcher([](DispatchFixture& d) {
    JobId first, second;
    ComesBack(d, &first, &second, [&](FakeRunner::Held& attempt) {
      attempt.Fail();
      d.AwaitState(first, JobState::kScheduled);
    });
    FakeRunner::Held other = d.runner.Next();
    EXPECT_EQ(other.id(), second);
    other.Succeed();
    d.Await(second);
    EXPECT_EQ(Existing(d, Unique("k", kWhileQueued)), first.ToString()) << "the first still waits";
    d.Advance(1h);
    EXPECT_EQ(d.runner.Next().id(), first);
    EXPECT_EQ(Existing(d, Unique("k", kWhileQueued)), "") << "nobody waits any more";
  });
}

TEST(UniqueRetry, SoDoesOneThatWasLost) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    JobId first, second;
    ComesBack(d, &first, &second, [&](FakeRunner::Held& attempt) {
      EXPECT_TRUE(d.dispatcher.Pause("default").ok());
      dispatch::AttemptOutcome lost;
      lost.result = AttemptResult::kLost;
      attempt.Finish(std::move(lost));
      d.AwaitState(first, JobState::kQueued);
    });
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    std::set<JobId> ran;
    for (int i = 0; i < 2; ++i) {
      FakeRunner::Held attempt = d.runner.Next();
      ran.insert(attempt.id());
      attempt.Succeed();
    }
    EXPECT_EQ(ran, (std::set<JobId>{first, second})) << "nothing that was acknowledged is dropped";
  });
}

TEST(UniqueRetry, AnEndedJobIsNotRetriedWhileAnotherHoldsItsKey) {
  WithDispatcher([](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    const JobId first = d.Submit(Unique("k"));
    ASSERT_TRUE(d.Cancel(first, "").ok());
    const JobId second = d.Submit(Unique("k"));
    const Status status = d.Retry(first).status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.reason(), "UNIQUE_KEY_TAKEN");
    EXPECT_EQ(status.metadata().at("job"), second.ToString());
    EXPECT_EQ(d.State(first), JobState::kCancelled);
    EXPECT_EQ(d.RetryAll({}, false)->changed, 0) << "bulk forms skip it";
    ASSERT_TRUE(d.Cancel(second, "").ok());
    ASSERT_TRUE(d.Retry(first).ok());
    EXPECT_EQ(Existing(d, Unique("k")), first.ToString()) << "it holds its key again";
    EXPECT_EQ(d.Retry(second).status().reason(), "UNIQUE_KEY_TAKEN");
  });
}

TEST(UniqueRetry, AScheduledJobMayBeMadeDueWhateverHoldsItsKey) {
  WithDispatcher([](DispatchFixture& d) {
    JobId first, second;
    ComesBack(d, &first, &second, [&](FakeRunner::Held& attempt) {
      attempt.Fail();
      d.AwaitState(first, JobState::kScheduled);
    });
    EXPECT_TRUE(d.Retry(first).ok());
  });
}

// ---- A journal that takes its time

// What happens from here on is committed until the fixture has stopped.
void StopCommitting(DispatchFixture& d, SlowJournal& journal) {
  d.runner.LetGo();
  sync::WaitGroup stopping;
  stopping.Go([&] { d.Stop(Nanos(0)); });
  while (stopping.count() > 0) {
    journal.Commit();
    rt::Yield();
  }
  stopping.Wait();
  journal.Commit();
}

TEST(UniqueCommit, WhoComesWhileAHolderIsBeingCommittedWaitsForThat) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.journal = &journal;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    auto first = Batch(d, {Unique("k")});
    auto second = Batch(d, {Unique("k")}), third = Batch(d, {Unique("k")}), rejecting = Batch(d, {Rejecting("k")});
    for (const SubmitCall* each : {second.get(), third.get(), rejecting.get()}) EXPECT_FALSE(each->answered());
    journal.Commit(Unavailable("DISK_FULL", "no space left"));
    first->Await();
    EXPECT_EQ(first->status.reason(), "DISK_FULL");
    EXPECT_FALSE(second->answered());
    journal.Commit();
    second->Await();
    ASSERT_TRUE(second->status.ok());
    EXPECT_FALSE(second->acks.at(0).existing) << "the first was never there";
    third->Await();
    ASSERT_TRUE(third->status.ok());
    EXPECT_TRUE(third->acks.at(0).existing);
    EXPECT_EQ(third->acks.at(0).id, second->acks.at(0).id);
    rejecting->Await();
    EXPECT_EQ(rejecting->status.reason(), "UNIQUE_KEY_TAKEN");
    EXPECT_EQ(Existing(d, Unique("k")), second->acks.at(0).id.ToString());
    StopCommitting(d, journal);
  });
}

TEST(UniqueCommit, AnEndThatIsNotCommittedFreesNothing) {
  SlowJournal journal;
  DispatchSetup setup;
  setup.journal = &journal;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    auto call = Batch(d, {Unique("k")});
    journal.Commit();
    call->Await();
    const JobId id = call->acks.at(0).id;
    d.runner.Next().Succeed();
    while (journal.waiting() == 0) rt::Yield();  // The end.
    SubmitAck ack;
    ASSERT_TRUE(d.TrySubmit(Unique("k"), &ack).ok());
    EXPECT_EQ(ack.id, id);
    EXPECT_EQ(ack.state, JobState::kRunning);
    journal.Commit();
    EXPECT_EQ(d.State(id), JobState::kSucceeded);
    auto next = Batch(d, {Unique("k")});
    journal.Commit();
    next->Await();
    EXPECT_FALSE(next->acks.at(0).existing);
    StopCommitting(d, journal);
  });
}

// ---- Restarts

// Each body begins with what the journal knew at the end of the one before, as after a kill.
void Lives(const std::vector<std::function<void(DispatchFixture&)>>& bodies) {
  using store::MemoryJournal;
  auto journal = std::make_unique<MemoryJournal>(MemoryJournal::Keep::kAll);
  int lives = 0;
  for (const auto& body : bodies) {
    auto left = std::make_unique<MemoryJournal>(MemoryJournal::Keep::kAll);
    DispatchSetup setup;
    setup.journal = journal.get();
    WithDispatcher(setup, [&](DispatchFixture& d) {
      d.clock.Advance(1min * lives++);
      body(d);
      DispatchFixture::Require(journal->Load([&](dispatch::JobRecord record) {
        const dispatch::JobRecord* one = &record;
        test::Append(*left, std::span(&one, 1), test::Accepting::kYes, nullptr);
      }));
      DispatchFixture::Require(journal->LoadEnded([&](const dispatch::EndedJob& job) {
        test::End(*left, *journal->Read(job.id, dispatch::Journal::Part::kWhole), nullptr);
      }));
    });
    journal = std::move(left);
  }
}

TEST(UniqueRestart, WhoHeldAKeyHoldsIt) {
  JobId waiting, running;
  Lives({[&](DispatchFixture& d) {
           running = d.Submit(Unique("running"));
           FakeRunner::Held first = d.runner.Next();
           waiting = d.Submit(Unique("waiting", kWhileQueued));
           JobSpec ended = Unique("ended");
           ended.delay = 1h;
           ASSERT_TRUE(d.Cancel(d.Submit(ended), "").ok());
         },
         [&](DispatchFixture& d) {
           EXPECT_EQ(Existing(d, Unique("running")), running.ToString());
           EXPECT_EQ(Existing(d, Unique("waiting")), waiting.ToString());
           EXPECT_EQ(Existing(d, Unique("ended")), "");
           EXPECT_EQ(d.TrySubmit(Rejecting("running")).reason(), "UNIQUE_KEY_TAKEN");
         }});
}

TEST(UniqueRestart, AJobThatCameBackSharesItsKeyAsBefore) {
  JobId first, second;
  Lives({[&](DispatchFixture& d) {
           first = d.Submit(Unique("k", kWhileQueued));
           d.runner.Next();
           second = d.Submit(Unique("k", kWhileQueued));
           EXPECT_NE(first, second);
         },
         [&](DispatchFixture& d) {
           // The daemon died under the first, which came back and is the first to run again.
           EXPECT_EQ(d.runner.Next().id(), first);
           EXPECT_EQ(Existing(d, Unique("k", kWhileQueued)), second.ToString());
           ASSERT_TRUE(d.Cancel(second, "").ok());
           EXPECT_EQ(Existing(d, Unique("k", kWhileQueued)), "");
         }});
}

}  // namespace
}  // namespace millrace::test
