// The journal on disks that fail: what is told, and really full, really read-only, gone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"
#include "tests/store/failing_disk_fixture.h"
#include "tests/support/open_journal.h"
#include "tests/support/own_mounts.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using test::kNoMounts;
using test::SmallDisk;
using test::WithOwnMounts;

// ---- What is told -------------------------------------------------------------------------------------------------

TEST(FailingDisk, EachErrorSaysWhatToDo) {
  TempFolder folder;
  const std::string store = folder / "store";
  FailingDisk disk(store);
  auto journal = Open(store);
  Work work(1, 100);
  const struct {
    int error;
    const char* reason;
    const char* words;
  } kCases[] = {
      {ENOSPC, "DISK_FULL", "make room"},           {EDQUOT, "DISK_FULL", "quota"},
      {EROFS, "STORE_FAILED", "mount it writable"}, {EIO, "STORE_FAILED", "replace the disk"},
      {EACCES, "STORE_FAILED", "to the user"},      {EFBIG, "STORE_FAILED", "ulimit -f"},
  };
  for (const auto& each : kCases) {
    // Only the log fails: a table that is still compacted after the store was opened again would otherwise feel the
    // error first, and a background error would be counted in place of a write error.
    disk.Set({.ops = FailingDisk::kWrite, .error = each.error, .suffix = ".log"});
    for (int i = 0; i < 2; ++i) {
      EXPECT_FALSE(work.Submit(*journal));
      ExpectTold(work.said(), each.reason, store, each.words);
    }
    EXPECT_TRUE(journal->Stats().failing);
    disk.Heal();
    AwaitWell(*journal);
    EXPECT_FALSE(journal->Stats().failing);
    EXPECT_TRUE(work.Submit(*journal));
  }
  EXPECT_GE(journal->Stats().write_errors, 6u);
  EXPECT_EQ(journal->Stats().sync_errors, 0u);
  disk.Set({.ops = FailingDisk::kSync, .error = EIO, .times = 1, .suffix = ".log"});
  EXPECT_FALSE(work.Submit(*journal));
  EXPECT_EQ(journal->Stats().sync_errors, 1u);
}

TEST(FailingDisk, ATableThatCannotBeWrittenIsToldAlsoWhenNobodySubmits) {
  TempFolder folder;
  const std::string store = folder / "store";
  FailingDisk disk(store);
  auto journal = Open(store, kRetryNever);
  Work work(2, 3000);
  disk.Set({.ops = FailingDisk::kWrite, .error = ENOSPC, .suffix = ".sst"});
  // Until the first table is begun; each of these is in the log already and stays acknowledged.
  while (disk.failed() == 0) work.Step(*journal);
  while (journal->Health().ok()) std::this_thread::yield();
  ExpectTold(journal->Health(), "DISK_FULL", store, "make room");
  EXPECT_GE(journal->Stats().background_errors, 1u);
  disk.Heal();
  journal->Stop();
  journal.reset();
  journal = Open(store);
  work.ExpectAll(*journal);
}

// ---- Real disks ---------------------------------------------------------------------------------------------------

TEST(SmallDisk, TheFirstFilesNeedRoom) {
  WithOwnMounts([] {
    SmallDisk disk(4096);
    const std::string store = disk / "store";
    int refused = 0;
    for (size_t bytes = 4096;; bytes += 4096) {
      disk.Resize(bytes);
      const Status status = OpenRocksDisk(store).status();
      if (status.ok()) break;
      ExpectTold(status, "DISK_FULL", store, "make room");
      ++refused;
    }
    EXPECT_GE(refused, 3);
    disk.Resize(size_t{64} << 20);
    auto journal = Open(store);
    Work work(3, 100);
    EXPECT_TRUE(work.Submit(*journal));
    journal.reset();
    work.ExpectAll(*Open(store));
  });
}

