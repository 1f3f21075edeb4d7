#include "store/memory_journal.h"
#include "tests/support/one_part.h"

#include <gtest/gtest.h>

#include <memory>

namespace millrace::store {
namespace {

using dispatch::JobRecord;
using dispatch::Journal;

JobRecord Record(uint64_t number, JobState state) {
  JobRecord record;
  record.id = {1, number};
  record.spec = std::make_shared<const JobSpec>();
  record.life.state = state;
  if (IsTerminal(state)) record.finished = WallTime(Nanos(static_cast<int64_t>(100 - number)));
  return record;
}

void Append(MemoryJournal& journal, const JobRecord& record) {
  const JobRecord* one = &record;
  std::optional<Status> status = test::Append(journal, std::span(&one, 1), test::Accepting::kYes, nullptr);
  EXPECT_TRUE(status.has_value() && status->ok()) << "it commits at once";
}

void End(MemoryJournal& journal, const JobRecord& record) {
  EXPECT_TRUE(test::End(journal, std::make_shared<const JobRecord>(record), nullptr)->ok());
}

std::vector<JobRecord> Load(MemoryJournal& journal) {
  std::vector<JobRecord> records;
  EXPECT_TRUE(journal.Load([&](JobRecord record) { records.push_back(std::move(record)); }).ok());
  return records;
}

std::vector<uint64_t> Ended(MemoryJournal& journal, uint64_t after, uint64_t last, size_t limit) {
  std::vector<uint64_t> numbers;
  auto records = journal.ReadEnded({.after = {1, after}, .last = {1, last}, .limit = limit});
  for (const auto& record : *records) {
    numbers.push_back(record->id.low);
  }
  return numbers;
}

TEST(MemoryJournal, RemembersTheNewestRecordOfEachLivingJobInIdOrder) {
  MemoryJournal journal(MemoryJournal::Keep::kAll);
  Append(journal, Record(2, JobState::kQueued));
  Append(journal, Record(1, JobState::kQueued));
  Append(journal, Record(2, JobState::kRunning));
  std::vector<JobRecord> records = Load(journal);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id.low, 1u);
  EXPECT_EQ(records[1].life.state, JobState::kRunning);
  EXPECT_EQ((*journal.Read({1, 2}, Journal::Part::kWhole))->life.state, JobState::kRunning);
  End(journal, Record(1, JobState::kFailed));
  EXPECT_EQ(Load(journal).size(), 1u);
  EXPECT_EQ(journal.size(), 2u);
}

TEST(MemoryJournal, KeepsOnlyJobsThatHaveEndedWhereNobodyCouldReadTheOthers) {
  MemoryJournal journal;
  Append(journal, Record(1, JobState::kQueued));
  EXPECT_TRUE(Load(journal).empty());
  EXPECT_EQ(journal.Read({1, 1}, Journal::Part::kBasic).status().reason(), "JOB_UNKNOWN");
  End(journal, Record(1, JobState::kSucceeded));
  EXPECT_EQ((*journal.Read({1, 1}, Journal::Part::kBasic))->life.state, JobState::kSucceeded);
  EXPECT_EQ(journal.durability(), Durability::kNone);
  EXPECT_TRUE(journal.CommitsAtOnce());
  EXPECT_FALSE(journal.KeepsUnfinished());
}

TEST(MemoryJournal, ReadsThoseThatHaveEndedInEitherDirection) {
  MemoryJournal journal;
  for (uint64_t number : {5, 1, 3, 4, 2}) End(journal, Record(number, JobState::kSucceeded));
  using Numbers = std::vector<uint64_t>;
  EXPECT_EQ(Ended(journal, 1, 4, 10), (Numbers{2, 3, 4}));
  EXPECT_EQ(Ended(journal, 1, 9, 2), (Numbers{2, 3}));
  EXPECT_EQ(Ended(journal, 5, 2, 10), (Numbers{4, 3, 2}));
  EXPECT_EQ(Ended(journal, 9, 0, 1), (Numbers{5}));
  std::vector<uint64_t> by_end;
  EXPECT_TRUE(journal.LoadEnded([&](const dispatch::EndedJob& job) { by_end.push_back(job.id.low); }).ok());
  EXPECT_EQ(by_end, (Numbers{5, 4, 3, 2, 1})) << "by finish time";
}

TEST(MemoryJournal, AJobLivesAgainOrIsForgotten) {
  MemoryJournal journal;
  for (uint64_t number : {1, 2}) End(journal, Record(number, JobState::kFailed));
  EXPECT_TRUE(
      test::Revive(journal, Record(1, JobState::kQueued), EndedOf(Record(1, JobState::kFailed)), nullptr)->ok());
  EXPECT_NE(test::Forget(journal, EndedOf(Record(2, JobState::kFailed)), nullptr), nullptr) << "freed by the caller";
  EXPECT_EQ(journal.size(), 0u);
  End(journal, Record(1, JobState::kSucceeded));
  EXPECT_EQ(journal.size(), 1u);
}

}  // namespace
}  // namespace millrace::store
