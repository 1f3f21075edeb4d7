#include "store/verify.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "store/inspect.h"
#include "store/rocks_disk.h"
#include "store/rocks_journal.h"
#include "tests/support/journal_calls.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using dispatch::JobRecord;
using test::Accept;
using test::FilesOf;
using test::RandomRecords;
using enum store::Change::Kind;

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    auto journal = RocksJournal::Open(Store(), {});
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 10; ++i) {
      jobs.push_back(random.New());
      ASSERT_TRUE(Accept(**journal, jobs.back()).ok());
    }
    random.Ended(&jobs[0]);
    ASSERT_TRUE(test::Change(**journal, jobs[0]).ok());
    const dispatch::SpentRequest spent{.request_id = "spent", .job = {1, 2}, .until = WallTime()};
    (*journal)->Forget({.id = spent.job}, &spent);
  }
  // Behind the journal's back.
  void Write(std::vector<Change> changes) {
    auto disk = OpenRocksDisk(Store());
    ASSERT_TRUE(disk.ok());
    ASSERT_TRUE((*disk)->Write(changes).ok());
  }
  VerifyReport Check(size_t findings_max = 10) {
    auto report = Verify(folder.path(), findings_max);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return *report;
  }
  // The store has one problem, this one.
  Finding TheOnly(Problem problem) {
    const VerifyReport report = Check();
    EXPECT_EQ(report.problem_count(), 1);
    EXPECT_EQ(report.problems[static_cast<size_t>(problem)], 1) << ToString(problem);
    EXPECT_EQ(report.first.size(), 1u);
    return report.first.empty() ? Finding{} : report.first[0];
  }
  std::string Key(size_t job) const { return KeyOf(jobs[job].id); }
  std::string StateOf(size_t job) const { return EncodeState(jobs[job].id, PrepareState(jobs[job])); }
  std::string Store() const { return folder / "store"; }

  test::TempFolder folder;
  RandomRecords random{11};
  std::vector<JobRecord> jobs;
};

TEST_F(VerifyTest, ASoundStoreHasNoProblems) {
  const auto before = FilesOf(folder.path());
  const VerifyReport report = Check();
  EXPECT_EQ(report.problem_count(), 0);
  EXPECT_TRUE(report.first.empty());
  EXPECT_FALSE(report.cut_short);
  EXPECT_EQ(report.jobs, 10);
  EXPECT_EQ(report.spent_request_ids, 1);
  EXPECT_EQ(report.records, 23) << "the job that ended has a request id and an entry of retention as well";
  EXPECT_TRUE(FilesOf(folder.path()) == before) << "nothing on the disk has changed";
}

TEST_F(VerifyTest, AJobThatIsRetriedIsSoundWithItsOldRecordAmongTheFinished) {
  random.Live(&jobs[0]);
  Write({{kPut, Shelf::kLive, Key(0), StateOf(0)}});
  EXPECT_EQ(Check().problem_count(), 0);
}

TEST_F(VerifyTest, NamesARecordThatIsNotWhatWasWritten) {
  std::string state = StateOf(3);
  state.back() ^= 1;
  Write({{kPut, Shelf::kLive, Key(3), state}});
  const Finding found = TheOnly(Problem::kRecord);
  EXPECT_EQ(found.key, jobs[3].id.ToString());
  EXPECT_EQ(found.shelf, "spec+live");
  EXPECT_NE(found.what.find("checksum"), std::string::npos) << found.what;
}

TEST_F(VerifyTest, NamesARecordUnderAnothersKey) {
  Write({{kPut, Shelf::kLive, Key(3), StateOf(4)}});
  EXPECT_EQ(TheOnly(Problem::kRecord).key, jobs[3].id.ToString());
}

TEST_F(VerifyTest, NamesASpecWithoutAState) {
  Write({{kErase, Shelf::kLive, Key(3), {}}});
  const Finding found = TheOnly(Problem::kNoState);
  EXPECT_EQ(found.key, jobs[3].id.ToString());
  EXPECT_EQ(found.shelf, "spec");
}

TEST_F(VerifyTest, NamesAStateWithoutASpec) {
  Write({{kErase, Shelf::kSpec, Key(0), {}}});
  const Finding found = TheOnly(Problem::kNoSpec);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "finished");
}

TEST_F(VerifyTest, NamesAStateOnTheWrongShelf) {
  Write({{kErase, Shelf::kFinished, Key(0), {}}, {kPut, Shelf::kLive, Key(0), StateOf(0)}});
  const Finding found = TheOnly(Problem::kWrongShelf);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "live");
}

TEST_F(VerifyTest, NamesAKeyThatIsNoJobId) {
  Write({{kPut, Shelf::kFinished, "short", "x"}});
  const Finding found = TheOnly(Problem::kKey);
  EXPECT_EQ(found.key, "0x73686f7274");
  EXPECT_EQ(found.shelf, "finished");
}

TEST_F(VerifyTest, NamesARequestIdWhoseRecordIsDamaged) {
  Write({{kPut, Shelf::kRequests, "mine", "not what was written"}});
  const Finding found = TheOnly(Problem::kRecord);
  EXPECT_EQ(found.key, "mine");
  EXPECT_EQ(found.shelf, "requests");
}

TEST_F(VerifyTest, CountsAllProblemsAndNamesTheFirst) {
  std::vector<Change> changes;
  for (size_t job = 1; job < 8; ++job) changes.push_back({kErase, Shelf::kLive, Key(job), {}});
  Write(changes);
  const VerifyReport report = Check(3);
  EXPECT_EQ(report.problems[static_cast<size_t>(Problem::kNoState)], 7);
  EXPECT_EQ(report.first.size(), 3u);
}

