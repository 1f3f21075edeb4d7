// RocksDisk: store/disk.h on RocksDB, whose headers are included in this folder only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"
#include "store/disk.h"

namespace millrace::store {

// The format of the folder as a whole: which shelves there are and what their keys mean. FORMAT.md has the history.
inline constexpr int kFormat = 3;

struct RocksDiskOptions {
  // Changes of one shelf that are gathered in memory before they become a table; of all shelves together, twice as
  // much. A test that wants RocksDB busy in the background takes little.
  size_t buffer_bytes = size_t{32} << 20;
  // Whoever writes calls Sync after each Write. More can be told from a torn write then, when the store is opened after
  // a crash.
  bool syncs_each = false;
};

// Opens the folder, or makes it. FAILED_PRECONDITION STORE_IN_USE: another process has it. STORE_TOO_NEW: a later
// version of the daemon wrote it, and nothing in it was changed. INTERNAL STORE_DAMAGED: what is there does not check
// out. UNAVAILABLE DISK_FULL, STORE_FAILED: the disk says no.
Result<std::unique_ptr<Disk>> OpenRocksDisk(const std::string& folder, const RocksDiskOptions& options = {});

}  // namespace millrace::store
