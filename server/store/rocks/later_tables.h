// Tables that a later RocksDB wrote, in a format that came after ours: table_check.h cannot tell them from damage.
#pragma once

#include <string>

namespace millrace::store {

// Whether the folder has one. Damage does not make one of a table of ours: they have a magic number of their own.
bool HasLaterTables(const std::string& folder);

}  // namespace millrace::store
