#include "store/rocks/later_tables.h"

#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace millrace::store {

namespace {

namespace fs = std::filesystem;

// The end of a table since format 6 (RocksDB 8.6): the type of checksum (1); a magic number (4), which stands where
// earlier formats have the place of a block, and would be one without a byte; more (36); the format (4); the magic
// number of all (8).
constexpr std::streamoff kLaterFooter = 53;
constexpr size_t kLaterMagicAt = 1, kTableMagicAt = 45;
constexpr std::string_view kLaterMagic = {"\x3e\0\x7a\0", 4};
constexpr std::string_view kTableMagic = {"\xf7\xcf\xf4\x85\xb7\x41\xe2\x88", 8};

bool IsLater(const fs::path& path) {
  std::string footer(kLaterFooter, '\0');
  std::ifstream in(path, std::ios::binary);
  return in.seekg(-kLaterFooter, std::ios::end).read(footer.data(), kLaterFooter) &&
         footer.compare(kLaterMagicAt, kLaterMagic.size(), kLaterMagic) == 0 &&
         footer.compare(kTableMagicAt, kTableMagic.size(), kTableMagic) == 0;
}

}  // namespace

bool HasLaterTables(const std::string& folder) {
  std::error_code ignored;
  for (fs::directory_iterator each(folder, ignored), end; !ignored && each != end; each.increment(ignored)) {
    if (each->path().extension() == ".sst" && IsLater(each->path())) return true;
  }
  return false;
}

}  // namespace millrace::store
