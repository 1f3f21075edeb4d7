// Logs as RocksDB writes them, and what a crash, a disk and time make of them.
#include "store/log_check.h"

#include <gtest/gtest.h>

#include <array>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "store/rocks_disk.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using test::TempFolder;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// The file that holds the newest log. With an fsync after each batch, or none at all.
fs::path WriteBatches(const std::string& folder, int batches, size_t bytes, bool sync) {
  Result<std::unique_ptr<Disk>> disk = OpenRocksDisk(folder);
  EXPECT_TRUE(disk.ok());
  for (int i = 0; i < batches; ++i) {
    const std::string value(bytes, static_cast<char>('a' + i % 26));
    const Change change{Change::Kind::kPut, Shelf::kRequests, "key " + std::to_string(i), value};
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

}  // namespace
}  // namespace millrace::store
