// Stores that another version of the daemon wrote (server/store/FORMAT.md).
#define XXH_INLINE_ALL
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <xxhash.h>

#include <cstring>

#include "job/fingerprint.h"
#include "store/rocks_disk.h"
#include "store/rocks_journal.h"
#include "tests/support/journal_calls.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

// As that version would leave it: the format it says, and perhaps a shelf that we do not know.
void Write(const std::string& folder, const std::string& format, bool new_shelf) {
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, folder, &names).ok());
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open({}, folder, descriptors, &handles, &db).ok());
  ASSERT_TRUE(db->Put({}, "format", format).ok());
  if (new_shelf) {
    handles.push_back(nullptr);
    ASSERT_TRUE(db->CreateColumnFamily({}, "cron", &handles.back()).ok());
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  delete db;
}

TEST(Format, ALaterOneIsRefusedAndLeftAsItIs) {
  test::TempFolder folder;
  ASSERT_TRUE(OpenRocksDisk(folder.path()).ok());
  Write(folder.path(), std::to_string(kFormat + 1), /*new_shelf=*/true);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Status status = OpenRocksDisk(folder.path()).status();
    EXPECT_EQ(status.reason(), "STORE_TOO_NEW") << status.ToString();
    EXPECT_NE(status.message().find("run a newer daemon"), std::string::npos);
  }
  Write(folder.path(), std::to_string(kFormat), /*new_shelf=*/false);
  EXPECT_TRUE(OpenRocksDisk(folder.path()).ok());
}

// As format 1 had it: payloads in the spec records, which know no fingerprint.
std::string Sealed1(char part, const JobId& id, const std::string& body) {
  const std::string about = std::string{part, '\1'} + KeyOf(id);
  const uint64_t checksum = XXH3_64bits_withSeed(body.data(), body.size(), XXH3_64bits(about.data(), about.size()));
  std::string record(9, '\1');
  memcpy(&record[1], &checksum, 8);
  return record + body;
}
std::string Spec1(const dispatch::JobRecord& record) {
  store::SpecPart part = SpecOf(record);
  auto bare = std::make_shared<JobSpec>(*part.spec);
  bare->payload = nullptr;
  part.spec = bare;
  const std::string now = EncodeSpec(record.id, part);  // Its last 10 bytes: no unique key, fingerprint, a size of 0.
  return Sealed1('\1', record.id, now.substr(9, now.size() - 19) + std::string(PayloadOf(*record.spec)));
}
std::string State1(const dispatch::JobRecord& record) {
  return Sealed1('\2', record.id, EncodeState(record.id, PrepareState(record)).substr(9));
}

TEST(Format, AStoreOfFormat1IsBroughtToThisOne) {
  test::TempFolder folder;
  test::RandomRecords random(11);
  std::map<JobId, std::string> expected;
  std::map<std::string, dispatch::SpentRequest> requests;
  {
    auto disk = OpenRocksDisk(folder.path());
    ASSERT_TRUE(disk.ok());
    std::vector<Change> changes;
    auto put = [&](Shelf shelf, const JobId& id, std::string value) {
      changes.push_back({Change::Kind::kPut, shelf, KeyOf(id), std::move(value)});
    };
    for (int i = 0; i < 2500; ++i) {  // More than one step of migration.
      dispatch::JobRecord record = random.New();
      auto spec = std::make_shared<JobSpec>(*record.spec);
      spec->unique_key.reset();
      record.spec = spec;
      record.request_id = i % 2 == 0 ? "" : "request " + std::to_string(i);
      record.fingerprint = i % 2 == 0 ? 0 : Fingerprint(*record.spec);
      put(Shelf::kSpec, record.id, Spec1(record));
      if (i % 3 != 0) {
        random.Ended(&record);
        put(Shelf::kFinished, record.id, State1(record));
      }
      if (i % 3 != 1) {  // With both it was retried, and lives.
        random.Live(&record);
        put(Shelf::kLive, record.id, State1(record));
      } else if (!record.request_id.empty()) {
        requests[record.request_id] = {record.request_id, record.id, record.fingerprint, record.life.state,
                                       std::nullopt};
      }
      expected[record.id] = test::Print(record);
    }
    ASSERT_TRUE((*disk)->Write(changes).ok());
    ASSERT_TRUE((*disk)->Sync().ok());
  }
  Write(folder.path(), "1", /*new_shelf=*/false);
  for (int opened = 0; opened < 2; ++opened) {
    auto journal = RocksJournal::Open(folder.path(), {});
    ASSERT_TRUE(journal.ok()) << journal.status().ToString();
    EXPECT_EQ(test::Remembered(**journal), expected);
    std::map<std::string, dispatch::SpentRequest> found;
    EXPECT_TRUE((*journal)->LoadRequests([&](dispatch::SpentRequest each) { found[each.request_id] = each; }).ok());
    EXPECT_EQ(found, requests);
  }
}

TEST(Format, OneThatNeverWasIsDamage) {
  test::TempFolder folder;
  ASSERT_TRUE(OpenRocksDisk(folder.path()).ok());
  for (const char* format : {"0", "-1", "", "1x", "one"}) {
    Write(folder.path(), format, /*new_shelf=*/false);
    EXPECT_EQ(OpenRocksDisk(folder.path()).status().reason(), "STORE_DAMAGED") << format;
  }
}

}  // namespace
}  // namespace millrace::store
