// What rocks_disk.cc and rocks_reader.cc share; the first has the definitions. Included by these two only.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "store/disk.h"
#include "store/rocks/rocks_disk.h"

namespace millrace::store {

inline constexpr uint32_t kTableFormat = 5;

// As one of the errors of OpenRocksDisk.
Status FromRocks(const rocksdb::Status& status, const std::string& folder);

rocksdb::DBOptions DatabaseOptions(const RocksDiskOptions& ours = {});
rocksdb::ColumnFamilyOptions ShelfOptions(const RocksDiskOptions& ours, const std::shared_ptr<rocksdb::Cache>& cache);

// 0: none was written yet. STORE_TOO_NEW when it is above kFormat.
Result<int> ReadFormat(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta, const std::string& folder);

}  // namespace millrace::store
