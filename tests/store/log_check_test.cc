// Logs as RocksDB writes them, and what a crash, a disk and time make of them.
#include "store/rocks/log_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include "store/rocks/rocks_disk.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using test::ReadFile;
using test::TempFolder;
using test::WriteFile;

// The file that holds the newest log. With an fsync after each batch, or none at all.
fs::path WriteBatches(const std::string& folder, int batches, size_t bytes, bool sync) {
  Result<std::unique_ptr<Disk>> disk = OpenRocksDisk(folder, {.syncs_each = sync});
  EXPECT_TRUE(disk.ok());
  for (int i = 0; i < batches; ++i) {
    const std::string value(bytes, static_cast<char>('a' + i % 26));
    const store::Change change{store::Change::Kind::kPut, Shelf::kRequests, "key " + std::to_string(i), value};
    EXPECT_TRUE((*disk)->Write(std::span(&change, 1)).ok());
    EXPECT_TRUE(!sync || (*disk)->Sync().ok());
  }
  disk->reset();
  fs::path newest;
  for (const auto& each : fs::directory_iterator(folder)) {
    if (each.path().extension() == ".log" && each.path() > newest) newest = each.path();
  }
  return newest;
}

size_t Keys(const std::string& folder) {
  Result<std::unique_ptr<Disk>> disk = OpenRocksDisk(folder);
  EXPECT_TRUE(disk.ok()) << disk.status().ToString();
  if (!disk.ok()) return 0;
  size_t keys = 0;
  constexpr std::array kRead = {Shelf::kRequests};
  EXPECT_TRUE((*disk)
                  ->Scan(kRead,
                         [&](std::span<Disk::Cursor* const> cursors) {
                           for (cursors[0]->Seek(""); cursors[0]->Valid(); cursors[0]->Next()) ++keys;
                           return OkStatus();
                         })
                  .ok());
  return keys;
}

LogCheck Check(std::string_view bytes) {
  LogCheck check;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(LogCheck::kBlock, bytes.size()))) {
    check.Add(bytes.substr(0, LogCheck::kBlock));
  }
  return check;
}
bool IsDamaged(const LogCheck& check) { return check.Faulty() && (!check.LooksTorn() || check.synced_after_fault()); }

TEST(LogCheck, AWholeLogIsWhole) {
  for (size_t bytes : {1, 100, 32'700, 32'740, 32'761, 100'000}) {
    TempFolder folder;
    const std::string log = ReadFile(WriteBatches(folder.path(), 20, bytes, true));
    const LogCheck check = Check(log);
    EXPECT_FALSE(check.Faulty()) << bytes;
    EXPECT_EQ(check.good_bytes(), log.size());
    EXPECT_TRUE(check.first_sequence().has_value());
    EXPECT_TRUE(check.synced_anywhere());
    EXPECT_FALSE(IsDamaged(Check("")));
  }
}

