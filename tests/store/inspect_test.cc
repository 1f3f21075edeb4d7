#include "store/tools/inspect.h"

#include <gtest/gtest.h>

#include "store/disk_journal.h"
#include "tests/support/journal_calls.h"
#include "tests/support/one_part.h"
#include "tests/support/open_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

using dispatch::JobRecord;
using test::Accept;
using test::Change;
using test::RandomRecords;

class InspectTest : public testing::Test {
 protected:
  // Writes with the journal, closes it and reads.
  const Inspection& See(const std::function<void(DiskJournal&)>& write) {
    store_.reset();
    {
      auto journal = test::OpenJournal(folder.path(), {});
      EXPECT_TRUE(journal.ok());
      write(**journal);
    }
    auto store = StoreReader::Open(folder.path());
    EXPECT_TRUE(store.ok());
    store_ = *std::move(store);
    seen_ = Inspect(*store_);
    EXPECT_TRUE(seen_.cut_short.ok()) << seen_.cut_short.ToString();
    return seen_;
  }
  JobRecord New(JobState state, int64_t created = 0) {
    JobRecord record = random.New();
    if (IsTerminal(state)) random.Ended(&record);
    record.life.state = state;
    record.created = WallTime(Nanos(created));
    return record;
  }
  int64_t Count(JobState state) const { return seen_.jobs[static_cast<size_t>(state)]; }

  test::TempFolder folder;
  RandomRecords random{5};
  std::unique_ptr<StoreReader> store_;
  Inspection seen_;
};

TEST_F(InspectTest, CountsJobsByStateAndFindsTheOneThatWaitsLongest) {
  const JobRecord oldest = New(JobState::kQueued, 20);
  See([&](DiskJournal& journal) {
    for (const JobRecord& record :
         {New(JobState::kQueued, 30), oldest, New(JobState::kRunning, 10), New(JobState::kScheduled, 10)}) {
      ASSERT_TRUE(Accept(journal, record).ok());
    }
    JobRecord ended = New(JobState::kQueued, 1);
    ASSERT_TRUE(Accept(journal, ended).ok());
    random.Ended(&ended);
    ended.life.state = JobState::kFailed;
    ASSERT_TRUE(Change(journal, ended).ok());
    JobRecord retried = New(JobState::kQueued, 1);
    ASSERT_TRUE(Accept(journal, retried).ok());
    random.Ended(&retried);
    ASSERT_TRUE(Change(journal, retried).ok());
    const dispatch::EndedJob was = EndedOf(retried);
    retried.life.state = JobState::kScheduled;
    ASSERT_TRUE(test::Revive(journal, retried, was).ok());
    const dispatch::SpentRequest spent{.request_id = "spent", .job = {1, 2}, .until = WallTime()};
    test::Forget(journal, {.id = spent.job}, &spent);
  });
  EXPECT_EQ(seen_.job_count(), 6);
  EXPECT_EQ(Count(JobState::kQueued), 2);
  EXPECT_EQ(Count(JobState::kRunning), 1);
  EXPECT_EQ(Count(JobState::kScheduled), 2) << "a job that is retried is not counted as failed";
  EXPECT_EQ(Count(JobState::kFailed), 1);
  EXPECT_EQ(seen_.unreadable, 0);
  EXPECT_EQ(seen_.spent_request_ids, 1);
  ASSERT_TRUE(seen_.oldest.has_value());
  EXPECT_EQ(seen_.oldest->id, oldest.id);
  EXPECT_EQ(seen_.oldest->kind, oldest.spec->kind);
  EXPECT_EQ(seen_.oldest->created, oldest.created);
}

TEST_F(InspectTest, AnEmptyStoreHoldsNothing) {
  See([](DiskJournal&) {});
  EXPECT_EQ(seen_.job_count(), 0);
  EXPECT_FALSE(seen_.oldest.has_value());
  EXPECT_EQ(seen_.format, store_->format());
  EXPECT_EQ(seen_.shelves.size(), kShelves);
}

TEST_F(InspectTest, GivesOneJobWithAllThatIsKnownOfItWhereverItsPayloadLies) {
  for (const size_t bytes : {size_t{0}, kInlinePayloadBytes, kInlinePayloadBytes + 1, size_t{100'000}}) {
    for (const bool ends : {false, true}) {
      SCOPED_TRACE(std::to_string(bytes) + (ends ? " has ended" : ""));
      JobRecord record = New(JobState::kQueued);
      auto spec = std::make_shared<JobSpec>(*record.spec);
      spec->payload = bytes == 0 ? nullptr : MakeBytes(std::string(bytes, 'p'));
      record.spec = spec;
      record.payload_bytes = static_cast<int64_t>(bytes);
      See([&](DiskJournal& journal) {
        ASSERT_TRUE(Accept(journal, record).ok());
        if (!ends) return;
        random.Ended(&record);
        SetResult(MakeBytes("the result"), &record);
        record.log_tail = MakeBytes("a line");
        ASSERT_TRUE(Change(journal, record).ok());
      });
      const Result<JobSnapshot> job = ReadJob(*store_, record.id);
      ASSERT_TRUE(job.ok()) << job.status().ToString();
      EXPECT_EQ(job->id, record.id);
      EXPECT_EQ(job->state, record.life.state);
      EXPECT_EQ(job->result.get() != nullptr, ends);
      EXPECT_EQ(job->log_tail, ends ? "a line" : "");
      EXPECT_EQ(PayloadOf(*job->spec), PayloadOf(*record.spec));
      EXPECT_EQ(job->history.size(), record.history.size());
      EXPECT_EQ(job->error, record.error);
    }
  }
  EXPECT_EQ(ReadJob(*store_, {1, 1}).status().reason(), "JOB_NOT_FOUND");
  // By name; in tables, or in the log.
  std::map<std::string, uint64_t> bytes;
  for (const StoreReader::ShelfUse& shelf : seen_.shelves) bytes[shelf.name] = shelf.bytes + shelf.logged;
  for (const char* shelf : {"spec", "live", "finished", "requests", "payload", "ended"})
    EXPECT_GT(bytes[shelf], 0u) << shelf;
  EXPECT_EQ(bytes.size(), kShelves);
}

}  // namespace
}  // namespace millrace::store
