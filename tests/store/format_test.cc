// Stores that another version of the daemon wrote (server/store/FORMAT.md).
#include <gtest/gtest.h>

#include <filesystem>

#include "store/disk_journal.h"
#include "store/rocks/log_check.h"
#include "store/rocks/rocks_disk.h"
#include "store/tools/inspect.h"
#include "store/tools/verify.h"
#include "tests/support/format1_store.h"
#include "tests/support/journal_calls.h"
#include "tests/support/open_journal.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

using test::BareStore;
using test::Format1Store;

// With a shelf that this version does not know, and without one that it would make.
void MakeLater(const std::string& folder, bool in_table) {
  ASSERT_TRUE(OpenRocksDisk(folder).ok());
  {
    BareStore store(folder);
    store.SetFormat(std::to_string(kFormat + 1));
    store.Make("cron");
    store.Drop("payload");
  }
  if (in_table) {
    BareStore again(folder);  // What the logs have comes into tables when they are read.
  }
}

// Every file, RocksDB's LOCK and LOG among them: it takes no lock to read, and its words go into our log.
void ExpectRefusedAndLeft(const std::string& folder) {
  const auto before = test::FilesOf(folder);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Status status = OpenRocksDisk(folder).status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.reason(), "STORE_TOO_NEW") << status.ToString();
    EXPECT_NE(status.message().find("run a newer daemon"), std::string::npos);
    EXPECT_TRUE(test::FilesOf(folder) == before);
  }
}

TEST(Format, ALaterOneIsRefusedAndLeftAsItIs) {
  for (bool in_table : {false, true}) {
    SCOPED_TRACE(in_table ? "its number is in a table" : "its number is in the log only");
    test::TempFolder folder;
    MakeLater(folder.path(), in_table);
    ExpectRefusedAndLeft(folder.path());
    BareStore(folder.path()).SetFormat(std::to_string(kFormat));
    EXPECT_TRUE(OpenRocksDisk(folder.path()).ok());
  }
}

// All of which goes when a store of ours is opened.
TEST(Format, ALaterOneKeepsTheTornEndOfItsLogAndItsLeftovers) {
  const std::string torn[] = {"\1\2\3", std::string("\0\0\0\0\xff\0\1cut short", 16), std::string(3000, '\0')};
  for (bool in_table : {false, true}) {
    for (const std::string& end : torn) {
      SCOPED_TRACE(std::to_string(end.size()) + (in_table ? " bytes, its number is in a table" : " bytes"));
      test::TempFolder folder;
      MakeLater(folder.path(), in_table);
      const std::filesystem::path log = test::NewestFile(folder.path(), ".log");
      test::WriteFile(log, test::ReadFile(log) + end);
      test::WriteFile(folder / "MANIFEST-000001", "left over");
      test::WriteFile(folder / "000002.dbtmp", "left over");
      ASSERT_EQ(FindTorn(folder.path())->size(), 1u) << "in a store of ours it would stay as well";
      ExpectRefusedAndLeft(folder.path());
    }
  }
}

TEST(Format, TablesOfALaterFormatAreNotCalledDamage) {
  test::TempFolder folder;
  for (int life = 0; life < 2; ++life) ASSERT_TRUE(OpenRocksDisk(folder.path()).ok());
  const std::filesystem::path table = test::NewestFile(folder.path(), ".sst");
  std::string bytes = test::ReadFile(table);
  ASSERT_GT(bytes.size(), 53u);
  const size_t end = bytes.size() - 53;  // As in later_tables.cc.
  bytes[end + 41] = 6;
  test::WriteFile(table, bytes);
  EXPECT_EQ(OpenRocksDisk(folder.path()).status().reason(), "STORE_DAMAGED") << "a number alone may be damaged";
  bytes.replace(end + 1, 4, "\x3e\0\x7a\0", 4);
  test::WriteFile(table, bytes);
  ExpectRefusedAndLeft(folder.path());
}

