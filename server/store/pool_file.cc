#include "store/pool_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

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

// 0, or what went wrong.
int WriteAndSync(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int error = 0;
  while (error == 0 && !text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote >= 0) {
      text.remove_prefix(static_cast<size_t>(wrote));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && fsync(fd) != 0) error = errno;
  close(fd);
  return error;
}

int FsyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  // EINVAL: a file system that has no fsync of folders.
  const int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
  close(fd);
  return error;
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
  const std::string temporary = path_ + ".new", folder = std::filesystem::path(path_).parent_path().string();
  if (const int error = WriteAndSync(temporary, Print(wishes)); error != 0) {
    return DiskError(folder, error, temporary + " cannot be written");
  }
  if (rename(temporary.c_str(), path_.c_str()) != 0) return DiskError(folder, errno, path_ + " cannot be replaced");
  if (const int error = FsyncFolder(folder); error != 0) return DiskError(folder, error, "it cannot be synced");
  written_ = version;
  return OkStatus();
}

}  // namespace millrace::store
