// Calls of a journal that a test can wait for, on a fiber or a plain thread.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/journal.h"
#include "runtime/park.h"
#include "tests/support/job_records.h"

namespace millrace::test {

class CommitCall final : public dispatch::Journal::Waiter {
 public:
  void OnCommitted(const Status& status) override {
    status_ = status;
    parker_.Wake();
  }
  Status Await() {
    parker_.Wait(rt::WaitReason::kExternal);
    return status_;
  }

 private:
  Status status_;
  rt::Parker parker_;
};

// Appends and waits for the answer.
inline Status Append(dispatch::Journal& journal, const std::vector<const dispatch::JobRecord*>& records,
                     dispatch::Journal::Accepting accepting) {
  CommitCall call;
  if (std::optional<Status> answer = journal.Append(records, accepting, &call)) return *answer;
  return call.Await();
}
inline Status Accept(dispatch::Journal& journal, const dispatch::JobRecord& record) {
  return Append(journal, {&record}, dispatch::Journal::Accepting::kYes);
}
inline Status Change(dispatch::Journal& journal, const dispatch::JobRecord& record) {
  return Append(journal, {&record}, dispatch::Journal::Accepting::kNo);
}

// What the journal remembers: every field of every job, by id.
inline std::map<JobId, std::string> Remembered(dispatch::Journal& journal) {
  std::map<JobId, std::string> jobs;
  std::optional<JobId> last;
  Status status = journal.Load([&](dispatch::JobRecord record) {
    EXPECT_TRUE(!last || *last < record.id) << "in id order";
    last = record.id;
    jobs[record.id] = Print(record);
  });
  EXPECT_TRUE(status.ok()) << status.ToString();
  return jobs;
}

}  // namespace millrace::test
