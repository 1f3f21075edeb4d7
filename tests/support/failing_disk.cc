#include "tests/support/failing_disk.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <mutex>

namespace {

using millrace::test::FailingDisk;

// What is to fail; the same for a test that sets it and for a daemon that was told by its environment.
struct Faults {
  std::mutex lock;
  std::string folder;  // Empty: nothing fails.
  FailingDisk::Fault fault;
  uint64_t seen = 0, failed = 0;
  const char* order = nullptr;  // The file that tells.
  std::atomic<bool> armed{false};
};

Faults& TheFaults() {
  static Faults* const faults = [] {
    auto* made = new Faults;  // Used until the very end of the process.
    const char* folder = getenv("MILLRACE_FAILING_DISK");
    made->order = getenv("MILLRACE_FAULTS");
    if (folder != nullptr && made->order != nullptr) {
      made->folder = folder;
      made->armed = true;
    }
    return made;
  }();
  return *faults;
}

void ReadOrder(Faults& faults) {
  char text[100];
  const long fd = syscall(SYS_openat, AT_FDCWD, faults.order, O_RDONLY | O_CLOEXEC);
  const long got = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof(text) - 1);
  if (fd >= 0) syscall(SYS_close, fd);
  text[got > 0 ? got : 0] = '\0';
  faults.fault = {.ops = 0};
  if (strstr(text, "write") != nullptr) faults.fault.ops |= FailingDisk::kWrite;
  if (strstr(text, "sync") != nullptr) faults.fault.ops |= FailingDisk::kSync;
  if (strstr(text, "change") != nullptr) faults.fault.ops |= FailingDisk::kChange;
  const char* number = strpbrk(text, "0123456789");
  faults.fault.error = number != nullptr ? atoi(number) : 0;
}

bool EndsWith(const char* text, const std::string& suffix) {
  const size_t length = strlen(text);
  return length >= suffix.size() && strcmp(text + length - suffix.size(), suffix.c_str()) == 0;
}

// Whether this call is to fail; errno says how then.
bool Fails(FailingDisk::Op op, const char* path) {
  Faults& faults = TheFaults();
  std::lock_guard guard(faults.lock);
  if (faults.folder.empty() || strncmp(path, faults.folder.c_str(), faults.folder.size()) != 0) return false;
  if (faults.order != nullptr) ReadOrder(faults);
  const FailingDisk::Fault& fault = faults.fault;
  if (fault.error == 0 || (fault.ops & op) == 0 || !EndsWith(path, fault.suffix)) return false;
  const uint64_t call = faults.seen++;
  if (call < fault.after || call - fault.after >= fault.times) return false;
  ++faults.failed;
  errno = fault.error;
  return true;
}

bool Fails(FailingDisk::Op op, int fd) {
  if (!TheFaults().armed.load(std::memory_order_relaxed)) return false;
  const int before = errno;
  char name[40], path[PATH_MAX + 1];
  snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  const long length = syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof(path) - 1);
  if (length > 0) {
    path[length] = '\0';
    if (Fails(op, path)) return true;
  }
  errno = before;
  return false;
}

bool FailsPath(FailingDisk::Op op, const char* path) {
  return TheFaults().armed.load(std::memory_order_relaxed) && Fails(op, path);
}

}  // namespace

namespace millrace::test {

FailingDisk::FailingDisk(std::string folder) {
  Faults& faults = TheFaults();
  std::lock_guard guard(faults.lock);
  faults.folder = std::move(folder);
  faults.fault = {};
  faults.armed = true;
}

FailingDisk::~FailingDisk() {
  Faults& faults = TheFaults();
  std::lock_guard guard(faults.lock);
  faults.armed = false;
  faults.folder.clear();
}

void FailingDisk::Set(const Fault& fault) {
  Faults& faults = TheFaults();
  std::lock_guard guard(faults.lock);
  faults.fault = fault;
  faults.seen = faults.failed = 0;
}

uint64_t FailingDisk::failed() const {
  Faults& faults = TheFaults();
  std::lock_guard guard(faults.lock);
  return faults.failed;
}

}  // namespace millrace::test

// ---- In place of libc's -------------------------------------------------------------------------------------------

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
  return Fails(FailingDisk::kWrite, fd) ? -1 : syscall(SYS_write, fd, bytes, count);
}
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t at) {
  return Fails(FailingDisk::kWrite, fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t at) {
  return Fails(FailingDisk::kWrite, fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, at);
}
int fsync(int fd) { return Fails(FailingDisk::kSync, fd) ? -1 : static_cast<int>(syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return Fails(FailingDisk::kSync, fd) ? -1 : static_cast<int>(syscall(SYS_fdatasync, fd)); }
int sync_file_range(int fd, off64_t at, off64_t count, unsigned flags) {
  // Without flags it asks only whether there is such a call, which does not depend on the disk; RocksDB asserts that.
  return flags != 0 && Fails(FailingDisk::kSync, fd)
             ? -1
             : static_cast<int>(syscall(SYS_sync_file_range, fd, at, count, flags));
}
int fallocate(int fd, int mode, off_t at, off_t count) {
  return Fails(FailingDisk::kWrite, fd) ? -1 : static_cast<int>(syscall(SYS_fallocate, fd, mode, at, count));
}
int fallocate64(int fd, int mode, off64_t at, off64_t count) { return fallocate(fd, mode, at, count); }
int ftruncate(int fd, off_t size) noexcept {
  return Fails(FailingDisk::kChange, fd) ? -1 : static_cast<int>(syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }
int rename(const char* from, const char* to) noexcept {
  return FailsPath(FailingDisk::kChange, to)
             ? -1
             : static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  if ((flags & O_ACCMODE) != O_RDONLY && FailsPath(FailingDisk::kChange, path)) return -1;
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  return open(path, flags, mode);
}

}  // extern "C"
