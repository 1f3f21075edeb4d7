// Disk: the ordered map that DiskJournal keeps its records in: several shelves, batches that are written as a whole,
// reading in key order. It is the seam for engines: rocks/rocks_disk.h answers it on one machine, a test with a disk
// that fails on demand.
//   Threads   Write, Sync and Reopen one at a time; Read, Scan, Bytes, Reclaim and Checkpoint on any thread beside
//             them. Every call may take as long as the disk takes, and may wait on locks of a library: on a fiber,
//             inside rt::Blocking.
//   Errors    When Write or Sync fails, what was being written is on the disk, or not, or in part. Nothing but Reopen
//             may follow, and then what is not known to be there is written once more. STORE_DAMAGED, from any call:
//             what is there cannot be trusted any more, and trying again does not help. NOT_OWNER (kNotOwner), from
//             Write, Sync or Reopen of a disk that several machines reach: another daemon owns it now. Nothing of the
//             batch is there, and this daemon writes no more: not even Reopen follows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "job/job.h"

namespace millrace::store {

// The shelves, and for every engine their names. Keys are job ids (KeyOf); on kEnded finish times and job ids
// (KeyOfEnded), on kRequests request ids. A further shelf gets a value and a name at the end, and a new format
// (FORMAT.md).
enum class Shelf : uint8_t { kSpec, kLive, kFinished, kRequests, kPayload, kEnded, kResult };
inline constexpr std::array<const char*, 7> kShelfNames = {"spec",    "live",  "finished", "requests",
                                                           "payload", "ended", "result"};
inline constexpr size_t kShelves = kShelfNames.size();
constexpr const char* ToString(Shelf shelf) { return kShelfNames[static_cast<size_t>(shelf)]; }

struct Change {
  enum class Kind : uint8_t { kPut, kErase };
  Kind kind;
  Shelf shelf;
  std::string key;
  std::string value;  // kPut
};

class Disk {
 public:
  virtual ~Disk() = default;

  // In order, all or nothing. When it returns they survive the end of the process.
  virtual Status Write(std::span<const Change> changes) = 0;
  // Everything written so far survives a loss of power.
  virtual Status Sync() = 0;
  // After an error: begins anew with what is on the disk; waits for whoever reads. If it fails, what is on the disk may
  // be read where that is possible.
  virtual Status Reopen() = 0;
  // A number that grows with each change that is written. After Reopen: the number that belongs to the changes that are
  // there.
  virtual uint64_t Position() const = 0;
  // For messages: the folder.
  virtual const std::string& Name() const = 0;
  // `call` is called on any thread when the disk is found to fail while nobody writes; Write and Sync say how from then
  // on, until Reopen. It must not call the disk. After a call with an empty one nobody is called any more.
  virtual void OnTrouble(std::function<void()>) {}

  // ---- Reading. UNAVAILABLE: not now. INTERNAL STORE_DAMAGED: the disk cannot be trusted.
  struct Place {
    Shelf shelf;
    std::string_view key;
  };
  // What lies in these places at one moment; nullopt: nothing.
  virtual Result<std::vector<std::optional<std::string>>> Read(std::span<const Place> places) = 0;

  // Moves over one shelf in key order. At no place at first, and after a step beyond the end or an error.
  class Cursor {
   public:
    virtual ~Cursor() = default;
    virtual void Seek(std::string_view key) = 0;      // The first one that is not below.
    virtual void SeekBack(std::string_view key) = 0;  // The last one that is not above.
    virtual void Next() = 0;
    virtual void Previous() = 0;
    virtual bool Valid() const = 0;
    virtual std::string_view key() const = 0;  // Until the cursor moves.
    virtual std::string_view value() const = 0;
  };
  // Calls `read` with a cursor on each of these shelves, all of the same moment. Gives what it returns, unless a cursor
  // failed.
  virtual Status Scan(std::span<const Shelf> shelves,
                      const std::function<Status(std::span<Cursor* const> cursors)>& read) = 0;

  // ---- Room
  // About what it all takes, the log of the newest writes left out.
  virtual uint64_t Bytes() = 0;
  // Gives back the room of what was erased. May write all again that is left, and takes as long as that takes.
  virtual Status Reclaim() = 0;
  // A Reclaim that is under way ends soon, and every later one at once.
  virtual void NoMoreReclaim() = 0;

  // Makes `folder`, which is not there yet, into a disk of its own with everything written so far. Any thread, while
  // the others are called; only Reopen waits for its end. After an error something may be left in the folder. The files
  // are not synced.
  virtual Status Checkpoint(const std::string& folder) = 0;
};

}  // namespace millrace::store
