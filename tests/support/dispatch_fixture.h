// A dispatcher in a test's hands: time stands still until Advance, attempts wait until the test ends them.
//
//   WithDispatcher({.pools = {{.name = "default", .workers = 2}}}, [](DispatchFixture& d) {
//     JobId job = d.Submit("hold");
//     d.runner.Next().Fail();
//     d.Advance(1s);
//     EXPECT_EQ(d.History(job), "FAILED");
//   });
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "dispatch/core.h"
#include "dispatch/dispatcher.h"
#include "dispatch/turn.h"
#include "dispatch/worker.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "store/memory_journal.h"
#include "tests/support/core_of.h"
#include "tests/support/fake_runner.h"

namespace millrace::test {

// A submission whose answer a fiber can wait for.
class SubmitCall final : public dispatch::Submission {
 public:
  void Done() override {
    answered_.store(true, std::memory_order_release);
    parker_.Wake();
  }
  bool answered() const { return answered_.load(std::memory_order_acquire); }
  // On the fiber that made it.
  void Await() { parker_.Wait(rt::WaitReason::kExternal); }

 private:
  rt::Parker parker_;
  std::atomic<bool> answered_{false};
};

class WaitCall final : public dispatch::JobWaiter {
 public:
  void OnFinished(const JobSnapshot& snapshot) override {
    job = snapshot;
    told.store(true, std::memory_order_release);
    parker_.Wake();
  }
  JobSnapshot Await() {
    parker_.Wait(rt::WaitReason::kExternal);
    return job;
  }
  JobSnapshot job;
  std::atomic<bool> told{false};

 private:
  rt::Parker parker_;
};

class VerbCall final : public dispatch::VerbCall {
 public:
  void Done() override {
    answered_.store(true, std::memory_order_release);
    parker_.Wake();
  }
  bool answered() const { return answered_.load(std::memory_order_acquire); }
  void Await() { parker_.Wait(rt::WaitReason::kExternal); }

 private:
  rt::Parker parker_;
  std::atomic<bool> answered_{false};
};

class DrainCall final : public dispatch::Dispatcher::DrainWaiter {
 public:
  void OnDrained(Result<dispatch::PoolStatus> drained) override {
    status = drained.status();
    if (drained.ok()) pool = *std::move(drained);
    told.store(true, std::memory_order_release);
    parker_.Wake();
  }
  void Await() { parker_.Wait(rt::WaitReason::kExternal); }
  Status status;
  dispatch::PoolStatus pool;
  std::atomic<bool> told{false};

 private:
  rt::Parker parker_;
};

struct DispatchSetup {
  std::vector<dispatch::PoolOptions> pools = {{.name = "default", .workers = 1}};
  // Limits act at once.
  dispatch::DispatcherOptions options = {.finished_age_min = Nanos(0), .seed = 1};
  dispatch::Journal* journal = nullptr;  // nullptr: the fixture's own, in memory.
  dispatch::PoolMemory* pool_memory = nullptr;
  std::function<void(const Status&)> store_lost;
  Nanos clock_ahead{0};  // Both clocks begin so much later than usual.
  Nanos wall_ahead{0};   // The wall clock alone, as when somebody set it.
  std::function<void(FakeRunner&)> prepare;
  dispatch::Runner* remote = nullptr;  // Another runner than the fixture's own.
};

class DispatchFixture {
 public:
  DispatchFixture(rt::Runtime& runtime, const DispatchSetup& setup)
      : dispatcher({runtime, clock, setup.journal ? *setup.journal : journal, Runners(setup), setup.pool_memory,
                    setup.store_lost},
                   Checked(setup.options)) {
    clock.Advance(setup.clock_ahead);
    clock.StepWall(setup.wall_ahead);
    if (setup.prepare) setup.prepare(runner);
    for (const dispatch::PoolOptions& pool : setup.pools) Require(dispatcher.AddPool(pool));
    Require(dispatcher.Start(/*run_timekeeper=*/false));
    AwaitWorkers();
  }
  ~DispatchFixture() {
    runner.LetGo();
    if (!stopped_) dispatcher.Stop(Nanos(0));
  }

  std::vector<dispatch::Runner*> Runners(const DispatchSetup& setup) {
    std::vector<dispatch::Runner*> runners = {&runner};
    if (setup.remote != nullptr) runners.push_back(setup.remote);
    return runners;
  }
  static dispatch::DispatcherOptions Checked(dispatch::DispatcherOptions options) {
    options.check_invariants = true;
    return options;
  }
  static void Require(const Status& status) { MR_CHECK(status.ok(), "%s", status.ToString().c_str()); }

  static JobSpec Spec(std::string kind, std::string payload = "") {
    JobSpec spec;
    spec.kind = std::move(kind);
    if (!payload.empty()) spec.payload = MakeBytes(std::move(payload));
    return spec;
  }

  // The answer of one submit that does not wait for room.
  Status TrySubmit(JobSpec spec, dispatch::SubmitAck* ack = nullptr, std::string request_id = "") {
    SubmitCall call;
    call.items.push_back({std::move(spec), std::move(request_id)});
    dispatcher.Submit(&call);
    call.Await();
    if (ack != nullptr && call.status.ok()) *ack = call.acks.at(0);
    return call.status;
  }
  JobId Submit(JobSpec spec) {
    dispatch::SubmitAck ack;
    Require(TrySubmit(std::move(spec), &ack));
    return ack.id;
  }
  JobId Submit(std::string kind, std::string payload = "") { return Submit(Spec(std::move(kind), std::move(payload))); }

