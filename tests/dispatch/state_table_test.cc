// Every state of a job, and everything that can happen to it there.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "dispatch/core.h"
#include "tests/support/core_of.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::AttemptOutcome;
using dispatch::BlockedOn;
using dispatch::Core;
using dispatch::CoreOf;
using dispatch::JobEntry;
using dispatch::Turn;
using enum JobState;

enum class Event { kItsTime, kAWorker, kCancel, kRetry, kDelete, kDeadline, kBlock, kUnblock, kRestart };
constexpr const char* kEvents[] = {"its time",     "a worker", "cancel",  "retry",  "delete",
                                   "its deadline", "block",    "unblock", "restart"};

constexpr const char* kSame = "same";      // Nothing happens, and nobody is told otherwise.
constexpr const char* kRefused = "no";     // The verb says WRONG_STATE, and nothing happens.
constexpr const char* kGone = "gone";      // Nobody knows it any more.
constexpr const char* kNobody = "nobody";  // Whoever could ask for it does not, in this state.

// Job of one hour's delay, deadline after two hours, in a pool that is paused but for RUNNING.
const std::map<JobState, std::vector<const char*>> kTable = {
    //             its time  a worker   cancel       retry     delete    deadline   block     unblock    restart
    {kScheduled, {"QUEUED", kSame, "CANCELLED", "QUEUED", kRefused, "EXPIRED", "BLOCKED", kNobody, "SCHEDULED"}},
    {kBlocked, {kSame, kSame, "CANCELLED", kRefused, kRefused, "EXPIRED", kNobody, "QUEUED", "BLOCKED"}},
    {kQueued, {kSame, "RUNNING", "CANCELLED", kRefused, kRefused, "EXPIRED", "BLOCKED", kNobody, "RUNNING"}},
    // Of a cancellation and a deadline the attempt is told; the next table says what comes of it.
    {kRunning, {kSame, kSame, kSame, kRefused, kRefused, kSame, kNobody, kNobody, kNobody}},
    {kSucceeded, {kSame, kSame, kRefused, kRefused, kGone, kSame, kNobody, kNobody, kSame}},
    {kFailed, {kSame, kSame, kRefused, "QUEUED", kGone, kSame, kNobody, kNobody, kSame}},
    {kCancelled, {kSame, kSame, kRefused, "QUEUED", kGone, kSame, kNobody, kNobody, kSame}},
    {kExpired, {kSame, kSame, kRefused, "QUEUED", kGone, kSame, kNobody, kNobody, kSame}},
    {kQuarantined, {kSame, kSame, kRefused, "QUEUED", kGone, kSame, kNobody, kNobody, kSame}},
};

class StateTable : public testing::Test {
 protected:
  static DispatchSetup Setup(dispatch::Journal* journal) {
    DispatchSetup setup;
    setup.journal = journal;
    setup.options.losses_max = 1;
    return setup;
  }

  static void Pause(DispatchFixture& d) { EXPECT_TRUE(d.dispatcher.Pause("default").ok()); }
  static void Resume(DispatchFixture& d) { EXPECT_TRUE(d.dispatcher.Resume("default").ok()); }

  static void OnEntry(DispatchFixture& d, const JobId& id, const std::function<void(Core&, JobEntry&, Turn&)>& move) {
    Core& core = CoreOf::Get(d.dispatcher);
    Turn turn(core);
    move(core, *core.table.Find(id), turn);
  }
  static JobId Bring(DispatchFixture& d, JobState state) {
    JobSpec spec = d.Spec("hold");
    spec.deadline = d.clock.Wall() + 2h;
    if (state == kScheduled) spec.delay = 1h;
    if (state == kExpired) spec.deadline = d.clock.Wall() + 1s;
    Pause(d);
    const JobId id = d.Submit(spec);
    if (state == kScheduled || state == kQueued) return id;
    if (state == kBlocked) {
      OnEntry(d, id, [](Core& core, JobEntry& job, Turn& turn) { core.Block(job, BlockedOn::kJobs, turn); });
      return id;
    }
    if (state == kCancelled) {
      EXPECT_TRUE(d.Cancel(id).ok());
      return id;
    }
    if (state == kExpired) {
      d.Advance(1s);
      return id;
    }
    Resume(d);
    FakeRunner::Held attempt = d.runner.Next();
    if (state == kRunning) return id;
    AttemptOutcome outcome;
    if (state == kFailed) {
      outcome = AttemptOutcome::Failed("no");
      outcome.do_not_retry = true;
    } else if (state == kQuarantined) {
      outcome.result = AttemptResult::kLost;
    }
    attempt.Finish(std::move(outcome));
    d.Await(id);
    Pause(d);
    return id;
  }