// Each size is full at another moment: in the log, in a table, in a compaction, in the manifest.
TEST(SmallDisk, IsFullAtAnyMomentAndAcceptsAgainWhenThereIsRoom) {
  WithOwnMounts([] {
    for (size_t kilobytes = 512; kilobytes <= 3072; kilobytes += 500) {
      SCOPED_TRACE(kilobytes);
      SmallDisk disk(kilobytes << 10);
      const std::string store = disk / "store";
      auto journal = Open(store);
      Work work(static_cast<unsigned>(kilobytes), 4000);
      for (int i = 0; work.Step(*journal); ++i) ASSERT_LT(i, 5000) << "it was never full";
      ExpectTold(work.said(), "DISK_FULL", store, "make room");
      const size_t before = work.known();
      // It tries, and may succeed, since opening tidies up. What it needs for that does not grow.
      for (int i = 0; i < 20; ++i) work.Step(*journal);
      disk.Resize(size_t{64} << 20);
      do {
        AwaitWell(*journal);
      } while (!work.Submit(*journal));
      EXPECT_GT(work.known(), before);
      journal->Stop();
      journal.reset();
      work.ExpectAll(*Open(store));
    }
  });
}

TEST(SmallDisk, TryingAgainAndAgainOnAFullDiskLeavesNothingBehind) {
  WithOwnMounts([] {
    SmallDisk disk(size_t{1} << 20);
    const std::string store = disk / "store";
    auto journal = Open(store, kRetrySoon, {});
    Work work(4, 20'000);
    while (work.Submit(*journal)) {
    }
    AwaitAttempts(*journal, 3);
    const auto files = std::distance(fs::directory_iterator(store), fs::directory_iterator{});
    AwaitAttempts(*journal, 8);
    const auto later = std::distance(fs::directory_iterator(store), fs::directory_iterator{});
    EXPECT_LE(later, files + 4) << "a file for each attempt";
    disk.Resize(size_t{64} << 20);
    AwaitWell(*journal);
    EXPECT_TRUE(work.Submit(*journal));
    journal.reset();
    work.ExpectAll(*Open(store));
  });
}

TEST(SmallDisk, BecomesReadOnlyAndWritableAgain) {
  WithOwnMounts([] {
    constexpr size_t kFull = size_t{1} << 20, kRoom = size_t{64} << 20;
    SmallDisk disk(kFull);
    const std::string store = disk / "store";
    auto journal = Open(store, kRetrySoon, {});
    Work work(5, 20'000);
    while (work.Submit(*journal)) {
    }
    // Full, so that nothing is open for writing between two attempts, which would keep the kernel from it.
    while (!disk.TryReadOnly(kFull)) std::this_thread::yield();
    while (journal->Health().message().find("read-only") == std::string::npos) std::this_thread::yield();
    EXPECT_FALSE(work.Submit(*journal));
    ExpectTold(work.said(), "STORE_FAILED", store, "mount it writable");
    disk.Resize(kRoom);
    AwaitWell(*journal);
    EXPECT_TRUE(work.Submit(*journal));
    journal.reset();
    ASSERT_TRUE(disk.TryReadOnly(kRoom));
    ExpectTold(test::OpenJournal(store, {}).status(), "STORE_FAILED", store, "mount it writable");
    ExpectTold(test::OpenJournal(disk / "other", {}).status(), "STORE_FAILED", disk / "other", "mount it writable");
    disk.Resize(kRoom);
    work.ExpectAll(*Open(store));
  });
}

// A file system with room on a device without: what was written is in the page cache, its fsync fails, and the kernel
// gives the pages up as clean. Then they are dropped, so that only what is on the device can be read.
TEST(ThinDisk, AnFsyncThatFailsForRealLosesNothing) {
  WithOwnMounts([] {
    SmallDisk device(size_t{24} << 20);
    TempFolder place;
    const std::string image = device / "image", mounted = place / "mounted";
    fs::create_directory(mounted);
    std::ofstream(image).close();
    fs::resize_file(image, uint64_t{512} << 20);
    const std::string make = "mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=1 " + image +
                             " 2>&1 && mount -o loop " + image + " " + mounted + " 2>&1";
    if (system(make.c_str()) != 0) {
      printf("%sno ext4 on a loop device\n", kNoMounts);
      return;
    }
    const std::string store = mounted + "/store";
    auto journal = Open(store, {.retry_delay = std::chrono::milliseconds(20)}, {});
    Work work(9, 50'000);
    for (int i = 0; work.Submit(*journal); ++i) ASSERT_LT(i, 5000) << "it was never full";
    EXPECT_EQ(journal->Stats().write_errors, 0u) << "it was to be the fsync";
    EXPECT_EQ(journal->Stats().sync_errors, 1u);
    for (const auto& each : fs::directory_iterator(store)) {
      const int fd = open(each.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
      close(fd);
    }
    device.Resize(size_t{400} << 20);
    // Either all is there, or it says that it is not and stays closed; then it is not written to again.
    while (!journal->Health().ok() && journal->Health().reason() != "STORE_DAMAGED") std::this_thread::yield();
    if (journal->Health().ok()) {
      EXPECT_TRUE(work.Submit(*journal));
      journal->Stop();
      journal.reset();
      auto again = Open(store);
      work.ExpectAll(*again);
    } else {
      // Seen on Linux 6.18: fdatasync calls the last record well, and the next one's failure takes it along.
      EXPECT_FALSE(work.Submit(*journal));
      EXPECT_EQ(work.said().reason(), "STORE_DAMAGED");
    }
    journal.reset();
    umount2(mounted.c_str(), MNT_DETACH);
  });
}

// ---- Who may have the folder --------------------------------------------------------------------------------------

TEST(StoreFolder, StaysOursWhileTheDiskFails) {
  TempFolder folder;
  const std::string store = folder / "store";
  FailingDisk disk(store);
  auto journal = Open(store);
  Work work(6, 100);
  ASSERT_TRUE(work.Submit(*journal));
  disk.Set({.ops = FailingDisk::kAll, .error = EIO});
  EXPECT_FALSE(work.Submit(*journal));
  AwaitAttempts(*journal, 2);
  ExpectTold(OpenRocksDisk(store).status(), "STORE_IN_USE", store, "another millraced");
  disk.Heal();
  AwaitWell(*journal);
  EXPECT_TRUE(work.Submit(*journal));
}

TEST(StoreFolder, ThatIsGoneIsNotMadeAnewAndAnotherOneIsNotWritten) {
  TempFolder folder;
  const std::string store = folder / "store";
  FailingDisk disk(store);
  auto journal = Open(store);
  Work work(7, 100);
  ASSERT_TRUE(work.Submit(*journal));
  disk.Set({.ops = FailingDisk::kAll, .error = EIO});
  EXPECT_FALSE(work.Submit(*journal));
  AwaitAttempts(*journal, 1);
  auto gone = [&] {
    AwaitAttempts(*journal, 2);
    ExpectTold(journal->Health(), "STORE_FAILED", store, "put the same one back");
  };
  fs::rename(store, folder / "away");
  disk.Heal();
  gone();
  EXPECT_FALSE(fs::exists(store)) << "an empty store was made in its place";
  // Whose it was before; it has a job of its own.
  Work others(8, 100);
  {
    auto other = Open(store);
    ASSERT_TRUE(others.Submit(*other));
  }
  gone();
  others.ExpectAll(*Open(store));
  fs::remove_all(store);
  fs::rename(folder / "away", store);
  AwaitWell(*journal);
  EXPECT_TRUE(work.Submit(*journal));
  journal.reset();
  work.ExpectAll(*Open(store));
}

TEST(StoreFolder, ThatMayNotBeUsedIsNamedWithTheReason) {
  TempFolder folder;
  const std::string store = folder / "store";
  std::ofstream(folder / "file") << "not a folder";
  ExpectTold(OpenRocksDisk(folder / "file").status(), "STORE_FAILED", folder / "file", "choose another data folder");
  ExpectTold(OpenRocksDisk(folder / "file/store").status(), "STORE_FAILED", folder / "file/store", "choose another");
  Open(store).reset();
  ASSERT_EQ(chmod(store.c_str(), 0500), 0);
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  // The superuser may do everything, so this thread is nobody for a while.
  if (geteuid() == 0) {
    ASSERT_EQ(chown(store.c_str(), 65534, 65534), 0);
    setfsuid(65534);
  }
  const Status status = OpenRocksDisk(store).status(), none = OpenRocksDisk(folder / "new").status();
  if (geteuid() == 0) {
    setfsuid(0);
    ExpectTold(none, "STORE_FAILED", folder / "new", "to the user that millraced runs as");
  }
  ExpectTold(status, "STORE_FAILED", store, "to the user that millraced runs as");
  ASSERT_EQ(chmod(store.c_str(), 0700), 0);
}

}  // namespace
}  // namespace millrace::store
