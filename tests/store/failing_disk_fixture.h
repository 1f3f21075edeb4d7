// Journals on a disk that fails, and work for them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"
#include "tests/support/failing_disk.h"
#include "tests/support/job_records.h"
#include "tests/support/journal_calls.h"
#include "tests/support/one_part.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {

using dispatch::JobRecord;
using dispatch::Journal;
using test::Accept;
using test::FailingDisk;
using test::Print;
using test::RandomRecords;
using test::Remembered;
using test::TempFolder;

inline constexpr DiskJournalOptions kRetrySoon = {.retry_delay = std::chrono::milliseconds(1)};
inline constexpr DiskJournalOptions kRetryNever = {.retry_delay = std::chrono::hours(1)};
// Tables are made, and compacted, all the time.
inline constexpr RocksDiskOptions kBusy = {.buffer_bytes = size_t{64} << 10};

inline std::unique_ptr<DiskJournal> Open(const std::string& folder, DiskJournalOptions options = kRetrySoon,
                                         RocksDiskOptions disk_options = kBusy) {
  Result<std::unique_ptr<Disk>> disk = OpenRocksDisk(folder, disk_options);
  EXPECT_TRUE(disk.ok()) << disk.status().ToString();
  return disk.ok() ? std::make_unique<DiskJournal>(*std::move(disk), options) : nullptr;
}

inline void AwaitWell(const DiskJournal& journal) {
  while (!journal.Health().ok()) std::this_thread::yield();
}
inline void AwaitAttempts(const DiskJournal& journal, uint64_t more) {
  const uint64_t before = journal.Stats().open_errors;
  while (journal.Stats().open_errors < before + more) std::this_thread::yield();
}

inline void ExpectTold(const Status& status, const std::string& reason, const std::string& folder,
                       const std::string& words) {
  EXPECT_EQ(status.reason(), reason) << status.ToString();
  EXPECT_NE(status.message().find(folder), std::string::npos) << "the folder is not named: " << status.message();
  EXPECT_NE(status.message().find(words), std::string::npos) << "'" << words << "' is not said: " << status.message();
}

// Jobs that come and change, and what a client and a runner know about them.
class Work {
 public:
  Work(unsigned seed, size_t payload_bytes) : random_(seed), payload_bytes_(payload_bytes) {}

  // One step, or a submit. False: a submit was refused, with what said() has.
  bool Step(DiskJournal& journal) {
    if (known_.empty() || random_.Below(3) != 0) return Submit(journal);
    auto each = known_.begin();
    std::advance(each, random_.Below(known_.size()));
    random_.Live(&each->second);
    const JobRecord* one = &each->second;
    EXPECT_FALSE(test::Append(journal, std::span(&one, 1), test::Accepting::kNo, nullptr).has_value());
    return true;
  }
  bool Submit(DiskJournal& journal) {
    JobRecord record = random_.New();
    auto spec = std::make_shared<JobSpec>(*record.spec);
    spec->payload = MakeBytes(std::string(payload_bytes_, static_cast<char>('a' + random_.Below(26))));
    record.spec = spec;
    said_ = Accept(journal, record);
    if (said_.ok()) known_[record.id] = record;
    return said_.ok();
  }

  // Exactly the jobs that were acknowledged, each as it was left.
  void ExpectAll(DiskJournal& journal) const {
    std::map<JobId, std::string> expected;
    for (const auto& [id, record] : known_) expected[id] = Print(record);
    const auto found = Remembered(journal);
    EXPECT_EQ(found.size(), expected.size());
    EXPECT_TRUE(found == expected);
  }
  size_t known() const { return known_.size(); }
  const Status& said() const { return said_; }

 private:
  RandomRecords random_;
  const size_t payload_bytes_;
  std::map<JobId, JobRecord> known_;
  Status said_;
};

}  // namespace millrace::store
