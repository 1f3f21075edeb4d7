// SlowJournal: a journal whose commits come when the test says so, as those of a disk come with the next group commit.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "dispatch/journal.h"
#include "runtime/lock.h"

namespace millrace::test {

class SlowJournal final : public dispatch::Journal {
 public:
  Durability durability() const override { return Durability::kFsync; }
  bool CommitsAtOnce() const override { return false; }
  Status Load(const std::function<void(dispatch::JobRecord)>&) override { return OkStatus(); }

  std::optional<Status> Append(std::span<const dispatch::JobRecord* const> records, Accepting,
                               Waiter* waiter) override {
    rt::LockGuard guard(lock_);
    for (const dispatch::JobRecord* record : records) states_[record->id] = record->life.state;
    if (waiter != nullptr) waiting_.push_back(waiter);
    return std::nullopt;
  }
  void Erase(std::span<const JobId>) override {}
  void KeepRequest(const dispatch::SpentRequest&) override {}
  void DropRequest(const std::string&) override {}
  Status LoadRequests(const std::function<void(dispatch::SpentRequest)>&) override { return OkStatus(); }

  // Commits everything appended so far, or fails it; returns how many waited for it.
  size_t Commit(Status status = OkStatus()) {
    std::deque<Waiter*> waiting;
    {
      rt::LockGuard guard(lock_);
      waiting.swap(waiting_);
    }
    for (Waiter* waiter : waiting) waiter->OnCommitted(status);
    return waiting.size();
  }
  size_t waiting() const {
    rt::LockGuard guard(lock_);
    return waiting_.size();
  }
  // What was appended of a job last, committed or not.
  JobState Appended(const JobId& id) const {
    rt::LockGuard guard(lock_);
    return states_.at(id);
  }

 private:
  mutable rt::Lock lock_;
  std::deque<Waiter*> waiting_;
  std::map<JobId, JobState> states_;
};

}  // namespace millrace::test
