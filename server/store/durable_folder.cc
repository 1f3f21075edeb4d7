#include "store/durable_folder.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace millrace::store {

namespace {

Status Failed(const std::string& what, const std::string& folder, int error) {
  return Unavailable("STORE_FAILED", "cannot " + what + " the folder " + folder + ": " + strerror(error));
}

Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES ? OkStatus() : Failed("open", folder, errno);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // EINVAL: a file system that has no fsync of folders.
  return error == 0 || error == EINVAL ? OkStatus() : Failed("sync", folder, error);
}

}  // namespace

Status MakeDurableFolder(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(folder).lexically_normal();
  std::filesystem::create_directories(whole, error);
  if (error) return Failed("make", folder, error.value());
  for (std::filesystem::path at = whole; at != at.root_path(); at = at.parent_path()) {
    MR_RETURN_IF_ERROR(SyncFolder(at.parent_path()));
  }
  return OkStatus();
}

}  // namespace millrace::store
