// Jobs that may not run although their time has come: what they wait for, and that they stop nobody.
#include "dispatch/permit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dispatch/ready_queue.h"

namespace millrace::dispatch {
namespace {

class PermitTest : public testing::Test {
 protected:
  JobEntry* Push(const KindOptions& kind, std::vector<Permit*> permits = {}, Band band = Band::kNormal,
                 const LabelSet& require = {}) {
    JobEntry& job = jobs_.emplace_back();
    job.kind = &kind;
    job.band = band;
    job.pool = pool_;
    if (!permits.empty() || !require.empty()) {
      job.ties = std::make_shared<const Ties>(Ties{.permits = std::move(permits), .require = require});
    }
    queue_.Push(&job);
    return &job;
  }
  static Taker TakerOf(const std::vector<std::string>& kinds, const LabelSet& labels = {}) {
    std::vector<Taker::Kind> all;
    for (const std::string& kind : kinds) all.push_back({.name = kind});
    return Taker(std::move(all), labels);
  }
  void TearDown() override {
    for (JobEntry& job : jobs_) {
      if (job.line != nullptr) queue_.Remove(&job);
    }
  }
  // As when its attempt has ended.
  static void End(JobEntry* job) { Permits::GiveBack(*job); }
  void Check() const {
    queue_.CheckInvariants();
    limit_.CheckInvariants();
    other_.CheckInvariants();
  }