TEST(LogCheck, OneThatIsCutShortAnywhereIsTornAndLosesTheLastRecordOnly) {
  for (size_t bytes : {60, 40'000}) {
    TempFolder folder;
    const std::string log = ReadFile(WriteBatches(folder.path(), 8, bytes, true));
    uint64_t good = 0;
    for (size_t cut = 0; cut < log.size(); cut += bytes < 1000 ? 1 : 37) {
      const LogCheck check = Check(std::string_view(log).substr(0, cut));
      ASSERT_FALSE(IsDamaged(check)) << cut << " of " << log.size();
      ASSERT_LE(check.good_bytes(), cut);
      ASSERT_GE(check.good_bytes(), good);
      good = check.good_bytes();
    }
    EXPECT_LE(log.size() - good, bytes + 200);
  }
}

// RocksDB itself takes some of these for the end of the log.
TEST(LogCheck, EverySingleBitCounts) {
  TempFolder folder;
  std::string log = ReadFile(WriteBatches(folder.path(), 12, 90, true));
  ASSERT_LT(log.size(), 4000u);
  for (size_t bit = 0; bit < 8 * log.size(); ++bit) {
    log[bit / 8] ^= static_cast<char>(1u << bit % 8);
    ASSERT_TRUE(IsDamaged(Check(log))) << "bit " << bit % 8 << " of byte " << bit / 8 << " of " << log.size();
    log[bit / 8] ^= static_cast<char>(1u << bit % 8);
  }
}

TEST(LogCheck, AHoleIsDamageWhereItWasSyncedAndTornWhereNot) {
  for (bool sync : {true, false}) {
    TempFolder folder;
    const fs::path path = WriteBatches(folder / "store", 10, 20'000, sync);
    const std::string log = ReadFile(path);
    // The fifth of ten batches, and the last one.
    for (size_t at : {log.size() * 45 / 100, log.size() - 10'000}) {
      std::string holed = log;
      std::fill_n(holed.begin() + static_cast<ptrdiff_t>(at), 4096, '\0');
      const LogCheck check = Check(holed);
      ASSERT_TRUE(check.Faulty());
      const bool last = at > log.size() / 2;
      EXPECT_EQ(IsDamaged(check), sync && !last) << at;
      fs::remove_all(folder / "trial");
      fs::copy(folder / "store", folder / "trial");
      WriteFile(folder / "trial" / path.filename(), holed);
      if (sync && !last) {
        const Status status = OpenRocksDisk(folder / "trial").status();
        EXPECT_EQ(status.reason(), "STORE_DAMAGED") << status.ToString();
        EXPECT_NE(status.message().find(path.filename()), std::string::npos) << status.message();
        EXPECT_EQ(ReadFile(folder / "trial" / path.filename()), holed) << "what is damaged is left as it is";
      } else {
        EXPECT_EQ(Keys(folder / "trial"), last ? 9u : 4u);
      }
    }
  }
}

// What a loss of power may leave of a log that nobody synced: each page as it was at its last sync, or as it should be,
// up to some end.
TEST(LogCheck, PagesThatWereLostInAnUnsyncedLogAreTornWhateverTheyHit) {
  constexpr size_t kPage = 4096;
  for (size_t bytes : {10, 60, 700, 20'000}) {
    TempFolder folder;
    // The first of them comes after a sync, that of the opening.
    const std::string log = ReadFile(WriteBatches(folder.path(), bytes < 100 ? 2000 : 40, bytes, false));
    std::mt19937 random(static_cast<unsigned>(bytes));
    for (int round = 0; round < 300; ++round) {
      // A sync that no mark tells of yet.
      const size_t synced = Check(std::string_view(log).substr(0, 1 + random() % log.size())).good_bytes();
      std::string torn = log.substr(0, synced + random() % (log.size() - synced + 1));
      size_t first = torn.size();
      for (size_t at = synced; at < torn.size(); at = (at / kPage + 1) * kPage) {
        if (random() % 3 != 0) continue;
        const size_t end = std::min(torn.size(), (at / kPage + 1) * kPage);
        if (torn.find_first_not_of('\0', at) < end) first = std::min(first, at);
        std::fill(torn.begin() + static_cast<ptrdiff_t>(at), torn.begin() + static_cast<ptrdiff_t>(end), '\0');
      }
      const LogCheck check = Check(torn);
      ASSERT_FALSE(IsDamaged(check)) << bytes << " bytes, round " << round << ": " << check.good_bytes() << " good of "
                                     << torn.size() << ", lost from " << first;
      ASSERT_LE(check.good_bytes(), first);
      ASSERT_GE(check.good_bytes(), synced);
      ASSERT_EQ(Check(std::string_view(log).substr(0, first)).good_bytes(), check.good_bytes());
    }
  }
}

TEST(LogCheck, AfterACrashTheStoreOpensWithWhatWasWhole) {
  TempFolder folder;
  const fs::path path = WriteBatches(folder / "store", 10, 1000, true);
  const std::string log = ReadFile(path);
  for (size_t cut : {log.size() - 1, log.size() - 500, log.size() - 1015, log.size() - 1500}) {
    fs::remove_all(folder / "trial");
    fs::copy(folder / "store", folder / "trial");
    fs::resize_file(folder / "trial" / path.filename(), cut);
    const size_t keys = Keys(folder / "trial");
    EXPECT_EQ(keys, cut > log.size() - 1100 ? 9u : 8u) << cut;
    EXPECT_EQ(Keys(folder / "trial"), keys) << "opened once more";
  }
}

TEST(LogCheck, AStoreWithoutItsHeadIsNotTakenForAnEmptyOne) {
  for (const char* lost : {"CURRENT", "MANIFEST-"}) {
    TempFolder folder;
    WriteBatches(folder / "store", 3, 100, true);
    Keys(folder / "store");
    for (const auto& each : fs::directory_iterator(folder / "store")) {
      if (each.path().filename().string().starts_with(lost)) fs::remove(each.path());
    }
    for (int attempt = 0; attempt < 2; ++attempt) {
      EXPECT_EQ(OpenRocksDisk(folder / "store").status().reason(), "STORE_DAMAGED") << lost;
    }
  }
}

fs::path Manifest(const fs::path& folder) {
  std::string name = ReadFile(folder / "CURRENT");
  name.pop_back();
  return folder / name;
}

class ManifestCheck : public testing::Test {
 protected:
  // What is in the folder is opened, once as it is and once with a cut at each of these bytes of the manifest.
  void ExpectEachCutIsDamage(size_t begin) {
    const std::string name = Manifest(Store()).filename(), whole = ReadFile(Store() / name);
    ASSERT_LT(begin, whole.size());
    fs::copy(Store(), Trial());
    for (size_t cut = begin; cut < whole.size(); ++cut) {
      WriteFile(Trial() / name, whole.substr(0, cut));
      const Status status = OpenRocksDisk(Trial()).status();
      ASSERT_EQ(status.reason(), "STORE_DAMAGED") << cut << " of " << whole.size();
      ASSERT_NE(status.message().find(name), std::string::npos) << status.message();
      ASSERT_EQ(ReadFile(Trial() / name), whole.substr(0, cut)) << "what is damaged is left as it is";
    }
    // What was being written when the machine stopped is no damage.
    WriteFile(Trial() / name, whole + std::string(100, '\0'));
    EXPECT_TRUE(OpenRocksDisk(Trial()).ok());
  }
  fs::path Store() const { return folder / "store"; }
  fs::path Trial() const { return folder / "trial"; }

  TempFolder folder;
};

TEST_F(ManifestCheck, OneThatIsShorterThanALogSaysIsDamagedEvenBetweenTwoRecords) {
  WriteBatches(Store(), 3, 100, true);
  Keys(Store());  // A life that makes tables of them, and writes nothing.
  ExpectEachCutIsDamage(0);
}

TEST_F(ManifestCheck, TheNextBatchSaysThatItHasGrown) {
  size_t before = 0;
  {
    auto disk = *OpenRocksDisk(Store());
    const store::Change change{store::Change::Kind::kPut, Shelf::kRequests, "key", std::string(1000, 'x')};
    ASSERT_TRUE(disk->Write(std::span(&change, 1)).ok());
    before = fs::file_size(Manifest(Store()));
    ASSERT_TRUE(disk->Reclaim().ok());
    ASSERT_GT(fs::file_size(Manifest(Store())), before);
    ASSERT_TRUE(disk->Write(std::span(&change, 1)).ok());
  }
  ExpectEachCutIsDamage(before);
}

// The copy has the manifest as of the beginning, and batches that were written since.
TEST_F(ManifestCheck, ABackupThatWasMadeWhileTablesChangedIsWhole) {
  auto disk = *OpenRocksDisk(Store());
  std::atomic<bool> end{false};
  std::atomic<int> written{0};
  std::thread writer([&] {
    while (!end.load()) {
      const store::Change change{store::Change::Kind::kPut, Shelf::kRequests, "key", "value"};
      ASSERT_TRUE(disk->Write(std::span(&change, 1)).ok());
      ++written;
    }
  });
  std::thread reclaimer([&] {
    while (!end.load()) ASSERT_TRUE(disk->Reclaim().ok());
  });
  constexpr int kBackups = 20;
  for (int i = 0; i < kBackups; ++i) {
    for (const int more = written + 10; written < more;) std::this_thread::yield();
    EXPECT_TRUE(disk->Checkpoint(folder / std::to_string(i)).ok());
  }
  end.store(true);
  writer.join();
  reclaimer.join();
  for (int i = 0; i < kBackups; ++i) {
    const Status status = OpenRocksDisk(folder / std::to_string(i)).status();
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
}

TEST_F(ManifestCheck, AnEarlierOneInItsPlaceIsDamage) {
  WriteBatches(Store(), 3, 100, true);
  const fs::path earlier = Manifest(Store());
  const std::string bytes = ReadFile(earlier), current = ReadFile(Store() / "CURRENT");
  Keys(Store());
  ASSERT_NE(Manifest(Store()), earlier);
  WriteFile(earlier, bytes);
  WriteFile(Store() / "CURRENT", current);
  const Status status = OpenRocksDisk(Store()).status();
  EXPECT_EQ(status.reason(), "STORE_DAMAGED") << status.ToString();
  EXPECT_NE(status.message().find("CURRENT"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace millrace::store
