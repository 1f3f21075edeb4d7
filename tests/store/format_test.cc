// Stores that another version of the daemon wrote (server/store/FORMAT.md).
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "store/rocks_disk.h"
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
