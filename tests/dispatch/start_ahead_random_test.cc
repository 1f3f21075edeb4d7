// Submits, commits that come late, disks that are full, workers of both sorts and time do what they like. What must
// hold: a job that was acknowledged ends, one that was refused was never there, no attempt begins before its job is
// accepted, and between any two steps jobs, slots and counts agree (Core::CheckInvariants, in each Turn).
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/leases_fixture.h"
#include "tests/support/slow_dispatch.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Lease;

class AheadStory {
 public:
  AheadStory(DispatchFixture& d, SlowJournal& journal, unsigned seed) : d_(d), journal_(journal), random_(seed) {}

  void Live(int steps) {
    for (int i = 0; i < steps; ++i) Step();
  }

  void End() {
    ASSERT_TRUE(d_.dispatcher.Resume("default").ok());
    if (worker_ == nullptr) Enter();
    for (bool all = false; !all;) {
      journal_.Commit();
      Look();
      while (!attempts_.empty()) FinishOne();
      while (!leases_.empty()) EndOne();
      worker_->Grant(received_ += 3);  // What was taken back from it, or lost, is not granted by itself.
      d_.Advance(1s);
      rt::Yield();
      all = true;
      for (const auto& call : calls_) all = all && call->answered() && Ended(*call);
      for (const auto& verb : verbs_) all = all && verb->answered();
    }
    size_t accepted = 0;
    for (const auto& call : calls_) {
      call->Await();
      if (call->status.ok()) {
        accepted += call->acks.size();
        continue;
      }
      for (const dispatch::SubmitAck& ack : call->acks) {
        if (ack.id.empty()) continue;
        EXPECT_EQ(d_.dispatcher.Get(ack.id).status().reason(), "JOB_NOT_FOUND");
      }
    }
    for (const auto& verb : verbs_) verb->Await();
    EXPECT_EQ(d_.List({.limit = 10'000}).size(), accepted);
    EXPECT_EQ(d_.Pool().workers_busy, 0);
    EXPECT_EQ(d_.Pool("remote").workers_busy, 0);
    EXPECT_GT(accepted, 20u);
    worker_.reset();
  }

 private:
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool Chance(size_t one_in) { return Below(one_in) == 0; }

  void Step() {
    const size_t what = Below(20);
    if (what < 5) {
      Submit();
    } else if (what < 8) {
      journal_.Commit();
    } else if (what == 8) {
      journal_.RefuseAccepts(Unavailable("DISK_FULL", "no space left"));
    } else if (what < 12) {
      Look();
      if (!attempts_.empty()) FinishOne();
    } else if (what < 15) {
      Look();
      if (!leases_.empty()) EndOne();
    } else if (what == 15) {
      d_.Advance(std::chrono::milliseconds(Below(2000)));
    } else if (what == 16) {
      Cancel();
    } else if (what == 17) {
      ASSERT_TRUE((Chance(3) ? d_.dispatcher.Pause("default") : d_.dispatcher.Resume("default")).ok());
    } else if (what == 18) {
      worker_ != nullptr ? Leave() : Enter();
    } else {
      for (size_t i = Below(20); i > 0; --i) rt::Yield();
    }
  }

  void Submit() {
    auto call = std::make_unique<SubmitCall>();
    call->on_full = Chance(2) ? dispatch::OnFull::kWait : dispatch::OnFull::kReject;
    for (size_t i = Chance(3) ? 1 + Below(4) : 1; i > 0; --i) {
      const bool remote = Chance(2);
      JobSpec spec = DispatchFixture::Spec(remote ? "resize" : "hold");
      if (remote) spec.pool = "remote";
      if (Chance(6)) spec.delay = 1s;
      if (Chance(6)) spec.deadline = d_.clock.Wall() + 2s;
      spec.retry = {.max_attempts = 2, .initial_backoff = 1s, .max_backoff = 1s};
      call->items.push_back({std::move(spec), ""});
    }
    d_.dispatcher.Submit(call.get());
    calls_.push_back(std::move(call));
  }

  // Takes what has begun, which must be attempts of accepted jobs.
  void Look() {
    while (std::optional<FakeRunner::Held> attempt = d_.runner.TryNext()) {
      EXPECT_TRUE(d_.dispatcher.Get(attempt->id()).ok());
      attempts_.push_back(std::move(*attempt));
    }
    if (worker_ == nullptr) return;
    worker_->Look();
    for (Lease& lease : worker_->news.given) {
      EXPECT_TRUE(d_.dispatcher.Get(lease.ref.job).ok());
      worker_->Accept(lease);
      leases_.push_back(std::move(lease));
    }
    worker_->news.given.clear();
  }
  void FinishOne() {
    const bool fails = Chance(4);
    fails ? attempts_.front().Fail() : attempts_.front().Succeed();
    attempts_.pop_front();
  }
  void EndOne() {
    const Lease lease = std::move(leases_.front());
    leases_.pop_front();
    Chance(4) ? worker_->Fail(lease) : worker_->Succeed(lease);
    worker_->Grant(received_ += 1);
  }
  void Enter() {
    worker_ = std::make_unique<FakeWorker>(
        d_, dispatch::WorkerOffer{
                .worker = "w", .key = std::to_string(++keys_), .kinds = {{.name = "resize"}}, .slots = 3});
    worker_->Grant(received_ = 3);
  }
  void Leave() {
    leases_.clear();
    worker_.reset();
  }
  void Cancel() {
    if (calls_.empty()) return;
    const SubmitCall& call = *calls_[Below(calls_.size())];
    if (call.acks.empty() || call.acks[0].id.empty()) return;
    verbs_.push_back(std::make_unique<VerbCall>());
    d_.dispatcher.Cancel(call.acks[0].id, "", verbs_.back().get());
  }
  bool Ended(const SubmitCall& call) {
    if (!call.status.ok()) return true;
    for (const dispatch::SubmitAck& ack : call.acks) {
      if (!IsTerminal(d_.State(ack.id))) return false;
    }
    return true;
  }

  DispatchFixture& d_;
  SlowJournal& journal_;
  std::mt19937 random_;
  std::vector<std::unique_ptr<SubmitCall>> calls_;
  std::vector<std::unique_ptr<VerbCall>> verbs_;
  std::deque<FakeRunner::Held> attempts_;
  std::deque<Lease> leases_;
  std::unique_ptr<FakeWorker> worker_;
  int64_t received_ = 0;
  int keys_ = 0;
};

class StartAheadAtRandom : public testing::TestWithParam<unsigned> {};

TEST_P(StartAheadAtRandom, WhatWasAcknowledgedEndsAndWhatWasRefusedWasNeverThere) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  LeasingRunner remote;
  SlowJournal journal;
  DispatchSetup setup{.pools = {{.name = "default", .workers = 2, .capacity_jobs = 4},
                                {.name = "remote", .runner = "remote", .capacity_jobs = 4}},
                      .options = {.finished_age_min = Nanos(0), .seed = 1},
                      .remote = &remote};
  WithSlow(journal, setup, [&](DispatchFixture& d) {
    AheadStory story(d, journal, GetParam());
    story.Live(400);
    story.End();
  });
}

INSTANTIATE_TEST_SUITE_P(Seeds, StartAheadAtRandom, testing::Range(1u, 41u));

}  // namespace
}  // namespace millrace::test
