#define XXH_INLINE_ALL
#include "store/rocks/table_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>

#include "store/disk_errors.h"

namespace millrace::store {

namespace {

// The end of a block-based table: the type of checksum (1), where the blocks of meta blocks and of the index are (40,
// filled up), the format's version (4), a magic number (8); little endian.
constexpr size_t kFooter = 53;
constexpr size_t kVersionAt = 41, kMagicAt = 45;
constexpr uint64_t kMagic = 0x88e241b785f4cff7u;
constexpr char kXxh3 = 4;
// After each block: how it is compressed (1), and the checksum of both.
constexpr size_t kTrailer = 5;
constexpr uint64_t kMetaBytesMax = uint64_t{16} << 20;

template <typename T>
T Little(std::string_view bytes) {
  T value = 0;
  if (bytes.size() >= sizeof(T)) memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// Takes a LEB128 number off the front.
std::optional<uint64_t> Number(std::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

class Table {
 public:
  explicit Table(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat about {};
    if (fd_ < 0 || fstat(fd_, &about) != 0) {
      error_ = errno;
    } else {
      size_ = static_cast<uint64_t>(about.st_size);
    }
  }
  ~Table() {
    if (fd_ >= 0) close(fd_);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  int error() const { return error_; }

  bool InOrder(uint32_t format_version) {
    const std::string footer = size_ < kFooter ? "" : Read(size_ - kFooter, kFooter);
    // Without the magic number it was not finished, and the store does not know it; or RocksDB sees that.
    if (footer.size() < kFooter || Little<uint64_t>(footer.substr(kMagicAt)) != kMagic) return true;
    if (Little<uint32_t>(footer.substr(kVersionAt)) != format_version || footer[0] != kXxh3) return false;
    std::string_view places(footer.data() + 1, kVersionAt - 1);
    const std::optional<std::string> names = Block(&places);
    return names && PropertiesInOrder(*names);
  }

 private:
  std::string Read(uint64_t at, uint64_t count) {
    std::string bytes(count, '\0');
    const ssize_t got = pread(fd_, bytes.data(), count, static_cast<off_t>(at));
    if (got < 0) error_ = errno;
    return got == static_cast<ssize_t>(count) ? bytes : "";
  }

  // Which stands where `place` says, if its checksum is right. Takes the place off the front.
  std::optional<std::string> Block(std::string_view* place) {
    const std::optional<uint64_t> at = Number(place), count = Number(place);
    if (!at || !count || *count > kMetaBytesMax || *at > size_ || *count + kTrailer > size_ - *at) return std::nullopt;
    std::string block = Read(*at, *count + kTrailer);
    if (block.empty()) return std::nullopt;
    // As RocksDB has it: the last byte is not in the hash, but mixed in.
    const auto hash = static_cast<uint32_t>(XXH3_64bits(block.data(), *count));
    const uint32_t mixed = hash ^ static_cast<uint8_t>(block[*count]) * 0x6b9083d9u;
    if (Little<uint32_t>(std::string_view(block).substr(*count + 1)) != mixed) return std::nullopt;
    block.resize(*count);
    return block;
  }

  // The block of names holds entries of how much of the name before is repeated (nothing here), the lengths of name and
  // place, and both. Then where they are (4 each), and how many (4).
  bool PropertiesInOrder(std::string_view names) {
    const uint64_t tail = 4 + 4 * uint64_t{names.size() < 4 ? 0 : Little<uint32_t>(names.substr(names.size() - 4))};
    if (tail > names.size()) return false;
    names.remove_suffix(tail);
    while (!names.empty()) {
      const std::optional<uint64_t> shared = Number(&names), name = Number(&names), place = Number(&names);
      if (!shared || !name || !place || *shared != 0 || *name > names.size() || *place > names.size() - *name)
        return false;
      if (names.substr(0, *name) == "rocksdb.properties") {
        std::string_view where = names.substr(*name, *place);
        return Block(&where).has_value();
      }
      names.remove_prefix(*name + *place);
    }
    return false;
  }

  const int fd_;
  uint64_t size_ = 0;
  int error_ = 0;
};

}  // namespace

Status CheckTables(const std::string& folder, uint32_t format_version) {
  std::error_code error;
  for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end; each.increment(error)) {
    if (each->path().extension() != ".sst") continue;
    Table table(each->path());
    const bool in_order = table.error() == 0 && table.InOrder(format_version);
    if (table.error() != 0) return DiskError(folder, table.error(), each->path().string());
    if (!in_order) return StoreDamaged(folder, each->path().string() + " does not check out");
  }
  return error ? DiskError(folder, error.value(), "its files cannot be listed") : OkStatus();
}

}  // namespace millrace::store