  static std::string Outcome(DispatchFixture& d, const JobId& id, JobState before) {
    const Result<JobSnapshot> job = d.dispatcher.Get(id);
    if (!job.ok()) return kGone;
    return job->state == before ? kSame : ToString(job->state);
  }

  static std::string Happen(DispatchFixture& d, const JobId& id, JobState before, Event event) {
    switch (event) {
      case Event::kItsTime:
        d.Advance(90min);
        break;
      case Event::kAWorker:
        Resume(d);
        if (before == kQueued) d.AwaitState(id, kRunning);
        break;
      case Event::kCancel:
        if (Status status = d.Cancel(id).status(); status.reason() == "WRONG_STATE") return kRefused;
        break;
      case Event::kRetry:
        if (Status status = d.Retry(id).status(); status.reason() == "WRONG_STATE") return kRefused;
        break;
      case Event::kDelete:
        if (Status status = d.Delete(id); status.reason() == "WRONG_STATE") return kRefused;
        break;
      case Event::kDeadline:
        d.Advance(3h);
        break;
      case Event::kBlock:
        OnEntry(d, id, [](Core& core, JobEntry& job, Turn& turn) { core.Block(job, BlockedOn::kJobs, turn); });
        break;
      case Event::kUnblock:
        OnEntry(d, id, [](Core& core, JobEntry& job, Turn& turn) { core.Unblock(job, turn); });
        break;
      case Event::kRestart:
        break;  // The caller's.
    }
    return Outcome(d, id, before);
  }
};

TEST_F(StateTable, EachEventDoesWhatTheTableSaysInEachState) {
  for (const auto& line : kTable) {
    // Names of their own: clang 14 lets no lambda use those of a structured binding.
    const JobState state = line.first;
    const auto& row = line.second;
    ASSERT_EQ(row.size(), std::size(kEvents));
    for (size_t i = 0; i < row.size(); ++i) {
      const Event event = static_cast<Event>(i);
      if (std::string(row[i]) == kNobody) continue;
      SCOPED_TRACE(std::string(ToString(state)) + ", " + kEvents[i]);
      store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
      JobId id;
      WithDispatcher(Setup(&journal), [&](DispatchFixture& d) {
        id = Bring(d, state);
        ASSERT_EQ(d.State(id), state);
        if (event != Event::kRestart) {
          EXPECT_EQ(Happen(d, id, state, event), row[i]);
        }
      });
      if (event != Event::kRestart) continue;
      const std::string expected = std::string(row[i]) == kSame ? ToString(state) : row[i];
      WithDispatcher(Setup(&journal), [&](DispatchFixture& d) {
        if (expected == "RUNNING") {
          EXPECT_EQ(d.runner.Next().id(), id);
        }
        EXPECT_EQ(ToString(d.State(id)), expected);
      });
    }
  }
}

TEST_F(StateTable, AnAttemptThatEndsLeadsWhereItsOutcomeSays) {
  struct Row {
    const char* what;
    std::function<void(DispatchFixture&, const JobId&)> before;
    std::function<void(AttemptOutcome&)> outcome;
    JobState then;
  };
  const auto nothing = [](DispatchFixture&, const JobId&) {};
  const auto failed = [](AttemptOutcome& outcome) { outcome.result = AttemptResult::kFailed; };
  const std::vector<Row> rows = {
      {"success", nothing, [](AttemptOutcome&) {}, kSucceeded},
      {"failure", nothing, failed, kScheduled},
      {"failure for good", nothing,
       [](AttemptOutcome& outcome) {
         outcome.result = AttemptResult::kFailed;
         outcome.do_not_retry = true;
       },
       kFailed},
      {"lost too often", nothing, [](AttemptOutcome& outcome) { outcome.result = AttemptResult::kLost; }, kQuarantined},
      {"not started", nothing, [](AttemptOutcome& outcome) { outcome.not_started = true; }, kScheduled},
      {"cancelled", [](DispatchFixture& d, const JobId& id) { EXPECT_TRUE(d.Cancel(id).ok()); }, failed, kCancelled},
      {"deadline", [](DispatchFixture& d, const JobId&) { d.Advance(3h); }, failed, kExpired},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    WithDispatcher(Setup(nullptr), [&](DispatchFixture& d) {
      JobSpec spec = d.Spec("hold");
      spec.deadline = d.clock.Wall() + 2h;
      const JobId id = d.Submit(spec);
      FakeRunner::Held attempt = d.runner.Next();
      row.before(d, id);
      AttemptOutcome outcome;
      row.outcome(outcome);
      attempt.Finish(std::move(outcome));
      while (d.State(id) == kRunning) rt::Yield();
      EXPECT_EQ(ToString(d.State(id)), std::string(ToString(row.then)));
    });
  }
}

}  // namespace
}  // namespace millrace::test
