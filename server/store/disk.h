// Disk: the ordered map that RocksJournal keeps its records in: several shelves, batches that are written as a whole, reading in id
// order. rocks_disk.h is the real one; a test has one that fails on demand.
//   Threads   One at a time, but for Checkpoint; every call may take as long as the disk takes.
//   Errors    Of Write and Sync: what was being written is on the disk, or not, or in part. Nothing but Reopen may follow, and
//             then what is not known to be there is written once more.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "job/job.h"

namespace millrace::store {

// Keys are job ids (KeyOf), on the last one request ids. A job that was retried may have an old record among the finished: the
// one among the live counts.
enum class Shelf : uint8_t { kSpec, kLive, kFinished, kRequests };
inline constexpr size_t kShelves = 4;

struct Change {
  enum class Kind : uint8_t { kPut, kErase };
  Kind kind;
  Shelf shelf;
  std::string key;
  std::string value;  // kPut
};

// A job as it lies there.
struct RawJob {
  JobId id;
  std::string spec;
  std::string state;
};
struct RawRequest {
  std::string request_id;
  std::string record;
};

class Disk {
 public:
  virtual ~Disk() = default;

  // In order, all or nothing. When it returns they survive the end of the process.
  virtual Status Write(std::span<const Change> changes) = 0;
  // Everything written so far survives a loss of power.
  virtual Status Sync() = 0;
  // After an error: begins anew with what is on the disk. STORE_DAMAGED, of this or the others: it cannot be trusted any more, and
  // trying again does not help.
  virtual Status Reopen() = 0;
  // Grows with each change that is written. After Reopen: that of the changes that are there.
  virtual uint64_t Position() const = 0;
  // For messages: the folder.
  virtual const std::string& Name() const = 0;
  // Called on any thread when the disk is found to fail while nobody writes; Write and Sync say how from then on, until Reopen. It
  // must not call the disk. Empty: when this returns nobody is called any more.
  virtual void OnTrouble(std::function<void()>) {}

  // Moves over all jobs in id order, some at a time; none: that was all. INTERNAL STORE_DAMAGED: the disk cannot be trusted.
  class JobReader {
   public:
    virtual ~JobReader() = default;
    virtual Result<std::vector<RawJob>> Next() = 0;
  };
  virtual std::unique_ptr<JobReader> ReadJobs() = 0;
  virtual Result<std::vector<RawRequest>> ReadRequests() = 0;

  // Makes `folder`, which is not there yet, into a disk of its own with everything written so far. Any thread, while the others are
  // called; only Reopen waits for its end. After an error something may be left in the folder. The files are not synced.
  virtual Status Checkpoint(const std::string& folder) = 0;
};

}  // namespace millrace::store
