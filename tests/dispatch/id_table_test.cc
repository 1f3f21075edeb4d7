#include "dispatch/id_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace millrace::dispatch {
namespace {

struct Job {
  JobId id;
};
using Table = IdTable<Job>;

void Insert(Table& table, uint64_t number) { table.Insert({1, number}, std::make_shared<Job>(Job{{1, number}})); }

// nullptr: none.
const Job* Get(const std::shared_ptr<Job>* found) { return found != nullptr ? found->get() : nullptr; }

TEST(IdTable, FindsWhatWasInsertedUntilItIsErased) {
  Table table;
  EXPECT_EQ(table.Find({1, 1}), nullptr);
  EXPECT_EQ(table.Erase({1, 1}), nullptr);
  for (uint64_t i = 1; i <= 1000; ++i) Insert(table, 2 * i);
  EXPECT_EQ(table.size(), 1000u);
  EXPECT_EQ(table.Find({1, 500})->id.low, 500u);
  EXPECT_EQ(table.Find({1, 501}), nullptr);
  EXPECT_NE(table.Erase({1, 500}), nullptr);
  EXPECT_EQ(table.Erase({1, 500}), nullptr);
  EXPECT_EQ(table.Find({1, 500}), nullptr);
}

TEST(IdTable, WalksInIdOrderFromAnyId) {
  Table table;
  for (uint64_t i = 1; i <= 600; ++i) Insert(table, 10 * i);
  EXPECT_EQ(Get(table.FirstAfter({}))->id.low, 10u);
  EXPECT_EQ(Get(table.FirstAfter({1, 10}))->id.low, 20u);
  EXPECT_EQ(Get(table.FirstAfter({1, 2565}))->id.low, 2570u) << "over the border of a leaf";
  EXPECT_EQ(Get(table.FirstAfter({1, 6000})), nullptr);
  EXPECT_EQ(Get(table.LastBefore({2, 0}))->id.low, 6000u);
  EXPECT_EQ(Get(table.LastBefore({1, 2570}))->id.low, 2560u);
  EXPECT_EQ(Get(table.LastBefore({1, 10})), nullptr);
}

TEST(IdTable, EveryLeafIsFilledWhateverItsMemoryHeldBefore) {
  constexpr size_t kLeaves = 10;
  constexpr size_t kLeafBytes = Table::kLeafJobs * (sizeof(JobId) + sizeof(std::shared_ptr<Job>));
  std::vector<std::string> used(2 * kLeaves, std::string(kLeafBytes, '\xff'));
  used.clear();
  Table table;
  for (uint64_t i = 1; i <= kLeaves * Table::kLeafJobs; ++i) Insert(table, i);
  EXPECT_EQ(table.leaves(), kLeaves);
}

TEST(IdTable, OneOldJobPinsNextToNothing) {
  Table table;
  for (uint64_t i = 1; i <= 100'000; ++i) {
    Insert(table, i);
    // One in a thousand stays.
    if (i % 1000 != 0) table.Erase({1, i});
  }
  EXPECT_EQ(table.size(), 100u);
  EXPECT_LE(table.leaves(), 4u);
}

TEST(IdTable, AnIdMayComeLateOrComeBack) {
  Table table;
  for (uint64_t i = 1; i <= 1000; ++i) Insert(table, 10 * i);
  for (uint64_t i = 1; i <= 1000; ++i) Insert(table, 5000 + (i % 9 + 1) + 10 * (i / 9));  // Between those.
  EXPECT_EQ(table.size(), 2000u);
  EXPECT_NE(table.Erase({1, 3000}), nullptr);
  EXPECT_EQ(table.Find({1, 3000}), nullptr);
  Insert(table, 3000);
  EXPECT_EQ(table.Find({1, 3000})->id.low, 3000u);
  Insert(table, 1);
  EXPECT_EQ(Get(table.FirstAfter({}))->id.low, 1u) << "before all others";
  uint64_t before = 0;
  size_t count = 0;
  for (const Job* job = Get(table.FirstAfter({})); job != nullptr; job = Get(table.FirstAfter(job->id)), ++count) {
    EXPECT_LT(before, job->id.low);
    before = job->id.low;
  }
  EXPECT_EQ(count, 2001u);
}

TEST(IdTable, AgreesWithAMapOverRandomOperations) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Table table;
  std::map<JobId, Job*> model;
  uint64_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    JobId any{1, random() % (next + 2)};
    // Phases of growing and of shrinking.
    const bool grow = random() % 10 < (step / 4000 % 2 == 0 ? 7u : 2u);
    if (grow) {
      // Mostly the highest so far.
      const JobId id = random() % 8 == 0 ? any : JobId{1, next += 1 + random() % 3};
      if (!model.contains(id)) {
        auto job = std::make_shared<Job>(Job{id});
        model[id] = job.get();
        table.Insert(id, std::move(job));
      }
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
    ASSERT_EQ(Get(table.FirstAfter(any)), after == model.end() ? nullptr : after->second);
    auto before = model.lower_bound(any);
    ASSERT_EQ(Get(table.LastBefore(any)), before == model.begin() ? nullptr : std::prev(before)->second);
  }
}

}  // namespace
}  // namespace millrace::dispatch