  // Verbs, and their answers.
  Result<JobSnapshot> Cancel(const JobId& id, const std::string& reason = "") {
    return AnswerOf([&](VerbCall* call) { dispatcher.Cancel(id, reason, call); }, &VerbCall::job);
  }
  Result<JobSnapshot> Retry(const JobId& id) {
    return AnswerOf([&](VerbCall* call) { dispatcher.Retry(id, call); }, &VerbCall::job);
  }
  Status Delete(const JobId& id) {
    return AnswerOf([&](VerbCall* call) { dispatcher.Delete(id, call); }, &VerbCall::bulk).status();
  }
  Status WriteResult(const dispatch::LeaseRef& ref, const std::string& result) {
    return AnswerOf([&](VerbCall* call) { dispatcher.WriteResult(ref, MakeBytes(result), {}, call); }, &VerbCall::bulk)
        .status();
  }
  Result<dispatch::BulkResult> CancelAll(const dispatch::Filter& filter, const std::string& reason, bool count_only) {
    return AnswerOf([&](VerbCall* call) { dispatcher.CancelAll(filter, reason, count_only, call); }, &VerbCall::bulk);
  }
  Result<dispatch::BulkResult> RetryAll(const dispatch::Filter& filter, bool count_only) {
    return AnswerOf([&](VerbCall* call) { dispatcher.RetryAll(filter, count_only, call); }, &VerbCall::bulk);
  }
  Result<dispatch::BulkResult> DeleteAll(const dispatch::Filter& filter, bool count_only) {
    return AnswerOf([&](VerbCall* call) { dispatcher.DeleteAll(filter, count_only, call); }, &VerbCall::bulk);
  }

  std::vector<JobSnapshot> List(const dispatch::ListQuery& query = {}) {
    Result<dispatch::JobPage> page = dispatcher.List(query);
    Require(page.status());
    return std::move(page->jobs);
  }
  JobSnapshot Get(const JobId& id) { return *dispatcher.Get(id); }
  JobState State(const JobId& id) { return Get(id).state; }
  JobSnapshot Await(const JobId& id) {
    WaitCall call;
    Require(dispatcher.Wait(id, &call));
    return call.Await();
  }
  dispatch::PoolStatus Pool(std::string_view name = "default") { return *dispatcher.GetPool(name); }
  dispatch::PoolStats PoolStats(std::string_view name = "default") {
    for (dispatch::PoolStats& pool : dispatcher.Stats().pools) {
      if (pool.status.name == name) return std::move(pool);
    }
    MR_FATAL("no such pool");
  }

  // "FAILED, TIMED_OUT, SUCCEEDED": the results of the attempts.
  std::string History(const JobId& id) {
    std::string history;
    for (const Attempt& attempt : Get(id).history) {
      history += (history.empty() ? "" : ", ") + std::string(ToString(attempt.result));
    }
    return history;
  }

  void Advance(Nanos by) {
    clock.Advance(by);
    dispatcher.RunDue();
  }
  // Parks until a job is in a state that the test cannot wait for otherwise (it is not terminal).
  void AwaitState(const JobId& id, JobState state) {
    while (State(id) != state) rt::Yield();
  }
  // Each worker has looked for a job, so whether a submit finds one idle does not depend on who is faster.
  void AwaitWorkers() {
    dispatch::Core& core = dispatch::CoreOf::Get(dispatcher);
    const auto settled = [&] {
      dispatch::Turn turn(core);
      for (const auto& [name, pool] : core.pools.All()) {
        if (static_cast<int>(pool->workers.size()) < pool->workers_alive) return false;
        for (const dispatch::Worker* worker : pool->workers) {
          if (!worker->waits && worker->job == nullptr) return false;
        }
      }
      return true;
    };
    while (!settled()) rt::Yield();
  }
  void AwaitIdle(std::string_view name = "default") {
    while (Pool(name).workers_busy > 0) rt::Yield();
  }
  dispatch::Dispatcher::DrainReport Stop(Nanos grace) {
    stopped_ = true;
    return dispatcher.Stop(grace);
  }

  ManualClock clock;
  FakeRunner runner;
  store::MemoryJournal journal{store::MemoryJournal::Keep::kAll};
  dispatch::Dispatcher dispatcher;

 private:
  template <typename Begin, typename Answer>
  static Result<Answer> AnswerOf(Begin begin, Answer dispatch::VerbCall::*answer) {
    VerbCall call;
    begin(&call);
    call.Await();
    if (!call.status.ok()) return call.status;
    return std::move(call.*answer);
  }

  bool stopped_ = false;
};

// A submit that waits for room where there is none.
inline std::unique_ptr<SubmitCall> Waiting(DispatchFixture& d, std::vector<JobSpec> specs) {
  auto call = std::make_unique<SubmitCall>();
  for (JobSpec& spec : specs) call->items.push_back({std::move(spec), ""});
  call->on_full = dispatch::OnFull::kWait;
  d.dispatcher.Submit(call.get());
  return call;
}

// Runs `body` as the main fiber of a fresh runtime.
inline void WithDispatcher(const DispatchSetup& setup, const std::function<void(DispatchFixture&)>& body) {
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    DispatchFixture fixture(runtime, setup);
    body(fixture);
  });
}
inline void WithDispatcher(const std::function<void(DispatchFixture&)>& body) { WithDispatcher(DispatchSetup{}, body); }

}  // namespace millrace::test