  const KindOptions a_{.name = "a"}, b_{.name = "b"}, c_{.name = "c"};
  Pool* const pool_ = reinterpret_cast<Pool*>(this);  // Nobody looks into it.
  std::deque<JobEntry> jobs_;
  Permits permits_;
  Permit limit_{permits_, BlockedOn::kConcurrency, 1};
  Permit other_{permits_, BlockedOn::kRate, 1};
  ReadyQueue queue_{1'000'000, 1'000'000};
  Taker any_;
};

using ReadyQueueKinds = PermitTest;

TEST_F(ReadyQueueKinds, ATakerGetsTheFirstJobOfTheKindsItCanRun) {
  JobEntry* a1 = Push(a_);
  JobEntry* b1 = Push(b_);
  JobEntry* c1 = Push(c_);
  JobEntry* b2 = Push(b_);
  JobEntry* urgent = Push(c_, {}, Band::kHigh);
  Taker only_b = TakerOf({"b"}), b_and_c = TakerOf({"b", "c"}), none = TakerOf({});
  EXPECT_EQ(queue_.Pop(only_b), b1);
  EXPECT_EQ(queue_.Pop(b_and_c), urgent);
  EXPECT_EQ(queue_.Pop(b_and_c), c1);
  EXPECT_EQ(queue_.Pop(b_and_c), b2);
  EXPECT_EQ(queue_.Pop(b_and_c), nullptr) << "what is left is for others";
  EXPECT_EQ(queue_.Pop(none), nullptr);
  EXPECT_TRUE(queue_.anyone_in_line());
  EXPECT_EQ(queue_.Pop(any_), a1);
  Check();
}

TEST_F(ReadyQueueKinds, KindsShareOneOrder) {
  std::vector<JobEntry*> pushed;
  for (int i = 0; i < 30; ++i) pushed.push_back(Push(i % 3 == 0 ? a_ : i % 3 == 1 ? b_ : c_));
  for (JobEntry* job : pushed) EXPECT_EQ(queue_.Pop(any_), job);
}

TEST_F(ReadyQueueKinds, ManyJobsThatATakerCannotRunAreNotLookedAt) {
  // Were each of them looked at for each Pop, this would be 10^10 steps.
  constexpr int kJobs = 100'000;
  for (int i = 0; i < kJobs; ++i) Push(a_, {}, Band::kCritical);
  Taker only_b = TakerOf({"b"});
  for (int i = 0; i < kJobs; ++i) {
    JobEntry* job = Push(b_, {}, Band::kLow);
    ASSERT_EQ(queue_.Pop(only_b), job);
    ASSERT_EQ(queue_.Pop(only_b), nullptr);
  }
}

TEST_F(ReadyQueueKinds, EachTakerAgesByItsOwnPops) {
  JobEntry* low = Push(b_, {}, Band::kLow);
  Taker only_a = TakerOf({"a"}), only_b = TakerOf({"b"});
  for (uint64_t pops = 1;; ++pops) {
    Push(b_);
    if (queue_.Pop(only_b) == low) {
      EXPECT_EQ(pops, ReadyQueue::kAgeingTurns);
      return;
    }
    // Every second Pop, so that each sixteenth one would be this taker's if they were counted together.
    Push(a_);
    ASSERT_NE(queue_.Pop(only_a), nullptr);
    ASSERT_LT(pops, 100u);
  }
}

TEST_F(PermitTest, AJobWithoutItsPermitStopsNobodyAndComesWhenThatIsGivenBack) {
  JobEntry* first = Push(a_, {&limit_});
  JobEntry* second = Push(a_, {&limit_});
  JobEntry* third = Push(a_, {&limit_});
  JobEntry* free = Push(a_);
  EXPECT_EQ(queue_.Pop(any_), first);
  EXPECT_EQ(ReadyQueue::WaitsFor(*second), BlockedOn::kNothing) << "nobody has asked yet";
  EXPECT_EQ(queue_.Pop(any_), free);
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  EXPECT_EQ(ReadyQueue::WaitsFor(*second), BlockedOn::kConcurrency);
  EXPECT_EQ(ReadyQueue::WaitsFor(*third), BlockedOn::kConcurrency);
  EXPECT_FALSE(queue_.anyone_in_line());
  EXPECT_EQ(queue_.jobs(), 2) << "they keep their places";
  EXPECT_EQ(permits_.TakeServable(), nullptr);
  Check();
  End(first);
  EXPECT_EQ(permits_.TakeServable(), pool_);
  EXPECT_EQ(permits_.TakeServable(), nullptr) << "it is told once";
  EXPECT_TRUE(queue_.anyone_in_line());
  EXPECT_EQ(queue_.Pop(any_), second);
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  End(second);
  EXPECT_EQ(queue_.Pop(any_), third);
  End(third);
  Check();
}

TEST_F(PermitTest, WhatIsGivenBackWakesOnlyThoseThatWaitForIt) {
  JobEntry* holder = Push(a_, {&limit_});
  JobEntry* other_holder = Push(a_, {&other_});
  ASSERT_EQ(queue_.Pop(any_), holder);
  ASSERT_EQ(queue_.Pop(any_), other_holder);
  JobEntry* waits = Push(a_, {&limit_});
  JobEntry* waits_other = Push(a_, {&other_});
  ASSERT_EQ(queue_.Pop(any_), nullptr);
  End(other_holder);
  EXPECT_EQ(ReadyQueue::WaitsFor(*waits), BlockedOn::kConcurrency);
  EXPECT_EQ(ReadyQueue::WaitsFor(*waits_other), BlockedOn::kNothing);
  EXPECT_EQ(queue_.Pop(any_), waits_other);
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  for (JobEntry* job : {holder, waits_other}) End(job);
  EXPECT_EQ(queue_.Pop(any_), waits);
  End(waits);
}

TEST_F(PermitTest, AWokenJobThatIsCancelledPassesThePermitOn) {
  JobEntry* holder = Push(a_, {&limit_}, Band::kCritical);
  ASSERT_EQ(queue_.Pop(any_), holder);
  JobEntry* high = Push(a_, {&limit_}, Band::kHigh);
  JobEntry* low = Push(a_, {&limit_}, Band::kLow);
  ASSERT_EQ(queue_.Pop(any_), nullptr);
  End(holder);
  EXPECT_EQ(ReadyQueue::WaitsFor(*high), BlockedOn::kNothing);
  EXPECT_EQ(ReadyQueue::WaitsFor(*low), BlockedOn::kConcurrency) << "one place, one line";
  queue_.Remove(high);
  EXPECT_EQ(ReadyQueue::WaitsFor(*low), BlockedOn::kNothing);
  Check();
  EXPECT_EQ(queue_.Pop(any_), low);
  End(low);
}

TEST_F(PermitTest, APlaceIsNotKeptForAKindThatNobodyThereCanRun) {
  JobEntry* holder = Push(a_, {&limit_});
  ASSERT_EQ(queue_.Pop(any_), holder);
  Push(b_, {&limit_});
  JobEntry* runnable = Push(a_, {&limit_});
  ASSERT_EQ(queue_.Pop(any_), nullptr);
  End(holder);
  Taker only_a = TakerOf({"a"});
  EXPECT_EQ(queue_.Pop(only_a), runnable) << "though the other one waited longer";
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  End(runnable);
  Check();
}

TEST_F(PermitTest, NobodyHoldsOneWhileItWaitsForAnother) {
  JobEntry* rate = Push(a_, {&other_});
  ASSERT_EQ(queue_.Pop(any_), rate);
  JobEntry* both = Push(a_, {&limit_, &other_});
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  EXPECT_EQ(ReadyQueue::WaitsFor(*both), BlockedOn::kRate);
  EXPECT_EQ(limit_.held(), 0);
  JobEntry* one = Push(a_, {&limit_});
  EXPECT_EQ(queue_.Pop(any_), one);
  End(rate);
  EXPECT_EQ(queue_.Pop(any_), nullptr) << "now it lacks the first one";
  EXPECT_EQ(ReadyQueue::WaitsFor(*both), BlockedOn::kConcurrency);
  End(one);
  EXPECT_EQ(queue_.Pop(any_), both);
  EXPECT_EQ(limit_.held(), 1);
  EXPECT_EQ(other_.held(), 1);
  End(both);
  Check();
}

TEST_F(PermitTest, AJobAsideKeepsItsPermitUntilItIsPutBack) {
  JobEntry* first = Push(a_, {&limit_});
  JobEntry* second = Push(a_, {&limit_});
  ASSERT_EQ(queue_.Pop(any_), first);
  queue_.SetAside(first);
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  queue_.PutBack(first);
  EXPECT_EQ(limit_.held(), 0);
  Check();
  EXPECT_EQ(queue_.Pop(any_), first);
  queue_.SetAside(first);
  queue_.Remove(first);  // Cancelled.
  EXPECT_EQ(queue_.Pop(any_), second);
  queue_.SetAside(second);
  queue_.TakeAside(second);  // It was read, and starts.
  EXPECT_EQ(limit_.held(), 1);
  EXPECT_TRUE(queue_.empty());
  End(second);
  Check();
}

TEST_F(PermitTest, ALimitThatIsRaisedLetsMoreRunAndALowerOneNobody) {
  limit_.SetLimit(0);
  std::vector<JobEntry*> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(Push(a_, {&limit_}));
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  limit_.SetLimit(2);
  EXPECT_EQ(permits_.TakeServable(), pool_);
  EXPECT_EQ(queue_.Pop(any_), jobs[0]);
  EXPECT_EQ(queue_.Pop(any_), jobs[1]);
  EXPECT_EQ(queue_.Pop(any_), nullptr);
  limit_.SetLimit(1);
  End(jobs[0]);
  EXPECT_EQ(queue_.Pop(any_), nullptr) << "one still runs";
  End(jobs[1]);
  EXPECT_EQ(queue_.Pop(any_), jobs[2]);
  End(jobs[2]);
  Check();
}

TEST_F(PermitTest, AHundredThousandBlockedJobsAreNotLookedAt) {
  // Were each of them looked at for each Pop or each end, this would be 10^10 steps.
  constexpr int kJobs = 100'000;
  JobEntry* holder = Push(a_, {&limit_});
  ASSERT_EQ(queue_.Pop(any_), holder);
  for (int i = 0; i < kJobs; ++i) Push(a_, {&limit_}, Band::kCritical);
  for (int i = 0; i < kJobs; ++i) {
    JobEntry* free = Push(a_, {}, Band::kLow);
    ASSERT_EQ(queue_.Pop(any_), free);
    End(holder);
    holder = queue_.Pop(any_);
    ASSERT_NE(holder, nullptr);
  }
  End(holder);
}

TEST_F(PermitTest, ABandThatIsWorseIsNotForgottenAtAPermit) {
  JobEntry* holder = Push(a_, {&limit_}, Band::kCritical);
  ASSERT_EQ(queue_.Pop(any_), holder);
  JobEntry* low = Push(b_, {&limit_}, Band::kLow);
  for (int ends = 1;; ++ends) {
    Push(a_, {&limit_}, Band::kCritical);
    ASSERT_EQ(queue_.Pop(any_), nullptr);
    End(holder);
    holder = queue_.Pop(any_);
    ASSERT_NE(holder, nullptr);
    if (holder == low) break;
    // At worst both turns, that of the permit and that of the queue, have to come.
    ASSERT_LE(ends, static_cast<int>(ReadyQueue::kAgeingTurns * ReadyQueue::kAgeingTurns));
  }
  End(holder);
}

TEST_F(PermitTest, APermitMayNotEndBeforeItsJobs) {
  EXPECT_DEATH(
      {
        Permit short_lived(permits_, BlockedOn::kRate, 1);
        Push(a_, {&short_lived});
        queue_.Pop(any_);
      },
      "a permit ended that 1 jobs hold");
  EXPECT_DEATH(
      {
        JobEntry* job = Push(a_, {&limit_});
        job->permitted = true;
        Permits::GiveBack(*job);
      },
      "given back that nobody held");
}

// Every job against a list that is searched from the front.
TEST_F(PermitTest, RandomJobsTakersAndPermitsKeepEveryPromise) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::array<const KindOptions*, 3> kinds = {&a_, &b_, &c_};
  const std::array<std::vector<Permit*>, 5> needs = {{{}, {}, {&limit_}, {&other_}, {&limit_, &other_}}};
  const std::array<std::vector<std::string>, 4> offers = {{{"a"}, {"b", "c"}, {"c"}, {"a", "b", "c"}}};
  const LabelSet x{{"x", "1"}}, xy{{"x", "1"}, {"y", "2"}}, y{{"y", "2"}}, none;
  const std::array<LabelSet, 6> requires_ = {none, none, x, xy, y, {{"x", "2"}}};
  const std::array<LabelSet, 4> labels = {none, x, xy, {{"x", "1"}, {"y", "2"}, {"z", "3"}}};
  std::array<Taker, 4> picky = {TakerOf(offers[0], labels[0]), TakerOf(offers[1], labels[1]),
                                TakerOf(offers[2], labels[2]), TakerOf(offers[3], labels[3])};
  std::vector<JobEntry*> in_line, aside, running;
  const auto take = [&](std::vector<JobEntry*>& from) {
    auto any = from.begin() + static_cast<ptrdiff_t>(random() % from.size());
    JobEntry* job = *any;
    from.erase(any);
    return job;
  };
  const auto may_run = [](const JobEntry* job) {
    if (job->ties == nullptr) return true;
    return std::all_of(job->ties->permits.begin(), job->ties->permits.end(),
                       [](const Permit* each) { return each->held() < each->limit(); });
  };
  for (int step = 0; step < 8'000; ++step) {
    const size_t draw = random() % 100;
    if (draw < 35) {
      in_line.push_back(Push(*kinds[random() % kinds.size()], needs[random() % needs.size()],
                             static_cast<Band>(random() % kBands), requires_[random() % requires_.size()]));
    } else if (draw < 70) {
      const size_t who = random() % (picky.size() + 1);
      const auto suits = [&](const JobEntry* job) {
        if (who == picky.size()) return true;
        return std::count(offers[who].begin(), offers[who].end(), job->kind->name) > 0 &&
               picky[who].Has(job->ties ? job->ties->require : none);
      };
      std::vector<JobEntry*> could;
      for (JobEntry* job : in_line) {
        if (suits(job) && may_run(job)) could.push_back(job);
      }
      JobEntry* job = queue_.Pop(who == picky.size() ? any_ : picky[who]);
      ASSERT_EQ(job != nullptr, !could.empty()) << "a job is given exactly if one may run";
      if (job == nullptr) continue;
      ASSERT_EQ(std::count(could.begin(), could.end(), job), 1) << "it was in line, suits and may run";
      for (const JobEntry* each : could) {
        const bool alike =
            each->kind == job->kind && each->band == job->band &&
            (each->ties ? each->ties->permits : needs[0]) == (job->ties ? job->ties->permits : needs[0]) &&
            (each->ties ? each->ties->require : none) == (job->ties ? job->ties->require : none);
        ASSERT_TRUE(!alike || each->push_number >= job->push_number) << "first in, first out";
      }
      in_line.erase(std::find(in_line.begin(), in_line.end(), job));
      if (random() % 4 == 0) {
        queue_.SetAside(job);
        aside.push_back(job);
      } else {
        running.push_back(job);
      }
    } else if (draw < 85 && !running.empty()) {
      End(take(running));
    } else if (draw < 90 && !in_line.empty()) {
      queue_.Remove(take(in_line));
    } else if (draw < 96 && !aside.empty()) {
      JobEntry* job = take(aside);
      if (random() % 3 == 0) {
        queue_.Remove(job);
      } else if (random() % 2 == 0) {
        queue_.TakeAside(job);
        running.push_back(job);
      } else {
        queue_.PutBack(job);
        in_line.push_back(job);
      }
    } else if (draw >= 98) {
      limit_.SetLimit(static_cast<int64_t>(random() % 4));
      other_.SetLimit(static_cast<int64_t>(random() % 4));
    }
    Check();
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    ASSERT_EQ(queue_.jobs(), static_cast<int64_t>(in_line.size() + aside.size()));
    if (in_line.empty()) continue;
    const JobEntry& asked = *in_line[random() % in_line.size()];
    const auto is_ahead = [&](const JobEntry* each) {
      return each->band < asked.band || (each->band == asked.band && each->push_number < asked.push_number);
    };
    ASSERT_EQ(queue_.JobsAhead(asked), std::count_if(in_line.begin(), in_line.end(), is_ahead) +
                                           std::count_if(aside.begin(), aside.end(), is_ahead));
  }
  for (JobEntry* job : running) End(job);
  for (JobEntry* job : aside) queue_.Remove(job);
  for (JobEntry* job : in_line) queue_.Remove(job);
  Check();
  EXPECT_FALSE(limit_.anyone_waits() || other_.anyone_waits());
}

}  // namespace
}  // namespace millrace::dispatch