TEST_F(VerifyTest, NamesAJobToInspectAsUnreadable) {
  Write({{kErase, Shelf::kLive, Key(3), {}}});
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok());
  const Inspection seen = Inspect(**store);
  EXPECT_EQ(seen.unreadable, 1);
  EXPECT_EQ(seen.job_count(), 10);
  EXPECT_EQ(ReadJob(**store, jobs[3].id).status().reason(), "STORE_DAMAGED");
}

// Any byte of any file: a report that says damaged, or one that says sound and is right, since every job is as it was written. Never
// anything else, and nothing on the disk changes.
TEST_F(VerifyTest, AFlippedBitAnywhereIsFoundOrMakesNoDifference) {
  RocksJournal::Open(Store(), {}).value().reset();  // What was in the log lies in tables.
  {
    auto journal = RocksJournal::Open(Store(), {});
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 10; ++i) {
      jobs.push_back(random.New());
      ASSERT_TRUE(Accept(**journal, jobs.back()).ok());
    }
  }
  std::vector<fs::path> files(fs::directory_iterator(Store()), fs::directory_iterator{});
  const std::string original = folder / "original";
  fs::rename(Store(), original);
  int damaged = 0, sound = 0;
  for (const fs::path& file : files) {
    const std::string name = file.filename();
    const std::string bytes = test::ReadFile(original + "/" + name);
    for (int round = 0; !bytes.empty() && round < 10; ++round) {
      fs::remove_all(Store());
      fs::copy(original, Store());
      std::string flipped = bytes;
      // The end of the log may be cut off: a crash does that.
      const size_t at = random.Below(name.ends_with(".log") ? bytes.size() / 2 : bytes.size());
      flipped[at] ^= static_cast<char>(1u << random.Below(8));
      test::WriteFile(file, flipped);
      const auto before = FilesOf(Store());
      const Result<VerifyReport> report = Verify(folder.path(), 10);
      EXPECT_TRUE(FilesOf(Store()) == before);
      if (!report.ok()) {
        EXPECT_FALSE(report.status().message().empty());
        ++damaged;
      } else if (report->problem_count() > 0) {
        EXPECT_FALSE(report->first.empty());
        ++damaged;
      } else {
        ++sound;
        EXPECT_EQ(report->jobs, static_cast<int64_t>(jobs.size())) << name << " byte " << at;
        auto store = StoreReader::Open(folder.path());
        ASSERT_TRUE(store.ok());
        for (const JobRecord& job : jobs) {
          const Result<JobSnapshot> read = ReadJob(**store, job.id);
          ASSERT_TRUE(read.ok()) << name << " byte " << at;
          EXPECT_EQ(PayloadOf(*read->spec), PayloadOf(*job.spec));
          EXPECT_EQ(read->state, job.life.state);
        }
      }
    }
  }
  EXPECT_GT(damaged, 20) << sound << " sound";
  EXPECT_GT(sound, 0) << "OPTIONS and IDENTITY hold nothing of ours";
}

TEST_F(VerifyTest, ATableThatCannotBeReadIsOneProblemAndInspectSaysWhatItCan) {
  RocksJournal::Open(Store(), {}).value().reset();
  std::vector<fs::path> files(fs::directory_iterator(Store()), fs::directory_iterator{});
  std::erase_if(files, [](const fs::path& file) { return file.extension() != ".sst"; });
  std::sort(files.begin(), files.end());  // By shelf: format, spec, live, finished, requests.
  ASSERT_EQ(files.size(), kShelves + 1);
  auto flip = [](const fs::path& file) {
    std::string bytes = test::ReadFile(file);
    bytes[10] ^= 1;
    test::WriteFile(file, bytes);
  };
  for (const fs::path& file : files) {
    if (file == files[0]) continue;
    flip(file);
    const Finding found = TheOnly(Problem::kFile);
    EXPECT_NE(found.what.find(file.filename().string()), std::string::npos) << found.what;
    flip(file);
  }
  EXPECT_EQ(Check().problem_count(), 0);
  flip(files[4]);
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok());
  const Inspection seen = Inspect(**store);
  EXPECT_EQ(seen.cut_short.reason(), "STORE_DAMAGED");
  EXPECT_EQ(seen.job_count(), 10);
  EXPECT_EQ(seen.spent_request_ids, 0);
}

TEST_F(VerifyTest, ALostTableIsAReport) {
  RocksJournal::Open(Store(), {}).value().reset();
  std::vector<fs::path> files(fs::directory_iterator(Store()), fs::directory_iterator{});
  std::erase_if(files, [](const fs::path& file) { return file.extension() != ".sst"; });
  ASSERT_FALSE(files.empty());
  fs::remove(files[0]);
  const VerifyReport report = Check();
  EXPECT_GT(report.problems[static_cast<size_t>(Problem::kFile)], 0);
  EXPECT_TRUE(report.cut_short);
  ASSERT_FALSE(report.first.empty());
  EXPECT_NE(report.first[0].what.find(files[0].stem().string()), std::string::npos) << report.first[0].what;
}

TEST_F(VerifyTest, WhatCannotBeCheckedIsAnError) {
  EXPECT_EQ(Verify(folder / "nothing", 1).status().reason(), "STORE_NOT_FOUND");
}

}  // namespace
}  // namespace millrace::store
