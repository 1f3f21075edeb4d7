// What RocksDB does not see in its own logs. Its way of reading them ends without a word at a length that was damaged
// in the last 32 KiB, and steps over a hole of zeros, so jobs that were acknowledged would be gone. The manifest is
// written in the same way. Therefore logs and manifest are looked at before RocksDB opens them.
//
//   Torn      What was being written, and not synced, when the machine stopped: cut short, or with parts that never
//             reached the disk, which read as zeros. Nobody was promised any of it, so it is cut off.
//   Damaged   All else that does not check out: what was synced has changed. A batch that carries kSyncedMark proves
//             that all before it was synced, so whatever does not check out before one is damage even if it is zeros.
//             ManifestMark does the same for the manifest, also where it ends between two records.
//   Not seen  A last log that was cut between two batches, or removed: the same as a machine that stopped earlier. What
//             the manifest got since the last batch was written, if it is cut off between two records.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace millrace::store {

// What a batch says before its changes (WriteBatch::PutLogData). Logs of earlier versions have the first only.
inline constexpr std::string_view kSyncedMark = "synced";  // When it was written, everything before it had been synced.
inline constexpr std::string_view kEachMark = "each synced";  // It is synced before the next batch is written.
// When the batch was written, so many bytes of that manifest had been synced, and CURRENT named it or a later one.
struct ManifestMark {
  uint64_t number = 0, bytes = 0;
  auto operator<=>(const ManifestMark&) const = default;
};
std::string ToLogData(const ManifestMark& mark);

// Cuts off what is torn, with a line in our log. INTERNAL STORE_DAMAGED: nothing was changed. Else the errors of
// disk_errors.h. Nobody may have the folder open. A folder that is no store yet is in order.
Status CheckLogs(const std::string& folder);

// For those who only read: what CheckLogs would cut off, and what it would say.
struct TornFile {
  std::string path;
  uint64_t size = 0;
  uint64_t good_bytes = 0;  // From the begin.
};
Result<std::vector<TornFile>> FindTorn(const std::string& folder);

// One file of logs, given in blocks of 32 KiB of which only the last may be shorter.
class LogCheck {
 public:
  static constexpr size_t kBlock = 32768;

  // Before the first block: this one comes after `previous`, which may have kEachMark for the first batch here as well.
  void ComeAfter(const LogCheck& previous) { each_ = previous.each_; }
  void Add(std::string_view block);
  // After the last block. Something follows good_bytes() that is not a whole record.
  bool Faulty() const { return fault_.has_value() || within_; }
  // What is there looks as if it had not reached the disk in time.
  bool LooksTorn() const { return fault_ ? hole_ || (cut_short_ && !more_) : within_; }

  uint64_t good_bytes() const { return good_; }
  // In batches: the number of the first change, and the one after the last of the whole records.
  std::optional<uint64_t> first_sequence() const { return first_sequence_; }
  uint64_t next_sequence() const { return next_sequence_; }
  // A record begins after the fault; and one that proves that what was before it had been synced.
  bool more_after_fault() const { return more_; }
  bool synced_after_fault() const { return synced_after_fault_; }
  bool synced_anywhere() const { return synced_; }
  // The newest one in a batch. Number 0: there is none.
  const ManifestMark& manifest() const { return manifest_; }

 private:
  struct Record;
  static std::optional<Record> Parse(std::string_view rest);
  bool Take(const Record& record);
  void ReadHead();
  void Fault(std::string_view block, size_t at);
  void LookForHoles(std::string_view block);

  uint64_t offset_ = 0;  // Where the block begins.
  uint64_t good_ = 0;
  std::optional<uint64_t> fault_;      // Where the first one is.
  std::optional<uint64_t> fault_end_;  // Where the record that is there ends, if it says so.
  bool within_ = false;                // A record whose end has not come.
  std::string head_;                   // The first bytes of the batch, which may come in several records.
  bool head_open_ = false;             // More of them are to come.
  bool each_ = false;                  // The last batch that begins before the fault has kEachMark.
  bool hole_ = false, cut_short_ = false, more_ = false, synced_ = false, synced_after_fault_ = false;
  std::optional<uint64_t> first_sequence_;
  uint64_t starting_sequence_ = 0;  // After the record that is not at its end.
  uint64_t next_sequence_ = 0;
  ManifestMark manifest_;
};

}  // namespace millrace::store
