// The power-cut layer: loaded with LD_PRELOAD into a process under test, it writes down (power_cut_trace.h) what of a
// folder is on the disk and not only in the page cache, and can have the process die at a chosen step. power_cut.h cuts
// the folder back afterwards.
//
//   Files     Are appended to; what an fsync or fdatasync found when it began is on the disk once it has returned.
//             sync_file_range promises nothing.
//   Names     Created, renamed and removed names are on the disk after an fsync of their folder, and not before.
//   Cutting   A file that is made shorter is so on the disk at once: what a loss of power could bring back is what was
//             there before.
//   Undoing   A file that is unlinked, replaced or opened with O_TRUNC goes to the graveyard instead, since the disk
//             may still have it.
//   The rest  Whatever this layer could not take back (overwriting synced bytes, shared writable mappings, stdio
//             streams that write) ends the process with a message.
//   Threads   Any. Writes and syncs take no lock; what changes names takes one, so that the order of events is that of
//             the changes.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <string>

#include "tests/crash/power_cut_trace.h"

namespace millrace::crash {
namespace {

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
// The function that stands behind ours.
#define REAL(name)                                           \
  ([] {                                                      \
    static auto* const real = Next<decltype(::name)>(#name); \
    return real;                                             \
  }())

constexpr int kFdMax = 65536;

struct File {
  ino_t inode = 0;
  bool folder = false;
  std::string name;
  std::atomic<uint64_t> durable{0};
};

[[noreturn]] void Unknown(const char* what, const char* name) {
  dprintf(2, "power_cut_layer: %s of %s is nothing it could take back\n", what, name);
  abort();
}

Trace* Attach() {
  const char* path = getenv(kTraceVariable);
  if (path == nullptr) return nullptr;
  const int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* at = mmap(nullptr, sizeof(Trace), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REAL(close)(fd);
  if (at == MAP_FAILED) return nullptr;
  auto* trace = static_cast<Trace*>(at);
  int32_t nobody = 0;
  const bool first = trace->pid.compare_exchange_strong(nobody, getpid());
  return first || nobody == getpid() ? trace : nullptr;
}

// nullptr: nothing is watched.
Trace* trace() {
  static Trace* const attached = Attach();
  return attached;
}

std::atomic<File*> files[kFdMax];

std::mutex& NamesLock() {
  static auto* lock = new std::mutex();
  return *lock;
}

File* Watched(int fd) { return fd >= 0 && fd < kFdMax ? files[fd].load(std::memory_order_acquire) : nullptr; }

// The name below the root, "" for the root itself; false: elsewhere.
bool NameOf(int folder, const char* path, std::string* name) {
  if (trace() == nullptr || path == nullptr) return false;
  std::string whole = path;
  if (whole.empty()) return false;
  if (whole[0] != '/' && folder != AT_FDCWD) {
    char start[512];
    const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(folder)).c_str(), start, sizeof(start));
    if (length <= 0) return false;
    whole = std::string(start, static_cast<size_t>(length)) + "/" + whole;
  }
  std::string plain;
  for (char c : whole) {
    if (c != '/' || plain.empty() || plain.back() != '/') plain += c;
  }
  if (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  const std::string root = trace()->root;
  if (plain == root) return name->clear(), true;
  if (plain.compare(0, root.size() + 1, root + "/") != 0) return false;
  *name = plain.substr(root.size() + 1);
  if (name->size() >= kNameMax) Unknown("so long a name", name->c_str());
  return true;
}

uint64_t Random() {
  static std::atomic<uint64_t> state{trace()->seed | 1};
  uint64_t x = state.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

[[noreturn]] void Die() {
  trace()->killed.store(1);
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

// One step, counted; the process may end before it or after it.
class Counted {
 public:
  explicit Counted(Step step) {
    const uint32_t number = trace()->steps[static_cast<size_t>(step)].fetch_add(1) + 1;
    last_ = trace()->kill_at == number && trace()->kill_step == step;
    if (last_ && (trace()->kill_moment == Moment::kBefore || (half() && step != Step::kWrite))) Die();
  }
  ~Counted() {
    if (last_) Die();
  }
  bool dies_half() const { return last_ && half(); }

 private:
  static bool half() { return trace()->kill_moment == Moment::kHalf; }
  bool last_;
};

void Record(Event::Kind kind, uint64_t inode, uint64_t size, const std::string& name, const std::string& to = {},
            int64_t began = 0) {
  const uint32_t slot = trace()->events.fetch_add(1);
  if (slot >= kEventsMax) Unknown("one event too many", name.c_str());
  Event& event = trace()->event[slot];
  event.kind = kind;
  event.inode = inode;
  event.size = size;
  event.began = began;
  memcpy(event.name, name.c_str(), name.size() + 1);
  memcpy(event.to, to.c_str(), to.size() + 1);
  event.valid.store(1, std::memory_order_release);
}

std::string Grave(ino_t inode) { return std::string(trace()->graveyard) + "/" + std::to_string(inode); }

// NamesLock is held. The file stays reachable for the cut; `path` is gone. 0, or as unlink.
int Bury(const char* path, const struct stat& file) {
  if (REAL(rename)(path, Grave(file.st_ino).c_str()) != 0) return -1;
  return 0;
}

// A file that is opened: known from now on by its descriptor. `synced`: what it holds already may be on the disk.
void Watch(int fd, const std::string& name, bool synced) {
  struct stat now {};
  if (fd >= kFdMax || fstat(fd, &now) != 0) return;
  if (!S_ISREG(now.st_mode) && !S_ISDIR(now.st_mode)) return;
  auto* file = new File();  // Lives on: another thread may still be at it when it is closed.
  file->inode = now.st_ino;
  file->folder = S_ISDIR(now.st_mode);
  file->name = name;
  if (synced) file->durable = static_cast<uint64_t>(now.st_size);
  files[fd].store(file, std::memory_order_release);
}

int Open(int folder, const char* path, int flags, mode_t mode) {
  std::string name;
  if (!NameOf(folder, path, &name)) return REAL(openat)(folder, path, flags, mode);
  if ((flags & (O_CREAT | O_TRUNC)) == 0) {
    const int fd = REAL(openat)(folder, path, flags, mode);
    if (fd >= 0) Watch(fd, name, true);
    return fd;
  }
  std::lock_guard guard(NamesLock());
  struct stat before {};
  bool there = fstatat(folder, path, &before, 0) == 0;
  if (there && (flags & O_TRUNC) != 0 && (flags & O_EXCL) == 0 && S_ISREG(before.st_mode)) {
    if (Bury(path, before) == 0) Record(Event::Kind::kUnlink, before.st_ino, 0, name);
    flags |= O_CREAT;
    mode = before.st_mode & 07777;
    there = false;
  }
  if (there) {
    const int fd = REAL(openat)(folder, path, flags, mode);
    if (fd >= 0) Watch(fd, name, true);
    return fd;
  }
  Counted step(Step::kCreate);
  const int fd = REAL(openat)(folder, path, flags, mode);
  if (fd < 0) return fd;
  Watch(fd, name, false);
  Record(Event::Kind::kCreate, files[fd].load()->inode, 0, name);
  return fd;
}

// Bytes that are synced may not be written again: what was there could not be brought back.
void CheckAppends(const File& file, uint64_t offset) {
  if (offset < file.durable.load(std::memory_order_relaxed)) Unknown("overwriting synced bytes", file.name.c_str());
}

template <typename Write>
ssize_t Append(int fd, File& file, size_t size, Write&& write) {
  if ((fcntl(fd, F_GETFL) & O_APPEND) == 0) CheckAppends(file, static_cast<uint64_t>(lseek(fd, 0, SEEK_CUR)));
  Counted step(Step::kWrite);
  if (step.dies_half()) {
    write(size > 0 ? Random() % size : 0);
    Die();
  }
  return write(size);
}

bool Counts(const File& file) {
  const std::string unsynced = trace()->unsynced;
  if (unsynced.empty()) return true;
  return unsynced != "*" && !(file.name.size() >= unsynced.size() &&
                              file.name.compare(file.name.size() - unsynced.size(), unsynced.size(), unsynced) == 0);
}

int Sync(File& file, int fd) {
  Counted step(file.folder ? Step::kFolderSync : Step::kSync);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t began = now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
  struct stat found {};
  uint64_t size = 0;
  if (file.folder) {
    // Names are changed and written down under the lock: those that are below this number are changed.
    std::lock_guard guard(NamesLock());
    size = trace()->events.load();
  } else if (fstat(fd, &found) == 0) {
    size = static_cast<uint64_t>(found.st_size);
  }
  // The page cache outlives the process, so the real fsync would only cost time: a random part of it is taken here.
  if (const uint32_t most = trace()->sync_micros_max; most > 0) {
    const timespec pause{0, static_cast<long>(Random() % most * 1000)};
    nanosleep(&pause, nullptr);
  }
  if (!Counts(file)) return 0;
  uint64_t before = file.durable.load();
  while (before < size && !file.durable.compare_exchange_weak(before, size)) {
  }
  Record(file.folder ? Event::Kind::kFolderSync : Event::Kind::kSync, file.inode, size, file.name, {}, began);
  return 0;
}

int Unlink(int folder, const char* path, int flags) {
  std::string name;
  struct stat file {};
  if ((flags & AT_REMOVEDIR) != 0 && NameOf(folder, path, &name)) Unknown("rmdir", path);
  if (!NameOf(folder, path, &name) || fstatat(folder, path, &file, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(file.st_mode)) {
    return REAL(unlinkat)(folder, path, flags);
  }
  std::lock_guard guard(NamesLock());
  Counted step(Step::kUnlink);
  if (Bury(path, file) != 0) return -1;
  Record(Event::Kind::kUnlink, file.st_ino, 0, name);
  return 0;
}

int Rename(const char* from, const char* to) {
  std::string old_name, new_name;
  const bool out = NameOf(AT_FDCWD, from, &old_name), in = NameOf(AT_FDCWD, to, &new_name);
  if (!out && !in) return REAL(rename)(from, to);
  if (!out || !in) Unknown("a rename across the border", from);
  if (old_name.substr(0, old_name.rfind('/') + 1) != new_name.substr(0, new_name.rfind('/') + 1)) {
    Unknown("a rename into another folder", from);
  }
  std::lock_guard guard(NamesLock());
  Counted step(Step::kRename);
  struct stat replaced {};
  if (stat(to, &replaced) == 0 && REAL(link)(to, Grave(replaced.st_ino).c_str()) != 0 && errno != EEXIST) {
    Unknown("a rename that replaces a file", to);
  }
  if (REAL(rename)(from, to) != 0) return -1;
  Record(Event::Kind::kRename, 0, 0, old_name, new_name);
  return 0;
}

}  // namespace
}  // namespace millrace::crash

using namespace millrace::crash;  // NOLINT: what follows stands in the global namespace

#define MODE_OF(flags)                                  \
  mode_t mode = 0;                                      \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {         \
    va_list arguments;                                  \
    va_start(arguments, flags);                         \
    mode = static_cast<mode_t>(va_arg(arguments, int)); \
    va_end(arguments);                                  \
  }

extern "C" {

int open(const char* path, int flags, ...) {
  MODE_OF(flags);
  return Open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE_OF(flags);
  return Open(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  MODE_OF(flags);
  return Open(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  MODE_OF(flags);
  return Open(folder, path, flags, mode);
}
int creat(const char* path, mode_t mode) { return Open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char* path, mode_t mode) { return Open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

FILE* fopen(const char* path, const char* how) {
  std::string name;
  if (strpbrk(how, "wa+") != nullptr && NameOf(AT_FDCWD, path, &name)) Unknown("fopen for writing", path);
  return REAL(fopen)(path, how);
}
FILE* fopen64(const char* path, const char* how) { return fopen(path, how); }

int close(int fd) {
  if (Watched(fd) != nullptr) files[fd].store(nullptr);
  return REAL(close)(fd);
}

ssize_t write(int fd, const void* data, size_t size) {
  File* file = Watched(fd);
  if (file == nullptr) return REAL(write)(fd, data, size);
  return Append(fd, *file, size, [&](size_t part) { return REAL(write)(fd, data, part); });
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (File* file = Watched(fd)) CheckAppends(*file, static_cast<uint64_t>(offset));
  return REAL(pwrite)(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) { return pwrite(fd, data, size, offset); }
ssize_t writev(int fd, const iovec* parts, int count) {
  if (File* file = Watched(fd)) Unknown("writev", file->name.c_str());
  return REAL(writev)(fd, parts, count);
}

int ftruncate(int fd, off_t size) noexcept {
  const auto length = static_cast<uint64_t>(size);
  const int done = REAL(ftruncate)(fd, size);
  File* file = done == 0 ? Watched(fd) : nullptr;
  if (file != nullptr && length < file->durable.load()) {
    file->durable = length;
    Record(Event::Kind::kTruncate, file->inode, length, file->name);
  }
  return done;
}
int ftruncate64(int fd, off_t size) noexcept { return ftruncate(fd, size); }
int fallocate(int fd, int mode, off_t offset, off_t size) {
  File* file = Watched(fd);
  // RocksDB gives room back that it had reserved behind the end.
  if (file != nullptr && (mode & ~FALLOC_FL_KEEP_SIZE) != 0) CheckAppends(*file, static_cast<uint64_t>(offset));
  return REAL(fallocate)(fd, mode, offset, size);
}

int fsync(int fd) {
  File* file = Watched(fd);
  return file != nullptr ? Sync(*file, fd) : REAL(fsync)(fd);
}
int fdatasync(int fd) {
  File* file = Watched(fd);
  return file != nullptr ? Sync(*file, fd) : REAL(fdatasync)(fd);
}

void* mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  if (File* file = Watched(fd); file != nullptr && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0) {
    Unknown("a shared mapping", file->name.c_str());
  }
  return REAL(mmap)(at, size, protection, flags, fd, offset);
}

int rename(const char* from, const char* to) noexcept { return Rename(from, to); }
int unlink(const char* path) noexcept { return Unlink(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char* path, int flags) noexcept { return Unlink(folder, path, flags); }
int remove(const char* path) noexcept {
  if (Unlink(AT_FDCWD, path, 0) == 0) return 0;
  return errno == EISDIR ? rmdir(path) : -1;
}

int link(const char* from, const char* to) noexcept {
  std::string name;
  if (!NameOf(AT_FDCWD, to, &name)) return REAL(link)(from, to);
  std::lock_guard guard(NamesLock());
  struct stat file {};
  if (REAL(link)(from, to) != 0 || stat(to, &file) != 0) return -1;
  Record(Event::Kind::kLink, file.st_ino, 0, name);
  return 0;
}
int mkdir(const char* path, mode_t mode) noexcept {
  std::string name;
  if (!NameOf(AT_FDCWD, path, &name)) return REAL(mkdir)(path, mode);
  std::lock_guard guard(NamesLock());
  if (REAL(mkdir)(path, mode) != 0) return -1;
  Record(Event::Kind::kMakeFolder, 0, 0, name);
  return 0;
}
}
