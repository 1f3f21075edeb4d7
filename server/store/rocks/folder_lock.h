// FolderLock: the folder of a store, held until the end of this object: no other process has it then, or other readers
// only.
//
//   Why        RocksDB holds a lock only while it is open. Between a failure of the disk and the next attempt it is
//              not, and a second daemon that came in there would have its jobs overwritten by what the first one still
//              has to write.
//   Same       A store that is opened anew must be the one that was lost: not an empty folder that is left where a file
//              system was mounted, nor a copy that somebody put there meanwhile.
//   Threads    One at a time.
#pragma once

#include <string>

#include "base/status.h"

namespace millrace::store {

class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // FAILED_PRECONDITION STORE_IN_USE; else the errors of disk_errors.h.
  enum class For : bool { kReading, kWriting };
  Status Take(const std::string& folder, For what = For::kWriting);
  // UNAVAILABLE STORE_FAILED: under this path is no longer the folder that was taken.
  Status CheckSame(const std::string& folder) const;

 private:
  int fd_ = -1;
};

}  // namespace millrace::store
