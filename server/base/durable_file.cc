#include "base/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace millrace {

namespace {

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

int FsyncFolder(const char* folder) {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  // EINVAL: a file system that has no fsync of folders.
  const int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

FileError ReplaceFile(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (const int error = WriteAndSync(temporary, text); error != 0) return {error, temporary + " cannot be written"};
  if (rename(temporary.c_str(), path.c_str()) != 0) return {errno, path + " cannot be replaced"};
  if (const int error = FsyncFolder(folder.empty() ? "." : folder.c_str()); error != 0)
    return {error, "it cannot be synced"};
  return {};
}

}  // namespace millrace
