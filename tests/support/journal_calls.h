// Calls of a journal that a test can wait for, on a fiber or a plain thread.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/journal.h"
#include "runtime/park.h"
#include "tests/support/job_records.h"
#include "tests/support/one_part.h"

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
                     test::Accepting accepting) {
  CommitCall call;
  if (std::optional<Status> answer = test::Append(journal, records, accepting, &call)) return *answer;
  return call.Await();
}
inline Status Accept(dispatch::Journal& journal, const dispatch::JobRecord& record) {
  return Append(journal, {&record}, test::Accepting::kYes);
}
// The job's next state, also its end.
inline std::optional<Status> Note(dispatch::Journal& journal, const dispatch::JobRecord& record,
                                  dispatch::Journal::Waiter* waiter) {
  if (IsTerminal(record.life.state)) {
    return test::End(journal, std::make_shared<const dispatch::JobRecord>(record), waiter);
  }
  const dispatch::JobRecord* one = &record;
  return test::Append(journal, std::span(&one, 1), test::Accepting::kNo, waiter);
}
inline Status Change(dispatch::Journal& journal, const dispatch::JobRecord& record) {
  CommitCall call;
  if (std::optional<Status> answer = Note(journal, record, &call)) return *answer;
  return call.Await();
}
// One that had ended, and may do so again.
inline Status Revive(dispatch::Journal& journal, const dispatch::JobRecord& record, const dispatch::EndedJob& was) {
  CommitCall call;
  if (std::optional<Status> answer = test::Revive(journal, record, was, &call)) return *answer;
  return call.Await();
}

// What the journal remembers: every field of every job, by id. Into `failure` what it cannot read.
inline std::map<JobId, std::string> Remembered(dispatch::Journal& journal, Status* failure) {
  std::vector<JobId> ids;
  Status status = journal.Load([&](dispatch::JobRecord record) {
    EXPECT_TRUE(ids.empty() || ids.back() < record.id) << "in id order";
    EXPECT_FALSE(IsTerminal(record.life.state));
    ids.push_back(record.id);
  });
  std::map<JobId, dispatch::EndedJob> ended;
  std::optional<WallTime> last;
  if (status.ok()) {
    status = journal.LoadEnded([&](const dispatch::EndedJob& job) {
      EXPECT_TRUE(!last || *last <= job.finished) << "in the order of their ends";
      last = job.finished;
      EXPECT_TRUE(ended.emplace(job.id, job).second) << "twice";
      ids.push_back(job.id);
    });
  }
  std::map<JobId, std::string> jobs;
  for (size_t i = 0; status.ok() && i < ids.size(); ++i) {
    auto record = journal.Read(ids[i], dispatch::Journal::Part::kWhole);
    status = record.status();
    if (!status.ok()) break;
    EXPECT_TRUE(jobs.emplace(ids[i], Print(**record)).second) << "alive, and has ended";
    EXPECT_EQ(ended.contains(ids[i]), IsTerminal((*record)->life.state));
    if (ended.contains(ids[i])) {
      EXPECT_EQ(EndedOf(**record), ended.at(ids[i]));
    }
  }
  if (failure != nullptr) {
    *failure = status;
  } else {
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  return jobs;
}
inline std::map<JobId, std::string> Remembered(dispatch::Journal& journal) { return Remembered(journal, nullptr); }

}  // namespace millrace::test
