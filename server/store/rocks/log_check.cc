#include "store/rocks/log_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/log.h"
#include "store/disk_errors.h"

namespace millrace::store {

namespace {

// RocksDB's log: blocks of 32 KiB of physical records, each a header and its bytes; a record that does not fit goes on
// in the next block. What is left of a block and too short for a header is zeros.
constexpr size_t kHeader = 7;  // Masked CRC-32C of the type and the bytes (4), length (2), type (1); little endian.
constexpr uint8_t kFull = 1, kFirst = 2, kLast = 4;  // Types of a record; 3: neither its first nor its last part.
constexpr size_t kBatchHeader = 12;  // In front of a batch in a record: sequence number (8), number of changes (4).
constexpr char kLogData = 3;         // Then its length, below 128, and the bytes.
constexpr size_t kHead = 128;        // The header of a batch, and all that it says before its changes.
constexpr std::string_view kManifestMark = "manifest ";
// What a disk writes or does not write as a whole.
constexpr size_t kSector = 512;
// Records may well end with some zeros. So many at the end of a file, from where a sector begins, were not written.
constexpr size_t kZerosAtEnd = 16;

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}();

uint32_t MaskedCrc(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (char byte : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

uint64_t Little(std::string_view bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

bool IsZero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

bool StartsWith(std::string_view bytes, std::string_view what) { return bytes.substr(0, what.size()) == what; }

std::optional<ManifestMark> ToManifestMark(std::string_view said) {
  if (!StartsWith(said, kManifestMark)) return std::nullopt;
  ManifestMark mark;
  const char* const end = said.data() + said.size();
  const auto number = std::from_chars(said.data() + kManifestMark.size(), end, mark.number);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != ' ') return std::nullopt;
  const auto bytes = std::from_chars(number.ptr + 1, end, mark.bytes);
  if (bytes.ec != std::errc() || bytes.ptr != end) return std::nullopt;
  return mark;
}

}  // namespace

std::string ToLogData(const ManifestMark& mark) {
  return std::string(kManifestMark) + std::to_string(mark.number) + " " + std::to_string(mark.bytes);
}

struct LogCheck::Record {
  uint8_t type;
  std::string_view bytes;

  bool starts() const { return type == kFull || type == kFirst; }
  bool ends() const { return type == kFull || type == kLast; }
};

// The right record that the rest of a block begins with.
std::optional<LogCheck::Record> LogCheck::Parse(std::string_view rest) {
  if (rest.size() < kHeader) return std::nullopt;
  const size_t length = Little(rest.substr(4), 2);
  const auto type = static_cast<uint8_t>(rest[6]);
  if (type < kFull || type > kLast || kHeader + length > rest.size()) return std::nullopt;
  if (MaskedCrc(rest.substr(6, 1 + length)) != Little(rest, 4)) return std::nullopt;
  return Record{type, rest.substr(kHeader, length)};
}

void LogCheck::Add(std::string_view block) {
  size_t at = 0;
  while (block.size() - at >= kHeader) {
    const std::optional<Record> record = Parse(block.substr(at));
    if (record && Take(*record)) {
      at += kHeader + record->bytes.size();
      if (!fault_ && !within_) good_ = offset_ + at;
      continue;
    }
    Fault(block, at);
    head_open_ = false;
    // Where the next record of this block begins is not known any more.
    do ++at;
    while (block.size() - at >= kHeader && !Parse(block.substr(at)));
  }
  // What is too short for a header is zeros at the end of a block, and the beginning of a header at the end of the
  // file.
  const std::string_view rest = block.substr(at);
  if (!rest.empty() && !(block.size() == kBlock && IsZero(rest))) Fault(block, at);
  LookForHoles(block);
  offset_ += block.size();
}

bool LogCheck::Take(const Record& record) {
  if (!fault_ && record.starts() == within_) return false;  // It begins within another, or goes on with none.
  if (record.starts()) {
    more_ |= fault_.has_value();
    head_.clear();
    head_open_ = true;
  }
  if (head_open_) {
    head_ += record.bytes.substr(0, kHead - head_.size());
    head_open_ = head_.size() < kHead && !record.ends();
    if (!head_open_) ReadHead();
  }
  if (fault_) return true;
  within_ = !record.ends();
  if (record.ends()) next_sequence_ = starting_sequence_;
  return true;
}

void LogCheck::ReadHead() {
  std::string_view rest = head_;
  if (rest.size() < kBatchHeader) return;  // No batch.
  if (!fault_) {
    const uint64_t sequence = Little(rest, 8);
    if (!first_sequence_) first_sequence_ = sequence;
    starting_sequence_ = sequence + Little(rest.substr(8), 4);
    each_ = false;
  }
  rest.remove_prefix(kBatchHeader);
  while (rest.size() >= 2 && rest[0] == kLogData) {
    const size_t length = static_cast<uint8_t>(rest[1]);
    const std::string_view said = rest.substr(2, length);
    if (said == kSyncedMark) {
      synced_ = true;
      synced_after_fault_ |= fault_.has_value();
    } else if (said == kEachMark) {
      each_ |= !fault_;
    } else if (const std::optional<ManifestMark> mark = ToManifestMark(said)) {
      manifest_ = std::max(manifest_, *mark);
    }
    rest.remove_prefix(std::min(rest.size(), 2 + length));
  }
}

void LogCheck::Fault(std::string_view block, size_t at) {
  if (fault_) return;
  fault_ = offset_ + at;
  const std::string_view rest = block.substr(at);
  const uint8_t type = rest.size() < kHeader ? 0 : static_cast<uint8_t>(rest[6]);
  const size_t size = rest.size() < kHeader ? 0 : kHeader + Little(rest.substr(4), 2);
  if ((type == kFull || type == kLast) && size <= rest.size()) fault_end_ = *fault_ + size;
  if (block.size() == kBlock) return;
  // Cut short by the end of the file: in its header, or it says that it is longer than what is there. Not if all of it
  // is there, and only the length, which the CRC does not cover, is wrong.
  if (rest.size() < kHeader) {
    cut_short_ = true;
  } else if (type >= kFull && type <= kLast && size > rest.size()) {
    cut_short_ = MaskedCrc(rest.substr(6)) != Little(rest, 4);
  }
}

// After the last whole record a sector of zeros was not written; nor was what is left of the sector that it ends in, or
// what the file has of its last sector.
void LogCheck::LookForHoles(std::string_view block) {
  if (!fault_ || good_ >= offset_ + block.size()) return;
  // Something stands behind the batch that has the fault. Where each one is synced before the next, so was that one.
  if (fault_end_ && *fault_end_ < offset_ + block.size() &&
      !IsZero(block.substr(std::max(*fault_end_, offset_) - offset_))) {
    more_ = true;
    synced_after_fault_ |= each_;
  }
  const size_t begin = std::max(good_, offset_) - offset_;
  for (size_t at = begin; at < block.size() && !hole_;) {
    const size_t end = std::min(block.size(), (at / kSector + 1) * kSector);
    hole_ = (at == begin || end - at >= kZerosAtEnd) && IsZero(block.substr(at, end - at));
    at = end;
  }
}

namespace {

constexpr std::string_view kManifestName = "MANIFEST-";

struct File {
  uint64_t number;
  std::string path;
  LogCheck check;
  uint64_t size = 0;
};

Status Read(const std::string& folder, File* file) {
  const int fd = open(file->path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return DiskError(folder, errno, file->path);
  std::string block(LogCheck::kBlock, '\0');
  Status status;
  for (size_t filled = 0;;) {
    const ssize_t got = read(fd, block.data() + filled, block.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) status = DiskError(folder, errno, file->path);
    if (got > 0) filled += static_cast<size_t>(got);
    file->size += got > 0 ? static_cast<uint64_t>(got) : 0;
    if (got <= 0 || filled == block.size()) {
      if (filled > 0) file->check.Add(std::string_view(block.data(), filled));
      filled = 0;
    }
    if (got <= 0) break;
  }
  close(fd);
  return status;
}

Status Cut(const std::string& folder, const TornFile& file) {
  LogWarning("%s: the last %" PRIu64 " of %" PRIu64
             " bytes were being written when the machine or the disk stopped, and are cut off; nobody was told that "
             "they were kept",
             file.path.c_str(), file.size - file.good_bytes, file.size);
  const int fd = open(file.path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return DiskError(folder, errno, file.path);
  const int error = ftruncate(fd, static_cast<off_t>(file.good_bytes)) != 0 || fsync(fd) != 0 ? errno : 0;
  close(fd);
  return error == 0 ? OkStatus() : DiskError(folder, error, file.path);
}

Status Damaged(const std::string& folder, const File& file) {
  return StoreDamaged(folder, file.path + " does not check out after byte " + std::to_string(file.check.good_bytes()));
}

// And whether there are tables.
Result<std::vector<File>> Logs(const std::string& folder, bool* tables) {
  std::vector<File> files;
  *tables = false;
  std::error_code error;
  for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end; each.increment(error)) {
    const std::string name = each->path().filename();
    if (each->path().extension() == ".sst") *tables = true;
    uint64_t number = 0;
    const auto [rest, bad] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (bad == std::errc() && std::string_view(rest) == ".log")
      files.push_back({.number = number, .path = each->path()});
  }
  if (error) return DiskError(folder, error.value(), "its files cannot be listed");
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.number < b.number; });
  return files;
}

// Nothing was to be written to the manifest before what is in it was synced. `synced`: so much of it is there for
// certain.
Status CheckManifest(const std::string& folder, bool has_data, const ManifestMark& synced,
                     std::vector<TornFile>* torn) {
  std::string name(100, '\0');
  const int fd = open((folder + "/CURRENT").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT) return DiskError(folder, errno, "CURRENT cannot be opened");
  if (fd < 0) {
    // RocksDB would begin anew here, and delete what it does not know.
    return !has_data ? OkStatus() : StoreDamaged(folder, "the file CURRENT is not there");
  }
  const ssize_t got = read(fd, name.data(), name.size());
  close(fd);
  if (got < 0) return DiskError(folder, errno, "CURRENT cannot be read");
  name.resize(static_cast<size_t>(got));
  if (!StartsWith(name, kManifestName) || name.back() != '\n') {
    return StoreDamaged(folder, "the file CURRENT is no name");
  }
  name.pop_back();
  uint64_t number = 0;
  std::from_chars(name.data() + kManifestName.size(), name.data() + name.size(), number);
  if (number < synced.number) {
    return StoreDamaged(folder,
                        "CURRENT names " + name + ", and did name that with number " + std::to_string(synced.number));
  }
  File file{.path = folder + "/" + name};
  if (access(file.path.c_str(), F_OK) != 0 && errno == ENOENT) return StoreDamaged(folder, file.path + " is not there");
  MR_RETURN_IF_ERROR(Read(folder, &file));
  if (number == synced.number && file.check.good_bytes() < synced.bytes) {
    return StoreDamaged(folder, file.path + " is in order up to byte " + std::to_string(file.check.good_bytes()) +
                                    " only, of " + std::to_string(synced.bytes) + " that were synced");
  }
  if (!file.check.Faulty()) return OkStatus();
  if (!file.check.LooksTorn() || file.check.more_after_fault()) return Damaged(folder, file);
  torn->push_back({file.path, file.size, file.check.good_bytes()});
  return OkStatus();
}

}  // namespace

Result<std::vector<TornFile>> FindTorn(const std::string& folder) {
  bool tables;
  Result<std::vector<File>> logs = Logs(folder, &tables);
  MR_RETURN_IF_ERROR(logs.status());
  std::vector<TornFile> cuts;
  const File* torn = nullptr;
  ManifestMark manifest;
  const LogCheck* previous = nullptr;
  for (File& file : *logs) {
    if (previous != nullptr) file.check.ComeAfter(*previous);
    previous = &file.check;
    MR_RETURN_IF_ERROR(Read(folder, &file));
    const LogCheck& check = file.check;
    manifest = std::max(manifest, check.manifest());
    if (torn != nullptr && check.first_sequence()) {
      if (*check.first_sequence() == torn->check.next_sequence()) {
        torn = nullptr;  // This one goes on where its whole records end: an earlier life did without the rest already.
      } else if (check.synced_anywhere()) {
        return Damaged(folder, *torn);
      }
    }
    if (torn != nullptr) {
      cuts.push_back({file.path, file.size, 0});
    } else if (check.Faulty()) {
      if (!check.LooksTorn() || check.synced_after_fault()) return Damaged(folder, file);
      torn = &file;
      cuts.push_back({file.path, file.size, check.good_bytes()});
    }
  }
  MR_RETURN_IF_ERROR(CheckManifest(folder, tables || !logs->empty(), manifest, &cuts));
  std::erase_if(cuts, [](const TornFile& file) { return file.size == file.good_bytes; });
  return cuts;
}

Status CheckLogs(const std::string& folder) {
  const Result<std::vector<TornFile>> torn = FindTorn(folder);
  MR_RETURN_IF_ERROR(torn.status());
  for (const TornFile& file : *torn) MR_RETURN_IF_ERROR(Cut(folder, file));
  return OkStatus();
}

}  // namespace millrace::store
