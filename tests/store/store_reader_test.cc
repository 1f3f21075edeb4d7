#include "store/tools/store_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"
#include "store/tools/verify.h"
#include "tests/support/journal_calls.h"
#include "tests/support/open_journal.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

using dispatch::JobRecord;
using test::Accept;
using test::FilesOf;
using test::RandomRecords;
using test::TempFolder;

// Jobs of which some lie in tables and some in the log only.
std::map<JobId, JobRecord> Fill(const std::string& folder, int jobs) {
  std::map<JobId, JobRecord> written;
  RandomRecords random(1);
  for (int half = 0; half < 2; ++half) {
    auto journal = test::OpenJournal(folder, {});
    EXPECT_TRUE(journal.ok());
    for (int i = 0; i < jobs / 2; ++i) {
      const JobRecord record = random.New();
      EXPECT_TRUE(Accept(**journal, record).ok());
      written[record.id] = record;
    }
  }
  return written;
}

TEST(StoreReader, ReadsWhatLiesInTablesAndInTheLog) {
  TempFolder folder;
  const std::map<JobId, JobRecord> written = Fill(folder / "store", 40);
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  EXPECT_EQ((*store)->folder(), folder / "store");
  EXPECT_EQ((*store)->format(), kFormat);
  auto job = written.begin();
  auto specs = (*store)->Read(Shelf::kSpec);
  for (; specs->AtKey(); specs->Next(), ++job) {
    ASSERT_NE(job, written.end());
    EXPECT_EQ(specs->key(), KeyOf(job->first));
    auto got = (*store)->Get(Shelf::kSpec, specs->key());
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(**got, specs->value());
  }
  EXPECT_TRUE(specs->status().ok());
  EXPECT_EQ(job, written.end());
  EXPECT_FALSE((*store)->Get(Shelf::kSpec, "no such key")->has_value());
  EXPECT_TRUE((*store)->VerifyFiles().ok());

  uint64_t files = 0, bytes = 0, logged = 0;
  for (const StoreReader::ShelfUse& shelf : (*store)->Shelves()) {
    if (shelf.name != "spec") continue;
    files = shelf.files;
    bytes = shelf.bytes;
    logged = shelf.logged;
  }
  EXPECT_GT(files, 0u);
  EXPECT_GT(bytes, 0u);
  EXPECT_EQ(logged, 20u);
  const StoreReader::DiskUse use = (*store)->Use();
  EXPECT_EQ(use.files, FilesOf(folder / "store").size());
  EXPECT_GT(use.bytes, use.log_bytes);
  EXPECT_GT(use.log_bytes, 0u);
}

// What was not synced when the machine stopped has a hole, and whole batches after it: a daemon cuts off all of it.
TEST(StoreReader, SeesOfATornLogWhatADaemonWillFindAndLeavesItAsItIs) {
  TempFolder folder;
  RandomRecords random(1);
  {
    auto journal = test::OpenJournal(folder.path(), {.durability = Durability::kNone});
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 200; ++i) {
      JobRecord record = random.New();
      record.history.clear();
      ASSERT_TRUE(Accept(**journal, record).ok());
    }
  }
  std::filesystem::path log;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    if (file.path().extension() == ".log" && file.file_size() > 0) log = file.path();
  }
  std::string bytes = test::ReadFile(log);
  ASSERT_GT(bytes.size(), size_t{4} << 15) << "RocksDB goes on behind a hole with the next block";
  bytes.replace(size_t{40} << 10, 4096, 4096, '\0');
  test::WriteFile(log, bytes);
  const auto before = FilesOf(folder.path());
  const auto report = Verify(folder.path(), 5);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->problem_count(), 0) << report->first[0].what;
  EXPECT_GT(report->jobs, 0);
  EXPECT_LT(report->jobs, 100);
  EXPECT_TRUE(FilesOf(folder.path()) == before);
  auto journal = test::OpenJournal(folder.path(), {});
  ASSERT_TRUE(journal.ok()) << journal.status().ToString();
  EXPECT_EQ(test::Remembered(**journal).size(), static_cast<size_t>(report->jobs));
}

// RocksDB takes that for the end of the log, or steps over it.
TEST(StoreReader, NamesALogInWhichAHoleWasMadeAfterItWasSynced) {
  TempFolder folder;
  Fill(folder.path(), 40);
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    if (file.path().extension() != ".log" || file.file_size() == 0) continue;
    std::string bytes = test::ReadFile(file.path());
    bytes.replace(512, 512, 512, '\0');
    test::WriteFile(file.path(), bytes);
  }
  EXPECT_EQ(StoreReader::Open(folder.path()).status().reason(), "STORE_DAMAGED");
}

