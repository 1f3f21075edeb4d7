// StoreReader: a store that no daemon has open, read where it stands.
//
//   Untouched  Nothing on the disk changes; not even a log or a lock file is made. While it is open, a daemon that
//              starts there is refused with STORE_IN_USE before it touches anything (folder_lock.h).
//   Looks      It checks logs and tables as a daemon that starts (rocks/log_check.h, rocks/table_check.h). What is torn
//              is passed over, and left as it is.
//   Threads    One at a time.
//   Errors     NOT_FOUND STORE_NOT_FOUND: no store there. FAILED_PRECONDITION STORE_IN_USE: a daemon has it.
//              STORE_TOO_NEW, STORE_UNREADABLE: not for this version, or not for this user. INTERNAL STORE_DAMAGED.
//              UNAVAILABLE STORE_FAILED: the disk says no.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/disk.h"

namespace millrace::store {

class StoreReader {
 public:
  // `folder`: the data folder of a daemon, a backup, or the folder of the store itself.
  static Result<std::unique_ptr<StoreReader>> Open(const std::string& folder);
  virtual ~StoreReader() = default;

  virtual const std::string& folder() const = 0;  // The folder of the store itself.
  virtual int format() const = 0;

  // Moves over one shelf in key order. Not at a key: that was all, or status() says why it cannot be read on. key and
  // value are valid until Next.
  class Cursor {
   public:
    virtual ~Cursor() = default;
    virtual bool AtKey() const = 0;
    virtual std::string_view key() const = 0;
    virtual std::string_view value() const = 0;
    virtual void Next() = 0;
    virtual Status status() const = 0;
  };
  // A cursor does not outlive its reader.
  virtual std::unique_ptr<Cursor> Read(Shelf shelf) const = 0;
  virtual Result<std::optional<std::string>> Get(Shelf shelf, std::string_view key) const = 0;

  // What lies in files of tables; what was written last is in the log only.
  struct ShelfUse {
    std::string name;
    uint64_t files = 0, bytes = 0;
    uint64_t logged = 0;  // Records, and gravestones, that are in the log only.
  };
  virtual std::vector<ShelfUse> Shelves() const = 0;
  struct DiskUse {
    uint64_t files = 0, bytes = 0;  // Everything in the folder.
    uint64_t log_bytes = 0;         // The part of `bytes` that is the log.
  };
  virtual DiskUse Use() const = 0;

  // Reads every block of every table and compares its checksum; what is wrong with the first one that fails. (The log
  // was checked when the store was opened.)
  virtual Status VerifyFiles() const = 0;
};

}  // namespace millrace::store
