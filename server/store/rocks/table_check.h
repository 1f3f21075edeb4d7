// Checks what RocksDB 7.8 believes of a table without looking. The last bytes of a table have no checksum and say which
// checksum the rest of it has; the block of properties is taken apart before its checksum is compared. One wrong bit
// there, and damaged blocks are taken for good ones, or an assertion ends the process.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace millrace::store {

// INTERNAL STORE_DAMAGED, for tables with this version of the format and XXH3 as their checksum. Else the errors of
// disk_errors.h. Reads some hundred bytes of each table.
Status CheckTables(const std::string& folder, uint32_t format_version);

}  // namespace millrace::store
