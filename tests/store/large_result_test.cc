// Results that have a record of their own.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "store/disk_journal.h"
#include "store/memory_journal.h"
#include "store/record.h"
#include "store/rocks/rocks_disk.h"
#include "store/tools/verify.h"
#include "tests/support/journal_calls.h"
#include "tests/support/open_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

using dispatch::JobRecord;
using dispatch::Journal;

class LargeResult : public testing::Test {
 protected:
  // A job that has ended, with a result of so many bytes.
  JobRecord End(Journal& journal, size_t bytes) {
    JobRecord record = random_.New();
    EXPECT_TRUE(test::Accept(journal, record).ok());
    random_.Ended(&record);
    SetResult(MakeBytes(std::string(bytes, 'r')), &record);
    EXPECT_TRUE(test::Change(journal, record).ok());
    return record;
  }
  std::unique_ptr<DiskJournal> Open() {
    auto journal = test::OpenJournal(folder_ / "store", {});
    EXPECT_TRUE(journal.ok()) << journal.status().ToString();
    return *std::move(journal);
  }

  static constexpr size_t kLarge = dispatch::kInlineResultBytes + 1;
  test::RandomRecords random_{21};
  test::TempFolder folder_;
};

TEST_F(LargeResult, IsReadByThoseWhoAskForItAndByNobodyElse) {
  JobRecord large, small;
  for (int life = 0; life < 2; ++life) {
    SCOPED_TRACE(life);
    auto journal = Open();
    if (life == 0) {
      large = End(*journal, kLarge);
      small = End(*journal, kLarge - 1);
    }
    for (const Journal::Part part : {Journal::Part::kBasic, Journal::Part::kWhole}) {
      auto read = journal->Read(large.id, part);
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      EXPECT_EQ((*read)->result, nullptr);
      EXPECT_EQ((*read)->result_bytes, static_cast<int64_t>(kLarge));
      EXPECT_EQ(EndedOf(**read).bytes, EndedOf(large).bytes - (part == Journal::Part::kBasic && large.log_tail
                                                                   ? static_cast<int64_t>(large.log_tail->size())
                                                                   : 0));
    }
    EXPECT_TRUE(*(*journal->Read(small.id, Journal::Part::kWhole))->result == *small.result);
    for (const JobRecord* job : {&large, &small}) {
      auto result = journal->ReadResult(job->id);
      ASSERT_TRUE(result.ok()) << result.status().ToString();
      EXPECT_TRUE(**result == *job->result);
    }
  }
}

TEST_F(LargeResult, OfAJobThatHasNotEndedThereIsNone) {
  auto journal = Open();
  const JobRecord lives = random_.New();
  ASSERT_TRUE(test::Accept(*journal, lives).ok());
  MemoryJournal memory;
  for (Journal* each : {static_cast<Journal*>(journal.get()), static_cast<Journal*>(&memory)}) {
    EXPECT_EQ(each->ReadResult(lives.id).status().reason(), "JOB_UNKNOWN");
    EXPECT_EQ(each->ReadResult({1, 2}).status().reason(), "JOB_UNKNOWN");
  }
}

TEST_F(LargeResult, InMemoryItIsReadInTheSameWay) {
  MemoryJournal journal;
  const JobRecord large = End(journal, kLarge);
  EXPECT_TRUE(**journal.ReadResult(large.id) == *large.result);
}

TEST_F(LargeResult, GoesWithItsJob) {
  JobRecord forgotten, kept;
  {
    auto journal = Open();
    forgotten = End(*journal, kLarge);
    kept = End(*journal, kLarge);
    test::Forget(*journal, EndedOf(forgotten), nullptr);
  }
  auto disk = OpenRocksDisk(folder_ / "store");
  ASSERT_TRUE(disk.ok());
  const std::string gone = KeyOf(forgotten.id), there = KeyOf(kept.id);
  const Disk::Place places[] = {{Shelf::kResult, gone}, {Shelf::kResult, there}};
  auto read = (*disk)->Read(places);
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE((*read)[0].has_value());
  EXPECT_TRUE((*read)[1].has_value());
}

TEST_F(LargeResult, WhatDoesNotCheckOutIsDamage) {
  JobRecord missing, wrong, others;
  {
    auto journal = Open();
    missing = End(*journal, kLarge);
    wrong = End(*journal, kLarge);
    others = End(*journal, kLarge);
  }
  {
    auto disk = OpenRocksDisk(folder_ / "store");
    ASSERT_TRUE(disk.ok());
    const store::Change changes[] = {
        {store::Change::Kind::kErase, Shelf::kResult, KeyOf(missing.id), {}},
        {store::Change::Kind::kPut, Shelf::kResult, KeyOf(wrong.id), EncodeResult(wrong.id, MakeBytes("another size"))},
        {store::Change::Kind::kPut, Shelf::kResult, KeyOf(others.id), EncodeResult(wrong.id, wrong.result)}};
    ASSERT_TRUE((*disk)->Write(changes).ok());
  }
  auto journal = Open();
  for (const JobRecord* job : {&missing, &wrong, &others}) {
    EXPECT_EQ(journal->ReadResult(job->id).status().reason(), "STORE_DAMAGED");
    EXPECT_TRUE(journal->Read(job->id, Journal::Part::kWhole).ok()) << "all else of the job can be read";
  }
}

}  // namespace
}  // namespace millrace::store