TEST(Format, AStoreOfFormat1IsBroughtToThisOne) {
  test::TempFolder folder;
  const Format1Store written(folder / "store", 2500);  // More than one step of migration.
  std::map<JobId, std::string> expected;
  for (const auto& [id, job] : written.jobs) expected[id] = test::Print(job);
  for (int opened = 0; opened < 3; ++opened) {
    {
      auto journal = test::OpenJournal(folder / "store", {});
      ASSERT_TRUE(journal.ok()) << journal.status().ToString();
      EXPECT_EQ(test::Remembered(**journal), expected);
      std::map<std::string, dispatch::SpentRequest> found;
      EXPECT_TRUE((*journal)->LoadRequests([&](dispatch::SpentRequest each) { found[each.request_id] = each; }).ok());
      EXPECT_EQ(found, written.requests);
    }
    // The last time as if it had been interrupted before its end.
    if (opened == 1) BareStore(folder / "store").SetFormat("1");
    const Result<VerifyReport> report = Verify(folder.path(), 10);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(report->problem_count(), 0) << report->first[0].key << " " << report->first[0].what;
    EXPECT_EQ(report->jobs, 2500);
  }
}

// It has no shelf of large results.
TEST(Format, AStoreOfFormat2IsReadAsItIsAndBroughtToThisOne) {
  test::TempFolder folder;
  std::map<JobId, std::string> expected;
  {
    auto journal = test::OpenJournal(folder / "store", {});
    ASSERT_TRUE(journal.ok());
    test::RandomRecords random(12);
    for (int i = 0; i < 100; ++i) {
      dispatch::JobRecord record = random.New();
      ASSERT_TRUE(test::Accept(**journal, record).ok());
      if (i % 2 == 0) {
        random.Ended(&record);
        ASSERT_TRUE(test::Change(**journal, record).ok());
      }
      expected[record.id] = test::Print(record);
    }
  }
  {
    BareStore store(folder / "store");
    store.SetFormat("2");
    store.Drop("result");
  }
  const auto before = test::FilesOf(folder.path());
  const auto check = [&](int format) {
    auto store = StoreReader::Open(folder.path());
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    EXPECT_EQ(Inspect(**store).format, format);
    for (const auto& [id, job] : expected) EXPECT_TRUE(ReadJob(**store, id).ok());
    const Result<VerifyReport> report = Verify(folder.path(), 10);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(report->problem_count(), 0) << report->first[0].what;
    EXPECT_EQ(report->jobs, 100);
  };
  check(2);
  EXPECT_TRUE(test::FilesOf(folder.path()) == before) << "it is still what an older daemon can start on";
  {
    auto journal = test::OpenJournal(folder / "store", {});
    ASSERT_TRUE(journal.ok()) << journal.status().ToString();
    EXPECT_EQ(test::Remembered(**journal), expected);
  }
  check(3);
}

TEST(Format, AStoppedStoreOfFormat1IsInspectedAndVerifiedAsItIs) {
  test::TempFolder folder;
  const Format1Store written(folder / "store", 90);
  const auto before = test::FilesOf(folder.path());
  {
    auto store = StoreReader::Open(folder.path());
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    const Inspection seen = Inspect(**store);
    EXPECT_EQ(seen.format, 1);
    EXPECT_TRUE(seen.cut_short.ok());
    EXPECT_EQ(seen.unreadable, 0);
    EXPECT_EQ(seen.job_count(), 90);
    EXPECT_EQ(seen.request_ids, 45);
    EXPECT_EQ(seen.spent_request_ids, 1);
    EXPECT_EQ(seen.shelves.size(), 4u);
    std::array<int64_t, kJobStates> states{};
    for (const auto& [id, job] : written.jobs) {
      ++states[static_cast<size_t>(job.life.state)];
      const Result<JobSnapshot> read = ReadJob(**store, id);
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      EXPECT_EQ(read->state, job.life.state);
      EXPECT_EQ(PayloadOf(*read->spec), PayloadOf(*job.spec));
    }
    EXPECT_EQ(seen.jobs, states);
  }
  const Result<VerifyReport> report = Verify(folder.path(), 10);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->problem_count(), 0) << report->first[0].what;
  EXPECT_EQ(report->jobs, 90);
  EXPECT_EQ(report->records, 90 + 120 + 1) << "those that were retried have two states";
  EXPECT_TRUE(test::FilesOf(folder.path()) == before) << "it is still what an older daemon can start on";
}

TEST(Format, OneThatNeverWasIsDamage) {
  test::TempFolder folder;
  ASSERT_TRUE(OpenRocksDisk(folder.path()).ok());
  for (const char* format : {"0", "-1", "", "1x", "one"}) {
    BareStore(folder.path()).SetFormat(format);
    EXPECT_EQ(OpenRocksDisk(folder.path()).status().reason(), "STORE_DAMAGED") << format;
  }
}

}  // namespace
}  // namespace millrace::store