TEST(StoreReader, ChangesNothingOnTheDisk) {
  TempFolder folder;
  Fill(folder / "store", 20);
  const auto before = FilesOf(folder.path());
  {
    auto store = StoreReader::Open(folder / "store");
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    for (auto at = (*store)->Read(Shelf::kLive); at->AtKey(); at->Next()) {
    }
    EXPECT_TRUE((*store)->VerifyFiles().ok());
  }
  EXPECT_TRUE(FilesOf(folder.path()) == before);
}

TEST(StoreReader, KeepsADaemonOutWhileItReadsAndNoOtherReader) {
  TempFolder folder;
  Fill(folder.path(), 2);
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    if (file.path().extension() == ".log" && file.file_size() > 3) {
      std::filesystem::resize_file(file.path(), file.file_size() - 3);
    }
  }
  {
    auto store = StoreReader::Open(folder.path());
    ASSERT_TRUE(store.ok());
    // What a starting daemon would mend, the torn end of a log among it, is left alone as well.
    const auto before = FilesOf(folder.path());
    EXPECT_EQ(test::OpenJournal(folder.path(), {}).status().reason(), "STORE_IN_USE");
    EXPECT_TRUE(FilesOf(folder.path()) == before);
    EXPECT_TRUE(StoreReader::Open(folder.path()).ok());
  }
  EXPECT_TRUE(test::OpenJournal(folder.path(), {}).ok());
}

// Run by the test below in a process of its own, whose number is to be named. Ends with its standard input.
TEST(StoreReaderChild, DISABLED_HasTheStoreOpen) {
  const char* folder = getenv("MILLRACE_STORE");
  ASSERT_NE(folder, nullptr);
  auto journal = test::OpenJournal(folder, {});
  ASSERT_TRUE(journal.ok());
  ASSERT_EQ(write(STDERR_FILENO, "!", 1), 1);
  char byte;
  EXPECT_EQ(read(STDIN_FILENO, &byte, 1), 0);
}

TEST(StoreReader, ARunningDaemonsStoreIsRefusedWithItsProcess) {
  TempFolder folder;
  Fill(folder.path(), 2);
  int opened[2], end[2];
  ASSERT_EQ(pipe2(opened, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(end, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, opened[1], STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, end[0], STDIN_FILENO);
  std::string store = "MILLRACE_STORE=" + folder.path();
  std::string arguments[] = {"store_test", "--gtest_also_run_disabled_tests", "--gtest_brief=1",
                             "--gtest_filter=StoreReaderChild.DISABLED_HasTheStoreOpen"};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(), nullptr};
  char* env[] = {store.data(), nullptr};
  pid_t child;
  ASSERT_EQ(posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv, env), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(opened[1]);
  close(end[0]);
  // The store's log goes there as well, but not before.
  char byte = 0;
  while (byte != '!' && read(opened[0], &byte, 1) == 1) {
  }
  EXPECT_EQ(byte, '!');
  const Status status = StoreReader::Open(folder.path()).status();
  EXPECT_EQ(status.reason(), "STORE_IN_USE");
  EXPECT_NE(status.message().find("process " + std::to_string(child)), std::string::npos) << status.ToString();
  EXPECT_NE(status.message().find("millrace admin backup"), std::string::npos);
  close(end[1]);
  int ended = 0;
  ASSERT_EQ(waitpid(child, &ended, 0), child);
  EXPECT_EQ(ended, 0);
  close(opened[0]);
  EXPECT_TRUE(StoreReader::Open(folder.path()).ok());
}

TEST(StoreReader, AFolderWithoutAStoreIsNotFound) {
  TempFolder folder;
  EXPECT_EQ(StoreReader::Open(folder.path()).status().reason(), "STORE_NOT_FOUND");
  EXPECT_EQ(StoreReader::Open(folder / "nothing").status().reason(), "STORE_NOT_FOUND");
  test::WriteFile(folder / "file", "");
  EXPECT_EQ(StoreReader::Open(folder / "file").status().reason(), "STORE_NOT_FOUND");
  EXPECT_EQ(StoreReader::Open("").status().reason(), "STORE_NOT_FOUND");
}

TEST(StoreReader, AStoreFromTheFutureIsRefused) {
  TempFolder folder;
  Fill(folder.path(), 2);
  {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, folder.path(), &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, folder.path(), descriptors, &handles, &db).ok());
    ASSERT_TRUE(db->Put({}, "format", std::to_string(kFormat + 1)).ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
  }
  EXPECT_EQ(StoreReader::Open(folder.path()).status().reason(), "STORE_TOO_NEW");
}

TEST(StoreReader, AStoreWhoseFilesAreGoneIsDamaged) {
  TempFolder folder;
  Fill(folder.path(), 2);
  std::filesystem::remove(folder / "CURRENT");
  EXPECT_EQ(StoreReader::Open(folder.path()).status().reason(), "STORE_DAMAGED");
}

}  // namespace
}  // namespace millrace::store
