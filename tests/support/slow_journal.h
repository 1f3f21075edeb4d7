// SlowJournal: a journal whose commits come when the test says so, as those of a disk come with the next group commit.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "dispatch/journal.h"
#include "runtime/lock.h"
#include "runtime/runtime.h"

namespace millrace::test {

class SlowJournal final : public dispatch::Journal {
 public:
  Durability durability() const override { return Durability::kFsync; }
  bool CommitsAtOnce() const override { return false; }
  bool Failing() const override { return failing_; }
  bool KeepsUnfinished() const override { return true; }
  Status Load(const std::function<void(dispatch::JobRecord)>& each) override {
    for (const dispatch::JobRecord& record : found_) each(record);
    return OkStatus();
  }
  Status LoadEnded(const std::function<void(const dispatch::EndedJob&)>&) override { return OkStatus(); }
  Status LoadRequests(const std::function<void(dispatch::SpentRequest)>&) override {
    loaded_ = true;
    return OkStatus();
  }

  void Commit(dispatch::Batch& batch) override {
    for (dispatch::Batch::Part& part : batch.parts()) {
      // One section for a part: whoever sees that something was Appended commits its waiter as well.
      rt::LockGuard guard(lock_);
      ++parts_;
      if (!lost_.ok()) {
        part.answer = lost_;
        continue;
      }
      for (dispatch::Batch::Entry& entry : batch.entries(part)) Take(entry);
      if (part.waiter == nullptr) continue;
      Waiting& waits = waiting_.emplace_back(Waiting{part.waiter, {}});
      for (dispatch::Batch::Entry& entry : batch.entries(part)) {
        if (entry.kind == dispatch::Batch::Kind::kAccept) waits.accepts.insert(entry.record->id);
      }
    }
  }

  Result<std::shared_ptr<const dispatch::JobRecord>> Read(const JobId& id, Part) override {
    Result<std::shared_ptr<const dispatch::JobRecord>> read = NotFound("JOB_UNKNOWN", "no such job");
    {
      rt::LockGuard guard(lock_);
      ++reads_;
      auto found = committed_.find(id);
      if (found != committed_.end()) read = found->second;
      if (!read_failure_.ok()) read = read_failure_;
      if (!std::exchange(hold_next_read_, false)) return read;
      read_held_ = true;
    }
    while (read_held_) rt::Yield();
    return read;
  }
  Result<Bytes> ReadResult(const JobId& id) override {
    rt::LockGuard guard(lock_);
    auto found = committed_.find(id);
    if (found != committed_.end() && IsTerminal(found->second->life.state)) return found->second->result;
    return NotFound("JOB_UNKNOWN", "no such job");
  }
  // The next Read gives what it finds now when ReleaseRead is called. On a fiber.
  void HoldNextRead() {
    rt::LockGuard guard(lock_);
    hold_next_read_ = true;
  }
  bool read_held() const { return read_held_; }
  void ReleaseRead() { read_held_ = false; }
  Result<std::vector<std::shared_ptr<const dispatch::JobRecord>>> ReadEnded(const Range& range) override {
    rt::LockGuard guard(lock_);
    std::vector<std::shared_ptr<const dispatch::JobRecord>> records;
    MR_CHECK(range.after < range.last, "this one only reads forwards");
    for (const auto& [id, record] : committed_) {
      const bool inside = range.after < id && !(range.last < id) && IsTerminal(record->life.state);
      if (inside && records.size() < range.limit) records.push_back(record);
    }
    return records;
  }

  // Before the dispatcher starts: what it finds.
  void Found(dispatch::JobRecord record) { found_.push_back(std::move(record)); }

  // Commits everything appended so far, or fails it; returns how many waited for it.
  size_t Commit(Status status = OkStatus()) {
    std::deque<Waiting> waiting;
    {
      rt::LockGuard guard(lock_);
      waiting.swap(waiting_);
      for (auto& [id, record] : noted_) {
        if (!status.ok()) break;
        if (record != nullptr) {
          committed_[id] = std::move(record);
        } else {
          committed_.erase(id);
        }
      }
      noted_.clear();
    }
    for (const Waiting& each : waiting) each.waiter->OnCommitted(status);
    return waiting.size();
  }
  // Refuses what waits to be accepted; all else goes on to wait, as on a disk that is full.
  size_t RefuseAccepts(const Status& status) {
    std::vector<Waiting> refused;
    {
      rt::LockGuard guard(lock_);
      std::deque<Waiting> rest;
      for (const Waiting& each : waiting_) {
        if (each.accepts.empty()) {
          rest.push_back(each);
          continue;
        }
        refused.push_back(each);
        std::erase_if(noted_, [&](const auto& note) { return each.accepts.contains(note.first); });
      }
      waiting_.swap(rest);
    }
    for (const Waiting& each : refused) each.waiter->OnCommitted(status);
    return refused.size();
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
  // Every Read from now on fails with this, until it is OK.
  void FailReads(Status status) {
    rt::LockGuard guard(lock_);
    read_failure_ = std::move(status);
  }
  void SetFailing(bool failing) { failing_ = failing; }
  // Everything from now on is answered at once with this.
  void Lose(Status status) {
    rt::LockGuard guard(lock_);
    lost_ = std::move(status);
  }
  int parts() const {  // Ever committed.
    rt::LockGuard guard(lock_);
    return parts_;
  }
  int reads() const {
    rt::LockGuard guard(lock_);
    return reads_;
  }

 private:
  void Take(const dispatch::Batch::Entry& entry) {  // Under the lock.
    using enum dispatch::Batch::Kind;
    if (entry.kind == kDropRequest) return;
    if (entry.kind == kForget) return noted_.push_back({entry.was.id, nullptr});
    const dispatch::JobRecord& record = entry.kind == kEnd ? *entry.ended : *entry.record;
    MR_CHECK(loaded_, "what is written before all was read may be read as well");
    states_[record.id] = record.life.state;
    noted_.push_back({record.id, std::make_shared<const dispatch::JobRecord>(record)});
  }

  std::vector<dispatch::JobRecord> found_;
  bool loaded_ = false;

  mutable rt::Lock lock_;
  struct Waiting {
    Waiter* waiter;
    std::set<JobId> accepts;  // The jobs that it accepts, if it does.
  };
  std::deque<Waiting> waiting_;
  std::map<JobId, JobState> states_;
  std::vector<std::pair<JobId, std::shared_ptr<const dispatch::JobRecord>>> noted_;  // nullptr: forgotten.
  std::map<JobId, std::shared_ptr<const dispatch::JobRecord>> committed_;
  Status read_failure_, lost_;
  int parts_ = 0;
  int reads_ = 0;
  std::atomic<bool> failing_{false};
  bool hold_next_read_ = false;
  std::atomic<bool> read_held_{false};
};

}  // namespace millrace::test
