// What RocksDB 7.8 believes of a table without looking: its last bytes, which have no checksum and say which checksum the rest of it has, and
// the block of its properties, which it takes apart before it looks at the checksum. One bit there, and damaged blocks are taken for
// good ones, or an assertion ends the process.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace millrace::store {

// INTERNAL STORE_DAMAGED, for tables with this version of the format and XXH3 as their checksum. Else the errors of disk_errors.h. Reads
// some hundred bytes of each table.
Status CheckTables(const std::string& folder, uint32_t format_version);

}  // namespace millrace::store
