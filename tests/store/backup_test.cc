#include "store/backup.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"
#include "store/tools/verify.h"
#include "tests/support/journal_calls.h"
#include "tests/support/open_journal.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using dispatch::BackupReport;
using dispatch::JobRecord;
using test::Accept;
using test::Print;
using test::RandomRecords;
using test::Remembered;
using test::TempFolder;

// What lies beside and in the folder, by name.
std::set<std::string> NamesIn(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& file : fs::directory_iterator(folder)) names.insert(file.path().filename());
  return names;
}

mode_t ModeOf(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

class BackupTest : public testing::TestWithParam<Durability> {
 protected:
  void SetUp() override {
    auto opened = test::OpenJournal(folder / "store", {.durability = GetParam()});
    ASSERT_TRUE(opened.ok());
    journal = *std::move(opened);
  }
  Result<BackupReport> Backup(const std::string& to) {
    return MakeBackup(to, data_dir, [this](const std::string& copy) { return journal->Checkpoint(copy); });
  }
  void AcceptSome(int count) {
    for (int i = 0; i < count; ++i) {
      JobRecord record = random.New();
      ASSERT_TRUE(Accept(*journal, record).ok());
      if (random.Chance()) {
        random.Ended(&record);
        ASSERT_TRUE(test::Change(*journal, record).ok());
      }
      written[record.id] = Print(record);
    }
  }
  static std::map<JobId, std::string> JobsIn(const std::string& backup) {
    auto opened = test::OpenJournal(backup + "/store", {});
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    return opened.ok() ? Remembered(**opened) : std::map<JobId, std::string>();
  }

  TempFolder folder;
  std::string data_dir = folder / "data";  // Not there, unless a test makes it.
  RandomRecords random{3};
  std::map<JobId, std::string> written;
  std::unique_ptr<DiskJournal> journal;
};

INSTANTIATE_TEST_SUITE_P(Mode, BackupTest,
                         testing::Values(Durability::kFsync, Durability::kInterval, Durability::kNone),
                         [](const auto& mode) { return std::string(ToString(mode.param)); });

TEST_P(BackupTest, HoldsWhatWasAcknowledgedBeforeAndADaemonCanStartOnIt) {
  AcceptSome(30);
  // What was in the log lies in tables now, and more comes into a new log.
  journal.reset();
  SetUp();
  AcceptSome(30);
  const Result<BackupReport> report = Backup(folder / "copy");
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  const std::map<JobId, std::string> at_backup = written;
  AcceptSome(30);
  EXPECT_EQ(report->folder, folder / "copy");
  const auto files = test::FilesOf(folder / "copy/store");
  EXPECT_EQ(report->files, static_cast<int64_t>(files.size()));
  int64_t bytes = 0;
  for (const auto& [name, file] : files) bytes += static_cast<int64_t>(file.first.size());
  EXPECT_EQ(report->bytes, bytes);

  const auto checked = Verify(folder / "copy", 10);
  ASSERT_TRUE(checked.ok()) << checked.status().ToString();
  EXPECT_EQ(checked->problem_count(), 0);
  EXPECT_EQ(JobsIn(folder / "copy"), at_backup) << "nothing later either, since nobody wrote meanwhile";
  journal.reset();
  SetUp();
  EXPECT_EQ(Remembered(*journal), written) << "the store is what it was";
}

TEST_P(BackupTest, CommitsGoOnMeanwhileAndEachBackupIsWhole) {
  std::atomic<bool> end{false};
  std::mutex lock;
  std::thread submitter([&] {
    RandomRecords mine(77);
    while (!end.load()) {
      const JobRecord record = mine.New();
      ASSERT_TRUE(Accept(*journal, record).ok());
      std::lock_guard guard(lock);
      written[record.id] = Print(record);
    }
  });
  auto count = [&] {
    std::lock_guard guard(lock);
    return written.size();
  };
  std::vector<std::map<JobId, std::string>> acknowledged;
  for (int i = 0; i < 5; ++i) {
    for (const size_t more = count() + 20; count() < more;) std::this_thread::yield();
    {
      std::lock_guard guard(lock);
      acknowledged.push_back(written);
    }
    const Result<BackupReport> report = Backup(folder / std::to_string(i));
    EXPECT_TRUE(report.ok()) << report.status().ToString();
  }
  end.store(true);
  submitter.join();
  for (size_t i = 0; i < acknowledged.size(); ++i) {
    const std::map<JobId, std::string> found = JobsIn(folder / std::to_string(i));
    for (const auto& [id, print] : acknowledged[i]) {
      const auto job = found.find(id);
      ASSERT_NE(job, found.end()) << "backup " << i << " lacks a job that was acknowledged before it";
      EXPECT_EQ(job->second, print);
    }
    for (const auto& [id, print] : found) EXPECT_EQ(written[id], print) << "a job that never was";
  }
}

using BackupFolder = BackupTest;
INSTANTIATE_TEST_SUITE_P(Fsync, BackupFolder, testing::Values(Durability::kFsync),
                         [](const auto&) { return std::string("FSYNC"); });

TEST_P(BackupFolder, IsForItsOwnerOnly) {
  AcceptSome(3);
  const mode_t before = umask(0);
  const Result<BackupReport> report = Backup(folder / "copy");
  umask(before);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(ModeOf(folder / "copy"), 0700u);
  EXPECT_EQ(ModeOf(folder / "copy/store"), 0700u);
  for (const auto& file : fs::directory_iterator(folder / "copy/store")) {
    EXPECT_EQ(ModeOf(file.path()), 0600u) << file.path();
  }
  EXPECT_EQ(NamesIn(folder.path()), (std::set<std::string>{"copy", "store"})) << "nothing half-made is left";
}

TEST_P(BackupFolder, MayBeThereWhenItIsEmpty) {
  AcceptSome(3);
  fs::create_directory(folder / "empty");
  ASSERT_TRUE(Backup(folder / "empty/").ok());
  EXPECT_EQ(JobsIn(folder / "empty"), written);
  EXPECT_EQ(ModeOf(folder / "empty"), 0700u);

  const Status again = Backup(folder / "empty").status();
  EXPECT_EQ(again.reason(), "FOLDER_NOT_EMPTY") << again.ToString();
  EXPECT_EQ(JobsIn(folder / "empty"), written) << "and is left as it was";
}

TEST_P(BackupFolder, ThatCannotBeIsRefusedWithTheReason) {
  EXPECT_EQ(Backup("relative").status().reason(), "BAD_FOLDER");
  EXPECT_EQ(Backup("").status().reason(), "BAD_FOLDER");
  EXPECT_EQ(Backup("/").status().reason(), "BAD_FOLDER");
  EXPECT_EQ(Backup(folder / "no/such").status().reason(), "FOLDER_UNUSABLE");
  test::WriteFile(folder / "file", "");
  EXPECT_EQ(Backup(folder / "file").status().reason(), "FOLDER_UNUSABLE");
  // The superuser may write anywhere but there.
  EXPECT_EQ(Backup("/proc/millrace").status().reason(), "FOLDER_UNUSABLE");
  const Status mounted = Backup("/proc").status();
  EXPECT_EQ(mounted.reason(), "FOLDER_UNUSABLE");
  EXPECT_NE(mounted.message().find("name a folder inside it"), std::string::npos) << mounted.ToString();
  EXPECT_EQ(NamesIn(folder.path()), (std::set<std::string>{"file", "store"}));
}

TEST_P(BackupFolder, IsNeverTheDataFolderNorInItNorAroundItWhateverItsName) {
  // As a daemon has it.
  journal.reset();
  fs::create_directory(data_dir);
  fs::rename(folder / "store", data_dir + "/store");
  auto opened = test::OpenJournal(data_dir + "/store", {.durability = GetParam()});
  ASSERT_TRUE(opened.ok());
  journal = *std::move(opened);
  fs::create_directory(folder / "other");
  fs::create_directory_symlink(data_dir, folder / "link");
  fs::create_directory_symlink(data_dir + "/store", folder / "other/deep");
  const auto before = NamesIn(data_dir + "/store");
  for (const std::string& place :
       {data_dir, data_dir + "/copy", data_dir + "/store", data_dir + "/store/000020.log", folder / "link/copy",
        folder / "other/../data/copy", folder / "other/deep/000020.log", folder / "other/deep/../copy",
        folder / "link/store//000020.log/", folder.path(), folder / "link"}) {
    EXPECT_EQ(Backup(place).status().reason(), "FOLDER_UNUSABLE") << place;
  }
  for (const std::string& place : {folder / "other/..", folder / "other/.", std::string("/")}) {
    EXPECT_EQ(Backup(place).status().reason(), "BAD_FOLDER") << place;
  }
  EXPECT_EQ(NamesIn(data_dir), std::set<std::string>{"store"});
  EXPECT_EQ(NamesIn(data_dir + "/store"), before);
  EXPECT_TRUE(Backup(folder / "other/../copy").ok()) << "a detour that leads elsewhere is none of ours";
  EXPECT_TRUE(fs::exists(folder / "copy/store"));
}

TEST_P(BackupFolder, OfSomebodyElseIsNotReplaced) {
  fs::create_directory(folder / "theirs");
  if (chown((folder / "theirs").c_str(), 12345, static_cast<gid_t>(-1)) != 0) GTEST_SKIP() << "only root gives away";
  const Status status = Backup(folder / "theirs").status();
  EXPECT_EQ(status.reason(), "FOLDER_UNUSABLE");
  EXPECT_NE(status.message().find("belongs to another user"), std::string::npos) << status.ToString();
}

// What had such a name was once accepted as a place for a backup.
TEST_P(BackupFolder, ThatStandsInTheWayOfTheStoreIsNamedAtTheStart) {
  AcceptSome(3);
  journal.reset();
  fs::create_directory(folder / "store/000099.log");
  auto opened = test::OpenJournal(folder / "store", {});
  EXPECT_EQ(opened.status().reason(), "STORE_FAILED");
  EXPECT_NE(opened.status().message().find("store/000099.log is no file"), std::string::npos)
      << opened.status().ToString();
  fs::remove(folder / "store/000099.log");
  SetUp();
  EXPECT_EQ(Remembered(*journal), written);
  // Folders of other names are nobody's business.
  journal.reset();
  fs::create_directory(folder / "store/lost+found");
  SetUp();
}

TEST_P(BackupFolder, OfAStoreIsNotTakenForADataFolder) {
  AcceptSome(3);
  journal.reset();
  EXPECT_EQ(test::OpenJournal(folder / "store/store", {}).status().reason(), "DATA_DIR_UNUSABLE");
  EXPECT_FALSE(fs::exists(folder / "store/store"));
}

TEST_P(BackupFolder, OfABackupThatFailedIsNotThere) {
  const Result<BackupReport> report = MakeBackup(folder / "copy", "", [](const std::string& store) {
    fs::create_directories(store + ".tmp");
    test::WriteFile(store + ".tmp/000012.sst", "half a table");
    return Unavailable("DISK_FULL", "no room");
  });
  EXPECT_EQ(report.status().reason(), "DISK_FULL");
  EXPECT_EQ(NamesIn(folder.path()), (std::set<std::string>{"store"}));
}

// A limit on the size of files stands for the end of the disk.
TEST_P(BackupFolder, WithoutRoomIsNotThereAndTheStoreGoesOn) {
  AcceptSome(30);
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 2000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = Backup(folder / "copy").status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.ToString();
  EXPECT_EQ(NamesIn(folder.path()), (std::set<std::string>{"store"}));
  AcceptSome(3);
  EXPECT_TRUE(journal->Health().ok());
  EXPECT_TRUE(Backup(folder / "copy").ok()) << "when there is room";
  EXPECT_EQ(JobsIn(folder / "copy"), written);
}

TEST_P(BackupFolder, OnAnotherFileSystemIsCopied) {
  struct stat here {
  }, there{};
  if (stat(folder.path().c_str(), &here) != 0 || stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev) {
    GTEST_SKIP() << "/dev/shm is no file system of its own";
  }
  std::string other = "/dev/shm/millrace-test-XXXXXX";
  ASSERT_NE(mkdtemp(other.data()), nullptr);
  AcceptSome(30);
  journal.reset();
  SetUp();  // Tables and a log.
  AcceptSome(5);
  const Result<BackupReport> report = Backup(other + "/copy");
  EXPECT_TRUE(report.ok()) << report.status().ToString();
  if (report.ok()) {
    EXPECT_EQ(JobsIn(other + "/copy"), written);
  }
  fs::remove_all(other);
}

// ---- The thread that makes them -----------------------------------------------------------------------------------

// A checkpoint that ends when the test says so.
class Held {
 public:
  Status operator()(const std::string& folder) {
    fs::create_directory(folder);
    begun_.set_value();
    go_on_.get_future().wait();
    return OkStatus();
  }
  void AwaitBegin() { begun_.get_future().wait(); }
  void LetGo() { go_on_.set_value(); }

 private:
  std::promise<void> begun_, go_on_;
};

TEST(Backups, AreMadeOneAtATimeAndAnsweredWhenTheyAreWhole) {
  TempFolder folder;
  Held held;
  std::promise<Result<BackupReport>> first, second, third;
  int calls = 0;
  Backups backups("", [&](const std::string& store) { return ++calls == 1 ? held(store) : OkStatus(); });
  backups.Start(folder / "first", [&](Result<BackupReport> report) { first.set_value(std::move(report)); });
  held.AwaitBegin();
  backups.Start(folder / "second", [&](Result<BackupReport> report) { second.set_value(std::move(report)); });
  EXPECT_EQ(second.get_future().get().status().reason(), "BACKUP_RUNNING");
  EXPECT_FALSE(fs::exists(folder / "first")) << "not before it is whole";
  held.LetGo();
  EXPECT_TRUE(first.get_future().get().ok());
  EXPECT_TRUE(fs::exists(folder / "first/store"));
  // One that makes no folder: the next error is told as well.
  backups.Start(folder / "third", [&](Result<BackupReport> report) { third.set_value(std::move(report)); });
  EXPECT_EQ(third.get_future().get().status().reason(), "BACKUP_FAILED");
  EXPECT_EQ(NamesIn(folder.path()), std::set<std::string>{"first"});
}

// The system is asked for threads with stacks that no address space has.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    EXPECT_EQ(pthread_getattr_default_np(&before_), 0);
    pthread_attr_t greedy;
    EXPECT_EQ(pthread_attr_init(&greedy), 0);
    EXPECT_EQ(pthread_attr_setstacksize(&greedy, size_t{1} << 60), 0);
    EXPECT_EQ(pthread_setattr_default_np(&greedy), 0);
    pthread_attr_destroy(&greedy);
  }
  ~NoMoreThreads() {
    EXPECT_EQ(pthread_setattr_default_np(&before_), 0);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

TEST(Backups, OneThatGetsNoThreadIsRefusedAndTheNextOneIsMade) {
  TempFolder folder;
  Backups backups("", [](const std::string& store) {
    fs::create_directory(store);
    return OkStatus();
  });
  Status refused;
  {
    NoMoreThreads none;
    backups.Start(folder / "first", [&](Result<BackupReport> report) { refused = report.status(); });
  }
  EXPECT_EQ(refused.reason(), "NO_THREAD") << refused.ToString();
  std::promise<Result<BackupReport>> second;
  backups.Start(folder / "second", [&](Result<BackupReport> report) { second.set_value(std::move(report)); });
  const Result<BackupReport> made = second.get_future().get();
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  EXPECT_EQ(NamesIn(folder.path()), std::set<std::string>{"second"});
}

TEST(Backups, StopWaitsForTheOneUnderWayAndRefusesLaterOnes) {
  TempFolder folder;
  Held held;
  std::promise<Result<BackupReport>> first;
  Backups backups("", [&](const std::string& store) { return held(store); });
  backups.Start(folder / "first", [&](Result<BackupReport> report) { first.set_value(std::move(report)); });
  held.AwaitBegin();
  std::thread stopper([&] { backups.Stop(); });
  held.LetGo();
  stopper.join();
  auto done = first.get_future();
  ASSERT_EQ(done.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_TRUE(done.get().ok());
  Status late;
  backups.Start(folder / "late", [&](Result<BackupReport> report) { late = report.status(); });
  EXPECT_EQ(late.reason(), "DRAINING");
}

}  // namespace
}  // namespace millrace::store
