#include "store/pool_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/durable_file.h"
#include "job/validate.h"
#include "store/disk_errors.h"

namespace millrace::store {

namespace {

constexpr std::string_view kHead = "millrace pools 1";
constexpr std::string_view kPaused = "paused", kDraining = "draining";

std::string Print(const dispatch::PoolWishes& wishes) {
  std::string text(kHead);
  text += '\n';
  for (const auto& [pool, wish] : wishes) {
    if (wish.paused) text.append(kPaused).append(" ").append(pool).append("\n");
    if (wish.draining) text.append(kDraining).append(" ").append(pool).append("\n");
  }
  return text;
}

Status Unreadable(const std::string& path, const std::string& why) {
  return FailedPrecondition("POOLS_UNREADABLE", "the file " + path + " cannot be read: " + why);
}

}  // namespace

Result<dispatch::PoolWishes> PoolFile::Load() {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) {
    return error ? Result<dispatch::PoolWishes>(Unreadable(path_, error.message())) : dispatch::PoolWishes();
  }
  std::ifstream file(path_);
  std::string line;
  if (!std::getline(file, line) || line != kHead)
    return Unreadable(path_, "it does not begin as this version writes it");
  dispatch::PoolWishes wishes;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string what, pool, more;
    words >> what >> pool;
    if (!IsPoolName(pool) || words >> more || (what != kPaused && what != kDraining)) {
      return Unreadable(path_, "'" + line.substr(0, 100) + "' says nothing of a pool");
    }
    (what == kPaused ? wishes[pool].paused : wishes[pool].draining) = true;
  }
  return wishes;
}

Status PoolFile::Keep(uint64_t version, const dispatch::PoolWishes& wishes) {
  ThreadGuard guard(mutex_);
  if (version <= written_) return OkStatus();
  if (const FileError failed = ReplaceFile(path_, Print(wishes)); !failed.ok()) {
    return DiskError(std::filesystem::path(path_).parent_path().string(), failed.error, failed.what);
  }
  written_ = version;
  return OkStatus();
}

}  // namespace millrace::store
