// FakeWorker: a worker in another process, as a face of the daemon would speak for it. It says what the test says.
//
//   FakeWorker worker(d, {.worker = "w", .key = "1", .kinds = {{"resize"}}, .slots = 2});
//   worker.Grant(2);
//   Lease lease = worker.Next();       // parks until one was given; accepted
//   worker.Succeed(lease, "42");
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/leases.h"
#include "runtime/runtime.h"
#include "tests/support/dispatch_fixture.h"

namespace millrace::test {

// Knows every kind; its pools have no fibers.
class LeasingRunner final : public dispatch::Runner {
 public:
  std::string_view name() const override { return "remote"; }
  bool leases() const override { return true; }
  const dispatch::KindOptions* FindKind(std::string_view kind) const override {
    rt::LockGuard guard(lock_);
    auto& known = kinds_[std::string(kind)];
    if (!known) known = std::make_unique<dispatch::KindOptions>(dispatch::KindOptions{.name = std::string(kind)});
    return known.get();
  }
  std::vector<std::string> Kinds() const override { return {}; }
  dispatch::AttemptOutcome Run(dispatch::AttemptContext&) override { MR_FATAL("a remote job ran in the daemon"); }

 private:
  mutable rt::Lock lock_;
  mutable std::map<std::string, std::unique_ptr<dispatch::KindOptions>> kinds_;
};

class FakeWorker {
 public:
  FakeWorker(DispatchFixture& d, const dispatch::WorkerOffer& offer) : d_(d), door_(std::make_shared<Door>()) {
    auto entered = d.dispatcher.leases().Enter(offer, door_);
    DispatchFixture::Require(entered.status());
    holder_ = entered->holder;
    kept = entered->kept;
    lost = entered->lost;
  }
  ~FakeWorker() {
    if (holder_) Leave(dispatch::Leases::Leaving::kGoodbye);
  }

  // What it is told is gathered here.
  void Look() {
    dispatch::WorkerNews more;
    d_.dispatcher.leases().TakeNews(*holder_, &more);
    const auto add = [](auto& to, auto& from) {
      to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    };
    add(news.given, more.given);
    add(news.stopped, more.stopped);
    add(news.revoked, more.revoked);
    add(news.unknown, more.unknown);
    add(news.acked, more.acked);
    news.replaced = news.replaced || more.replaced;
    if (more.drained) news.drained = more.drained;
  }
  // Until there is one: it is taken out of the news, and accepted.
  dispatch::Lease Next() {
    dispatch::Lease lease = NextUnaccepted();
    Accept(lease);
    return lease;
  }
  dispatch::Lease NextUnaccepted() {
    for (Look(); news.given.empty(); Look()) rt::Yield();
    dispatch::Lease lease = std::move(news.given.front());
    news.given.erase(news.given.begin());
    return lease;
  }
  bool AwaitAck(const dispatch::LeaseRef& ref) {
    for (Look(); std::find(news.acked.begin(), news.acked.end(), ref) == news.acked.end(); Look()) rt::Yield();
    return true;
  }

  // What it says. The reasons why something was refused are in `refused`.
  Status Say(dispatch::WorkerWords words) {
    dispatch::Unheard unheard;
    Status status = d_.dispatcher.leases().Hear(*holder_, std::move(words), &unheard);
    for (const auto* refs : {&unheard.refused, &unheard.ended}) {
      for (const dispatch::LeaseRef& ref : *refs) refused.push_back({ref, dispatch::LeaseLost(ref)});
    }
    refused.insert(refused.end(), unheard.other.begin(), unheard.other.end());
    return status;
  }
  void Grant(int64_t slots) { DispatchFixture::Require(Say({.slots_granted = slots})); }
  void Accept(const dispatch::Lease& lease) { DispatchFixture::Require(Say({.accepted = {lease.ref}})); }
  void End(const dispatch::LeaseRef& ref, dispatch::AttemptOutcome outcome) {
    dispatch::WorkerWords words;
    words.ended.push_back({ref, {.outcome = std::move(outcome), .output = {}, .timings = {}}});
    DispatchFixture::Require(Say(std::move(words)));
  }
  void Succeed(const dispatch::Lease& lease, std::string result = "") {
    End(lease.ref, dispatch::AttemptOutcome::Succeeded(std::move(result)));
  }
  void Fail(const dispatch::Lease& lease, std::string error = "failed") {
    End(lease.ref, dispatch::AttemptOutcome::Failed(std::move(error)));
  }
  void Leave(dispatch::Leases::Leaving how) { d_.dispatcher.leases().Leave(*std::exchange(holder_, nullptr), how); }
  void Break() { Leave(dispatch::Leases::Leaving::kBroken); }
  // As a process that dies with the daemon, or before it.
  void Forget() { holder_ = nullptr; }
  dispatch::LeaseHolder& holder() { return *holder_; }
  bool told() const { return door_->told.load(); }

  dispatch::WorkerNews news;
  std::vector<dispatch::LeaseStop> refused;
  std::vector<dispatch::LeaseRef> kept, lost;

 private:
  struct Door final : dispatch::WorkerDoor {
    void OnNews() override { told = true; }
    std::atomic<bool> told{false};
  };
  DispatchFixture& d_;
  std::shared_ptr<Door> door_;
  std::shared_ptr<dispatch::LeaseHolder> holder_;
};

}  // namespace millrace::test
