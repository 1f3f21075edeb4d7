#include "store/backup.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "store/taken_place.h"

namespace millrace::store {

namespace {

namespace fs = std::filesystem;
using dispatch::BackupReport;

Status Unusable(const std::string& folder, const std::string& why) {
  return FailedPrecondition("FOLDER_UNUSABLE",
                            "no backup can be made in " + folder + ": " + why + "; choose another folder")
      .Field("folder");
}

Status FromSystem(const std::string& what, int error) {
  const std::string said = what + ": " + strerror(error);
  if (error == ENOSPC || error == EDQUOT) {
    return Unavailable("DISK_FULL", "the disk of the backup is full: " + said + "; make room, or choose another");
  }
  return Unavailable("BACKUP_FAILED", "the backup failed: " + said);
}

struct Place {
  std::string folder;     // As the system will reach it.
  bool is_there = false;  // An empty folder, which is replaced.
};

Result<Place> CheckFolder(const std::string& given, const std::string& data_dir) {
  Result<std::string> resolved = ResolvePlace(given);
  if (!resolved.ok()) return resolved.status();
  const std::string folder = *std::move(resolved);
  if (!data_dir.empty()) {
    MR_RETURN_IF_ERROR(CheckOutside(folder, data_dir));
    MR_RETURN_IF_ERROR(CheckOutside(folder, data_dir + "/store"));  // It may be mounted elsewhere as well.
  }
  struct stat parent {
  }, found{};
  const std::string parent_path = fs::path(folder).parent_path().string();
  if (stat(parent_path.c_str(), &parent) != 0) return Unusable(folder, parent_path + ": " + strerror(errno));
  if (lstat(folder.c_str(), &found) != 0) {
    return errno == ENOENT ? Result<Place>(Place{folder}) : Unusable(folder, strerror(errno));
  }
  // A link as well: what it leads to may be anything by the time that the backup is whole.
  if (!S_ISDIR(found.st_mode)) return Unusable(folder, "it is there, and no folder");
  if (found.st_uid != geteuid()) return Unusable(folder, "it belongs to another user than millraced runs as");
  // What is made beside it could not be renamed to it.
  if (found.st_dev != parent.st_dev) return Unusable(folder, "a file system is mounted there; name a folder inside it");
  std::error_code error;
  const bool empty = fs::is_empty(folder, error);
  if (error) return Unusable(folder, error.message());
  if (!empty) {
    return FailedPrecondition("FOLDER_NOT_EMPTY",
                              "the folder " + folder + " is not empty; choose one that is not there yet")
        .Field("folder");
  }
  return Place{folder, true};
}

// Takes the place of an empty folder that was looked at before, and of nothing else that may have come meanwhile.
int Rename(const std::string& from, const Place& to) {
  const unsigned flags = to.is_there ? 0 : RENAME_NOREPLACE;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.folder.c_str(), flags) == 0) return 0;
  // EINVAL: a file system that does not know the flag.
  return errno == EINVAL && flags != 0 ? rename(from.c_str(), to.folder.c_str()) : -1;
}

Status SyncPath(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return FromSystem(path, errno);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error == 0 ? OkStatus() : FromSystem(path, error);
}

Status SyncFolder(const std::string& path) { return SyncPath(path, O_RDONLY | O_DIRECTORY); }

// Gives the files their modes, has them on the disk and counts them. What was linked may not have been synced either:
// with ack none nobody asked for it yet.
Status Finish(const std::string& store, BackupReport* report) {
  if (chmod(store.c_str(), 0700) != 0) return FromSystem(store, errno);
  std::error_code error;
  for (fs::directory_iterator file(store, error), end; !error && file != end; file.increment(error)) {
    const std::string path = file->path().string();
    if (chmod(path.c_str(), 0600) != 0) return FromSystem(path, errno);
    MR_RETURN_IF_ERROR(SyncPath(path, O_RDONLY));
    struct stat found {};
    if (stat(path.c_str(), &found) != 0) return FromSystem(path, errno);
    ++report->files;
    report->bytes += found.st_size;
  }
  return error ? FromSystem(store, error.value()) : SyncFolder(store);
}

Status Make(const Place& place, const Checkpoint& checkpoint, BackupReport* report) {
  const std::string& folder = place.folder;
  std::string partial = folder + ".partial-XXXXXX";
  if (mkdtemp(partial.data()) == nullptr) return Unusable(folder, strerror(errno));
  auto fill = [&]() -> Status {
    const std::string store = partial + "/store";
    MR_RETURN_IF_ERROR(checkpoint(store));
    MR_RETURN_IF_ERROR(Finish(store, report));
    MR_RETURN_IF_ERROR(SyncFolder(partial));
    if (Rename(partial, place) != 0) return Unusable(folder, strerror(errno));
    return OkStatus();
  };
  Status status = fill();
  if (status.ok()) return SyncFolder(fs::path(folder).parent_path().string());
  std::error_code error;
  fs::remove_all(partial, error);
  if (error) LogWarning("what was begun in %s could not be removed: %s", partial.c_str(), error.message().c_str());
  return status;
}

}  // namespace

Result<BackupReport> MakeBackup(const std::string& folder, const std::string& data_dir, const Checkpoint& checkpoint) {
  const auto start = std::chrono::steady_clock::now();
  const Result<Place> place = CheckFolder(folder, data_dir);
  if (!place.ok()) return place.status();
  BackupReport report{.folder = place->folder};
  MR_RETURN_IF_ERROR(Make(*place, checkpoint, &report));
  report.took = std::chrono::duration_cast<Nanos>(std::chrono::steady_clock::now() - start);
  return report;
}

void Backups::Start(const std::string& folder, Done done) {
  ThreadGuard guard(mutex_);
  if (stopped_ || running_) {
    const bool stopped = stopped_;
    guard.Unlock();
    return done(stopped ? Unavailable("DRAINING", "the daemon is stopping: make the backup of its folder then")
                        : FailedPrecondition("BACKUP_RUNNING", "another backup is being made; wait for its end"));
  }
  if (thread_.joinable()) thread_.join();  // Its last lines are running, at most.
  try {
    // `done` is copied: where there is no thread, it is called here.
    thread_ = std::thread([this, folder, done] { Run(folder, done); });
  } catch (const std::system_error& error) {
    guard.Unlock();
    return done(Unavailable("NO_THREAD", std::string("cannot start the thread that makes the backup: ") + error.what() +
                                             "; repeat later, or raise the limit of processes (ulimit -u)"));
  }
  running_ = true;
  pthread_setname_np(thread_.native_handle(), "store-backup");
}

void Backups::Run(const std::string& folder, const Done& done) {
  Result<BackupReport> report = MakeBackup(folder, data_dir_, checkpoint_);
  if (report.ok()) {
    LogInfo("backup: %lld files with %lld bytes in %s, after %.3f s", static_cast<long long>(report->files),
            static_cast<long long>(report->bytes), report->folder.c_str(),
            std::chrono::duration<double>(report->took).count());
  } else {
    LogWarning("backup: %s", report.status().message().c_str());
  }
  {
    ThreadGuard ended(mutex_);
    running_ = false;
  }
  done(std::move(report));
}

void Backups::Stop() {
  std::thread last;
  {
    ThreadGuard guard(mutex_);
    stopped_ = true;
    last = std::move(thread_);
  }
  if (last.joinable()) last.join();
}

}  // namespace millrace::store
