#include "store/rocks/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "store/disk_errors.h"

namespace millrace::store {

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

Status FolderLock::Take(const std::string& folder, For what) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return DiskError(folder, errno, "it cannot be opened");
  if (flock(fd, (what == For::kWriting ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    const int error = errno;
    close(fd);
    return error == EWOULDBLOCK ? StoreInUse(folder) : DiskError(folder, error, "it cannot be locked");
  }
  fd_ = fd;
  return OkStatus();
}

Status FolderLock::CheckSame(const std::string& folder) const {
  struct stat ours {};
  struct stat there {};
  if (fstat(fd_, &ours) == 0 && stat(folder.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
      ours.st_ino == there.st_ino) {
    return OkStatus();
  }
  return Unavailable("STORE_FAILED", "the store in " + folder +
                                         " is gone: the folder was moved, replaced or unmounted; put the same one "
                                         "back, or stop the daemon first to begin with another");
}

}  // namespace millrace::store
