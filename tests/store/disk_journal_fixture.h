// A journal on a disk in memory that does what the test says.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "store/disk_journal.h"
#include "tests/support/fake_disk.h"
#include "tests/support/journal_calls.h"
#include "tests/support/one_part.h"

namespace millrace::store {

using dispatch::JobRecord;
using dispatch::Journal;
using test::Accept;
using test::CommitCall;
using test::FakeDisk;
using test::Platter;
using test::Print;
using test::RandomRecords;
using test::Remembered;

constexpr auto kSoon = std::chrono::milliseconds(1);

class DiskJournalTest : public testing::Test {
 protected:
  DiskJournal& Open(DiskJournalOptions options = {.retry_delay = kSoon}) {
    journal_.reset();
    journal_ = std::make_unique<DiskJournal>(std::make_unique<FakeDisk>(platter), options);
    return *journal_;
  }
  // After all is written.
  std::map<JobId, std::string> OnDisk() {
    journal_.reset();
    return Remembered(Open());
  }
  void Note(const JobRecord& record, Journal::Waiter* waiter, test::Accepting accepting = test::Accepting::kYes) {
    const JobRecord* one = &record;
    const bool accept = accepting == test::Accepting::kYes;
    EXPECT_FALSE((accept ? test::Append(*journal_, std::span(&one, 1), accepting, waiter)
                         : test::Note(*journal_, record, waiter))
                     .has_value());
  }

  RandomRecords random{1};
  Platter platter;
  std::unique_ptr<DiskJournal> journal_;
};

}  // namespace millrace::store
