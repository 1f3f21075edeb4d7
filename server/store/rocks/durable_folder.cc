#include "store/rocks/durable_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "store/disk_errors.h"

namespace millrace::store {

namespace {

Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES ? OkStatus() : DiskError(folder, errno, "it cannot be opened");
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // EINVAL: a file system that has no fsync of folders.
  return error == 0 || error == EINVAL ? OkStatus() : DiskError(folder, error, "it cannot be synced");
}

}  // namespace

Status MakeDurableFolder(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(folder).lexically_normal();
  std::filesystem::create_directories(whole.parent_path(), error);
  // Nobody else's jobs to look at.
  if (!error && mkdir(whole.c_str(), 0700) != 0 && errno != EEXIST) error.assign(errno, std::generic_category());
  if (error) return DiskError(folder, error.value(), "it cannot be made");
  for (std::filesystem::path at = whole; at != at.root_path(); at = at.parent_path()) {
    MR_RETURN_IF_ERROR(SyncFolder(at.parent_path()));
  }
  return OkStatus();
}

}  // namespace millrace::store
