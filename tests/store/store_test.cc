// The one door, for both engines.
#include "store/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "tests/support/journal_calls.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using dispatch::BackupReport;
using test::Accept;
using test::RandomRecords;
using test::Remembered;
using test::TempFolder;

std::unique_ptr<Store> Open(const StoreOptions& options) {
  auto store = OpenStore(options);
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  return store.ok() ? *std::move(store) : nullptr;
}

Result<BackupReport> Backup(Store& store, const std::string& folder) {
  std::promise<Result<BackupReport>> made;
  store.backups()->Start(folder, [&](Result<BackupReport> report) { made.set_value(std::move(report)); });
  return made.get_future().get();
}

TEST(Store, InMemoryHasNothingThatOutlivesTheProcess) {
  TempFolder folder;
  auto store = Open({.engine = Engine::kMemory, .data_dir = folder.path()});
  ASSERT_TRUE(store);
  EXPECT_EQ(store->Name(), "memory");
  EXPECT_FALSE(store->OutlivesProcess());
  EXPECT_EQ(store->backups(), nullptr);
  EXPECT_EQ(store->pool_memory(), nullptr);
  RandomRecords random{1};
  EXPECT_TRUE(Accept(store->journal(), random.New()).ok());
  store->Stop();
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Store, OnADiskGivesTheNextOneWhatItKept) {
  TempFolder folder;
  const StoreOptions options{
      .engine = Engine::kRocks, .data_dir = folder / "made/by/us", .journal = {.durability = Durability::kInterval}};
  RandomRecords random{2};
  const dispatch::JobRecord record = random.New();
  {
    auto store = Open(options);
    ASSERT_TRUE(store);
    EXPECT_EQ(store->Name(), "rocksdb (ack interval)");
    EXPECT_TRUE(store->OutlivesProcess());
    EXPECT_TRUE(Accept(store->journal(), record).ok());
    EXPECT_TRUE(store->pool_memory()->Keep(1, {{"mail", {.paused = true}}}).ok());
    EXPECT_EQ(OpenStore(options).status().reason(), "STORE_IN_USE");
    store->Stop();
    store->Stop();
  }
  auto next = Open(options);
  ASSERT_TRUE(next);
  EXPECT_EQ(Remembered(next->journal()).count(record.id), 1u);
  EXPECT_TRUE(next->pool_memory()->Load()->at("mail").paused);
}

TEST(Store, IsBackedUpUntilItStops) {
  TempFolder folder;
  RandomRecords random{3};
  const dispatch::JobRecord record = random.New();
  auto store = Open({.engine = Engine::kRocks, .data_dir = folder / "data"});
  ASSERT_TRUE(store);
  ASSERT_TRUE(Accept(store->journal(), record).ok());
  const Result<BackupReport> report = Backup(*store, folder / "copy");
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  store->Stop();
  EXPECT_EQ(Backup(*store, folder / "late").status().reason(), "DRAINING");

  auto copy = Open({.engine = Engine::kRocks, .data_dir = folder / "copy"});
  ASSERT_TRUE(copy);
  EXPECT_EQ(Remembered(copy->journal()).count(record.id), 1u);
}

TEST(Store, TellsItsWatcherHowItIsAndNobodyOnceThatIsGone) {
  TempFolder folder;
  for (Engine engine : {Engine::kMemory, Engine::kRocks}) {
    auto store = Open({.engine = engine, .data_dir = folder.path()});
    ASSERT_TRUE(store);
    int calls = 0;
    store->WatchHealth([&](const Status& health) {
      EXPECT_TRUE(health.ok());
      ++calls;
    });
    EXPECT_EQ(calls, 1) << store->Name();
    EXPECT_TRUE(store->Health().ok());
    store->WatchHealth({});
    store->Stop();
    EXPECT_EQ(calls, 1) << store->Name();
  }
}

TEST(Store, IsNotOpenedInAFolderThatCannotBeUsed) {
  TempFolder folder;
  fs::create_symlink(folder / "nowhere", folder / "link");
  for (Engine engine : {Engine::kMemory, Engine::kRocks}) {
    const Status status = OpenStore({.engine = engine, .data_dir = folder / "link"}).status();
    EXPECT_EQ(status.reason(), "DATA_DIR_UNUSABLE");
    EXPECT_NE(status.message().find("--data-dir"), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace millrace::store
