// A store with ten jobs, which a test then damages behind the journal's back.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"
#include "store/tools/inspect.h"
#include "store/tools/verify.h"
#include "tests/support/journal_calls.h"
#include "tests/support/one_part.h"
#include "tests/support/open_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {

using dispatch::JobRecord;
using test::Accept;
using test::RandomRecords;
using enum store::Change::Kind;

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    auto journal = test::OpenJournal(Store(), {});
    ASSERT_TRUE(journal.ok());
    // Job 0 has ended. Its payload, and that of job 1, has a record of its own; that of job 2 has none.
    for (const size_t bytes : {600, 700, 500, 1, 10, 1000, 0, 512, 513, 20}) {
      JobRecord job = random.New();
      auto spec = std::make_shared<JobSpec>(*job.spec);
      spec->payload = bytes == 0 ? nullptr : MakeBytes(std::string(bytes, 'p'));
      job.spec = spec;
      job.payload_bytes = static_cast<int64_t>(bytes);
      job.request_id = "request " + std::to_string(jobs.size());
      ASSERT_TRUE(Accept(**journal, job).ok());
      jobs.push_back(job);
    }
    random.Ended(&jobs[0]);
    ASSERT_TRUE(test::Change(**journal, jobs[0]).ok());
    const dispatch::SpentRequest spent{.request_id = "spent", .job = {1, 2}, .until = WallTime()};
    test::Forget(**journal, {.id = spent.job}, &spent);
  }
  // Behind the journal's back.
  void Write(std::vector<Change> changes) {
    auto disk = OpenRocksDisk(Store());
    ASSERT_TRUE(disk.ok());
    ASSERT_TRUE((*disk)->Write(changes).ok());
  }
  VerifyReport Check(size_t findings_max = 10) {
    auto report = Verify(folder.path(), findings_max);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return *report;
  }
  // All of them.
  std::vector<Problem> Problems() {
    std::vector<Problem> problems;
    for (const Finding& finding : Check().first) problems.push_back(finding.problem);
    return problems;
  }
  // The store has one problem, this one.
  Finding TheOnly(Problem problem) {
    const VerifyReport report = Check();
    EXPECT_EQ(report.problem_count(), 1);
    EXPECT_EQ(report.problems[static_cast<size_t>(problem)], 1) << ToString(problem);
    EXPECT_EQ(report.first.size(), 1u);
    return report.first.empty() ? Finding{} : report.first[0];
  }
  std::string Key(size_t job) const { return KeyOf(jobs[job].id); }
  std::string StateOf(size_t job) const { return EncodeState(jobs[job].id, PrepareState(jobs[job])); }
  Change PutEnded(const dispatch::EndedJob& job) const {
    return {kPut, Shelf::kEnded, KeyOfEnded(job), EncodeEnded(job)};
  }
  dispatch::SpentRequest RequestOf(size_t job) const {
    return {.request_id = jobs[job].request_id,
            .job = jobs[job].id,
            .fingerprint = jobs[job].fingerprint,
            .final_state = jobs[job].life.state};
  }
  Change PutRequest(const dispatch::SpentRequest& request) const {
    return {kPut, Shelf::kRequests, request.request_id, EncodeRequest(request)};
  }
  std::string Store() const { return folder / "store"; }

  test::TempFolder folder;
  RandomRecords random{11};
  std::vector<JobRecord> jobs;
};

}  // namespace millrace::store
