#include "store/memory_journal.h"

#include <gtest/gtest.h>

namespace millrace::store {
namespace {

using dispatch::JobRecord;

JobRecord Record(uint64_t number, JobState state) {
  JobRecord record;
  record.id = {0, number};
  record.life.state = state;
  return record;
}

void Append(MemoryJournal& journal, const JobRecord& record) {
  const JobRecord* one = &record;
  std::optional<Status> status = journal.Append(std::span(&one, 1), dispatch::Journal::Accepting::kYes, nullptr);
  EXPECT_TRUE(status.has_value() && status->ok()) << "it commits at once";
}

std::vector<JobRecord> Load(MemoryJournal& journal) {
  std::vector<JobRecord> records;
  EXPECT_TRUE(journal.Load([&](JobRecord record) { records.push_back(std::move(record)); }).ok());
  return records;
}

TEST(MemoryJournal, RemembersTheNewestRecordOfEachJobInIdOrder) {
  MemoryJournal journal(MemoryJournal::Keep::kRecords);
  Append(journal, Record(2, JobState::kQueued));
  Append(journal, Record(1, JobState::kQueued));
  Append(journal, Record(2, JobState::kRunning));
  std::vector<JobRecord> records = Load(journal);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id.low, 1u);
  EXPECT_EQ(records[1].life.state, JobState::kRunning);
  const JobId erased{0, 1};
  journal.Erase(std::span(&erased, 1));
  EXPECT_EQ(Load(journal).size(), 1u);
}

TEST(MemoryJournal, KeepsNothingWhereNobodyCouldReadIt) {
  MemoryJournal journal;
  Append(journal, Record(1, JobState::kQueued));
  EXPECT_TRUE(Load(journal).empty());
  EXPECT_EQ(journal.durability(), Durability::kNone);
  EXPECT_TRUE(journal.CommitsAtOnce());
}

}  // namespace
}  // namespace millrace::store
