// Clients that are refused and come again when they are told to, in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <random>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

constexpr Nanos kRun = 100ms;

// Clients that all come at time 0, and a pool whose worker takes kRun for a job. gRPC's retry policy: `kTries` calls at
// most, the delay between them a random part of a backoff that doubles; or what the server says, where there is a
// pushback.
class Crowd {
 public:
  Crowd(DispatchFixture& d, bool pushback) : d_(d), pushback_(pushback) {}

  // How many got in.
  int Run(int clients) {
    for (int i = 0; i < clients; ++i) calls_.push({Nanos(0), 1});
    while (!calls_.empty() || attempt_) {
      if (attempt_ && (calls_.empty() || ends_ <= calls_.top().when)) {
        GoTo(ends_);
        attempt_->Succeed();
        attempt_.reset();
        TakeNext();
        continue;
      }
      const Call call = calls_.top();
      calls_.pop();
      GoTo(call.when);
      Submit(call);
    }
    return accepted_;
  }
  Nanos took() const { return now_; }

 private:
  static constexpr int kTries = 5;
  struct Call {
    Nanos when;
    int number;
    bool operator<(const Call& other) const { return when > other.when; }  // The earliest on top.
  };

  void GoTo(Nanos when) {
    d_.Advance(when - now_);
    now_ = when;
  }
  void Submit(const Call& call) {
    const Status status = d_.TrySubmit(d_.Spec("hold"));
    if (status.ok()) {
      ++accepted_;
      if (!attempt_) TakeNext();
    } else if (call.number < kTries) {
      ASSERT_EQ(status.reason(), "QUEUE_FULL");
      const double backoff = std::min(0.1 * static_cast<double>(1 << (call.number - 1)), 1.0);
      const Nanos own(static_cast<int64_t>(random_(engine_) * backoff * 1e9));
      calls_.push({now_ + (pushback_ ? Nanos(*status.retry_delay()) : own), call.number + 1});
    }
  }
  // The worker takes a job if there is one; time stands still meanwhile.
  void TakeNext() {
    for (;;) {
      const dispatch::PoolStatus pool = d_.Pool();
      if (d_.runner.begun() > 0) break;
      if (pool.queued_jobs == 0 && pool.workers_busy == 0) return;
      rt::Yield();
    }
    attempt_ = d_.runner.Next();
    ends_ = now_ + kRun;
  }

  DispatchFixture& d_;
  const bool pushback_;
  std::priority_queue<Call> calls_;
  std::mt19937_64 engine_{1};
  std::uniform_real_distribution<double> random_;
  Nanos now_{0}, ends_{0};
  std::optional<FakeRunner::Held> attempt_;
  int accepted_ = 0;
};

TEST(Pushback, LetsAsManyInAsTheirOwnBackoffWouldAndMore) {
  constexpr int kClients = 40;
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 4}};
  int own = 0, pushed = 0;
  Nanos took{0};
  WithDispatcher(setup, [&](DispatchFixture& d) { own = Crowd(d, /*pushback=*/false).Run(kClients); });
  WithDispatcher(setup, [&](DispatchFixture& d) {
    Crowd crowd(d, /*pushback=*/true);
    pushed = crowd.Run(kClients);
    took = crowd.took();
  });
  std::printf("%d of %d by their own backoff, %d by what they were told, in %.1f s\n", own, kClients, pushed,
              std::chrono::duration<double>(took).count());
  EXPECT_GE(pushed, own);
  EXPECT_EQ(pushed, kClients);
  EXPECT_LT(took, 3 * kClients * kRun) << "and nobody is sent away for long";
}

TEST(Pushback, DelaysDifferAndGrowWithTheNumberOfThoseWhoWereRefused) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    d.Submit("hold");
    FakeRunner::Held attempt = d.runner.Next();
    d.clock.Advance(kRun);
    attempt.Succeed();
    d.AwaitIdle();
    d.Submit("hold");
    FakeRunner::Held busy = d.runner.Next();
    d.Submit("noop");
    std::vector<std::chrono::milliseconds> delays;
    for (int i = 0; i < 1000; ++i) delays.push_back(*d.TrySubmit(d.Spec("noop")).retry_delay());
    EXPECT_LT(delays[0], 3 * kRun);
    EXPECT_GT(delays[20], 20 * kRun);
    EXPECT_LT(delays[20], 30 * kRun);
    EXPECT_LE(*std::max_element(delays.begin(), delays.end()), 34s);
    EXPECT_NE(delays[998], delays[999]) << "those who wait longest do not come together either";
    busy.Succeed();
  });
}

TEST(Pushback, OfAPausedPoolIsLongAndSaysWhy) {
  DispatchSetup setup;
  setup.pools = {{.name = "default", .workers = 1, .capacity_jobs = 1}};
  WithDispatcher(setup, [](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    d.Submit("noop");
    const Status full = d.TrySubmit(d.Spec("noop"));
    EXPECT_THAT(full.message(), testing::HasSubstr("it is paused by its operator"));
    EXPECT_GE(*full.retry_delay(), 5s);
  });
}

}  // namespace
}  // namespace millrace::test
