// Backups of a store that a daemon has open: dispatch/backup.h on a checkpoint of the disk.
//
//   Made      In a folder beside the one that was asked for, under a name of its own, DIR.partial-XXXXXX, and renamed
//             when all of it has been synced: so DIR is whole or not there. A failure removes the other; only a kill
//             can leave it.
//   Modes     0700 and 0600: it holds payloads and results.
//   Place     Never in the data folder nor around it, whatever name leads there; never in the place of a folder that is
//             not empty or belongs to somebody else.
//   Room      On the file system of the store tables are linked, not copied; a backup grows as the store lets go of
//             them.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "base/status.h"
#include "base/thread_mutex.h"
#include "dispatch/backup.h"

namespace millrace::store {

// Makes the folder it is given, which is not there, into a copy of the store (Disk::Checkpoint).
using Checkpoint = std::function<Status(const std::string& folder)>;

// Blocks as long as the disk takes. `data_dir` is the data folder of the daemon, in which nothing is touched; empty: it
// has none. INVALID_ARGUMENT BAD_FOLDER: no absolute path. FAILED_PRECONDITION FOLDER_NOT_EMPTY, FOLDER_UNUSABLE:
// choose another folder. Otherwise the error of the disk that failed.
Result<dispatch::BackupReport> MakeBackup(const std::string& folder, const std::string& data_dir,
                                          const Checkpoint& checkpoint);

// Each on a thread of its own. Any plain thread may call.
class Backups final : public dispatch::Backups {
 public:
  Backups(std::string data_dir, Checkpoint checkpoint)
      : data_dir_(std::move(data_dir)), checkpoint_(std::move(checkpoint)) {}
  ~Backups() override { Stop(); }

  void Start(const std::string& folder, Done done) override;
  // Waits for the one under way; later ones are refused with UNAVAILABLE DRAINING. Repeatable.
  void Stop();

 private:
  void Run(const std::string& folder, const Done& done);

  const std::string data_dir_;
  const Checkpoint checkpoint_;
  ThreadMutex mutex_;
  bool running_ MR_GUARDED_BY(mutex_) = false;
  bool stopped_ MR_GUARDED_BY(mutex_) = false;
  std::thread thread_ MR_GUARDED_BY(mutex_);  // The newest one.
};

}  // namespace millrace::store
