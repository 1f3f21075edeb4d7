// Backups: what rpc asks of those who remember jobs, beside journal.h: a copy of all of it while work goes on. store/
// answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace millrace::dispatch {

struct BackupReport {
  std::string folder;
  int64_t files = 0;
  int64_t bytes = 0;
  Nanos took{0};
};

class Backups {
 public:
  virtual ~Backups() = default;

  // Makes `folder`, an absolute path that is not there or an empty folder, into a data folder that a daemon can be
  // started on, with everything that was acknowledged before the call; or leaves nothing behind. Returns at once;
  // `done` is called exactly once, on any thread, also inside the call. One at a time: FAILED_PRECONDITION
  // BACKUP_RUNNING. UNAVAILABLE NO_THREAD: the system has no thread for it now.
  using Done = std::function<void(Result<BackupReport>)>;
  virtual void Start(const std::string& folder, Done done) = 0;
};

}  // namespace millrace::dispatch
