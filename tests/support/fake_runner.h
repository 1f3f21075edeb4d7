// FakeRunner: attempts that wait until the test says how they end. No clock, no sleeping: the test and the attempts
// meet.
//
//   FakeRunner runner;
//   ... submit "hold" ...
//   auto attempt = runner.Next();            // parks until a worker has begun one
//   attempt.Finish(AttemptOutcome::Succeeded("42"));
//
// Kinds: "hold" waits for the test, "noop" succeeds at once, "echo" returns its payload. More with AddKind, which
// behave as "hold".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "dispatch/runner.h"
#include "runners/kind_table.h"
#include "runtime/lock.h"
#include "runtime/runtime.h"
#include "sync/channel.h"

namespace millrace::test {

class FakeRunner final : public dispatch::Runner {
 public:
  explicit FakeRunner(std::string name = "native") : name_(std::move(name)) {
    for (const char* kind : {"hold", "noop", "echo"}) AddKind({.name = kind});
  }

  void AddKind(dispatch::KindOptions options) {
    const Status added = kinds_.Add({.options = std::move(options)});
    MR_CHECK(added.ok(), "%s", added.ToString().c_str());
  }
  // While jobs run: these, and nothing else. All behave as "hold", save "noop" and "echo".
  void ReplaceKinds(const std::vector<dispatch::KindOptions>& options) {
    std::vector<runners::KindTable<int>::Kind> kinds;
    for (const dispatch::KindOptions& each : options) kinds.push_back({.options = each});
    kinds_.Replace(std::move(kinds));
  }

  // An attempt that has begun, in the test's hands.
  class Held {
   public:
    const JobId& id() const { return context_->id(); }
    int number() const { return context_->attempt(); }
    std::string payload() const { return std::string(PayloadOf(context_->spec())); }
    dispatch::AttemptContext& context() { return *context_; }

    // The attempt returns this. The holder is used up.
    void Finish(dispatch::AttemptOutcome outcome) { end_->Send(std::move(outcome)); }
    void Succeed(std::string output = "") { Finish(dispatch::AttemptOutcome::Succeeded(std::move(output))); }
    void Fail(std::string error = "failed") { Finish(dispatch::AttemptOutcome::Failed(std::move(error))); }
    // Returns when the attempt's fiber is parked. Between Next and here it only goes on to wait for the test.
    void AwaitParked() const {
      while (fiber_->state.load(std::memory_order_acquire) != rt::FiberState::kParked) rt::Yield();
    }
    // Parks until the attempt has been asked to stop; then tells why.
    std::string AwaitStop() {
      context_->cancel().Wait();
      return context_->cancel().reason().reason();
    }

   private:
    friend class FakeRunner;
    dispatch::AttemptContext* context_ = nullptr;
    rt::Fiber* fiber_ = nullptr;  // Runs the attempt.
    std::shared_ptr<sync::Channel<dispatch::AttemptOutcome>> end_;
  };

  // Parks until an attempt of a held kind has begun.
  Held Next() { return *begun_.Receive(); }
  // The same, if there is one already.
  std::optional<Held> TryNext() { return std::move(begun_.TryReceive().value); }
  // The attempts that have begun and were not asked for.
  size_t begun() const { return begun_.Len(); }

  std::string_view name() const override { return name_; }
  const dispatch::KindOptions* FindKind(std::string_view kind) const override { return kinds_.FindOptions(kind); }
  std::vector<std::string> Kinds() const override { return kinds_.Names(); }
  dispatch::AttemptOutcome Run(dispatch::AttemptContext& attempt) override {
    if (attempt.spec().kind == "noop") return {};
    if (attempt.spec().kind == "echo")
      return dispatch::AttemptOutcome::Succeeded(std::string(PayloadOf(attempt.spec())));
    Held held;
    held.context_ = &attempt;
    held.fiber_ = rt::CurrentFiber();
    held.end_ = std::make_shared<sync::Channel<dispatch::AttemptOutcome>>(1);
    auto end = held.end_;
    {
      rt::LockGuard guard(lock_);
      if (let_go_) return dispatch::AttemptOutcome::Failed("the test is over");
      ends_.push_back(end);
    }
    begun_.Send(held);
    std::optional<dispatch::AttemptOutcome> outcome = end->Receive();
    return outcome ? std::move(*outcome) : dispatch::AttemptOutcome::Failed("the test is over");
  }

  // No attempt waits for the test any more: at its end, which may be an early one.
  void LetGo() {
    rt::LockGuard guard(lock_);
    if (std::exchange(let_go_, true)) return;
    for (const auto& weak : ends_) {
      if (auto end = weak.lock()) end->Close();
    }
  }

 private:
  std::string name_;
  runners::KindTable<int> kinds_{"fake"};
  sync::Channel<Held> begun_{10'000};
  rt::Lock lock_;  // Guards what follows.
  bool let_go_ = false;
  std::vector<std::weak_ptr<sync::Channel<dispatch::AttemptOutcome>>> ends_;
};

}  // namespace millrace::test
