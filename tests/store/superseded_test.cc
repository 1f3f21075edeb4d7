// What the journal leaves out, and what it does not, of the records that a disk which fails has yet to be given.
#include "tests/store/disk_journal_fixture.h"

namespace millrace::store {
namespace {

class SupersededRecords : public DiskJournalTest {};

// Here the newest record of the job comes in a later batch than the flush, and that batch fails.
TEST_F(SupersededRecords, WhatAFlushWaitsForIsNotLeftOutForSomethingNewer) {
  Open({.retry_delay = std::chrono::hours(1)});
  JobRecord job = random.New(), large = random.New();
  ASSERT_TRUE(Accept(*journal_, job).ok());
  ASSERT_TRUE(Accept(*journal_, large).ok());
  platter.FailNext(1);
  EXPECT_FALSE(Accept(*journal_, random.New()).ok());
  CommitCall flush;
  random.Live(&job);
  const std::string flushed = Print(job);
  Note(job, nullptr, test::Accepting::kNo);
  test::Flush(*journal_, &flush);
  random.Ended(&large);
  SetResult(MakeBytes(std::string(size_t{9} << 20, 'x')), &large);
  Note(large, nullptr, test::Accepting::kNo);
  random.Live(&job);
  Note(job, nullptr, test::Accepting::kNo);
  {
    std::lock_guard guard(platter.lock);
    platter.writes_left = 1;
  }
  journal_->Stop();
  EXPECT_TRUE(flush.Await().ok());
  {
    std::lock_guard guard(platter.lock);
    platter.writes_left = -1;
  }
  EXPECT_EQ(OnDisk().at(job.id), flushed);
}

// The newer record of the job comes in a later batch than the part, and that batch fails.
TEST_F(SupersededRecords, APartOfSeveralJobsStaysWholeWhereOneOfThemHasSomethingNewer) {
  Open({.retry_delay = std::chrono::hours(1)});
  JobRecord one = random.New(), other = random.New(), large = random.New();
  for (const JobRecord* job : {&one, &other, &large}) ASSERT_TRUE(Accept(*journal_, *job).ok());
  platter.FailNext(1);
  EXPECT_FALSE(Accept(*journal_, random.New()).ok());
  random.Live(&one);
  random.Live(&other);
  const std::string part[] = {Print(one), Print(other)};
  const JobRecord* both[] = {&one, &other};
  ASSERT_FALSE(test::Append(*journal_, both, test::Accepting::kNo, nullptr).has_value());
  random.Ended(&large);
  SetResult(MakeBytes(std::string(size_t{9} << 20, 'x')), &large);
  Note(large, nullptr, test::Accepting::kNo);
  random.Live(&other);
  Note(other, nullptr, test::Accepting::kNo);
  {
    std::lock_guard guard(platter.lock);
    platter.writes_left = 1;
  }
  journal_->Stop();
  {
    std::lock_guard guard(platter.lock);
    platter.writes_left = -1;
  }
  const auto kept = OnDisk();
  EXPECT_EQ(kept.at(one.id), part[0]);
  EXPECT_EQ(kept.at(other.id), part[1]);
}

}  // namespace
}  // namespace millrace::store
