#include "dispatch/job_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace millrace::dispatch {
namespace {

std::shared_ptr<JobEntry> Job(uint64_t number) {
  auto job = std::make_shared<JobEntry>();
  job->record.id = {1, number};
  return job;
}

TEST(JobTable, FindsWhatWasInsertedUntilItIsErased) {
  JobTable table;
  EXPECT_EQ(table.Find({1, 1}), nullptr);
  EXPECT_EQ(table.Erase({1, 1}), nullptr);
  for (uint64_t i = 1; i <= 1000; ++i) table.Insert(Job(2 * i));
  EXPECT_EQ(table.size(), 1000u);
  EXPECT_EQ(table.Find({1, 500})->record.id.low, 500u);
  EXPECT_EQ(table.Find({1, 501}), nullptr);
  EXPECT_NE(table.Erase({1, 500}), nullptr);
  EXPECT_EQ(table.Erase({1, 500}), nullptr);
  EXPECT_EQ(table.Find({1, 500}), nullptr);
}

TEST(JobTable, WalksInIdOrderFromAnyId) {
  JobTable table;
  for (uint64_t i = 1; i <= 600; ++i) table.Insert(Job(10 * i));
  EXPECT_EQ(table.FirstAfter({})->record.id.low, 10u);
  EXPECT_EQ(table.FirstAfter({1, 10})->record.id.low, 20u);
  EXPECT_EQ(table.FirstAfter({1, 2565})->record.id.low, 2570u) << "over the border of a leaf";
  EXPECT_EQ(table.FirstAfter({1, 6000}), nullptr);
  EXPECT_EQ(table.LastBefore({2, 0})->record.id.low, 6000u);
  EXPECT_EQ(table.LastBefore({1, 2570})->record.id.low, 2560u);
  EXPECT_EQ(table.LastBefore({1, 10}), nullptr);
}

TEST(JobTable, OneOldJobPinsNextToNothing) {
  JobTable table;
  for (uint64_t i = 1; i <= 100'000; ++i) {
    table.Insert(Job(i));
    // One in a thousand stays.
    if (i % 1000 != 0) table.Erase({1, i});
  }
  EXPECT_EQ(table.size(), 100u);
  EXPECT_LE(table.leaves(), 4u);
}

TEST(JobTable, AgreesWithAMapOverRandomOperations) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  JobTable table;
  std::map<JobId, JobEntry*> model;
  uint64_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    JobId any{1, random() % (next + 2)};
    // Phases of growing and of shrinking.
    bool grow = random() % 10 < (step / 4000 % 2 == 0 ? 7u : 2u);
    if (grow) {
      auto job = Job(next += 1 + random() % 3);
      model[job->record.id] = job.get();
      table.Insert(std::move(job));
    } else {
      auto erased = table.Erase(any);
      ASSERT_EQ(erased.get(), model.contains(any) ? model[any] : nullptr);
      model.erase(any);
    }
    ASSERT_EQ(table.size(), model.size());
    any = {1, random() % (next + 2)};
    auto found = model.find(any);
    ASSERT_EQ(table.Find(any), found == model.end() ? nullptr : found->second);
    auto after = model.upper_bound(any);
    ASSERT_EQ(table.FirstAfter(any), after == model.end() ? nullptr : after->second);
    auto before = model.lower_bound(any);
    ASSERT_EQ(table.LastBefore(any), before == model.begin() ? nullptr : std::prev(before)->second);
  }
}

}  // namespace
}  // namespace millrace::dispatch
