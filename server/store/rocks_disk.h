// RocksDisk: disk.h on RocksDB. The one file that includes RocksDB's headers is rocks_disk.cc.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "store/disk.h"

namespace millrace::store {

// Of the folder as a whole: which shelves there are and what their keys mean. FORMAT.md has the history.
inline constexpr int kFormat = 1;

// Opens the folder, or makes it. FAILED_PRECONDITION STORE_IN_USE: another process has it. STORE_TOO_NEW: a later version of the
// daemon wrote it. INTERNAL STORE_DAMAGED: what is there does not check out. UNAVAILABLE DISK_FULL, STORE_FAILED: the disk says no.
Result<std::unique_ptr<Disk>> OpenRocksDisk(const std::string& folder);

}  // namespace millrace::store
