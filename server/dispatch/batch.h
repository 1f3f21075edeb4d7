// Batch: what one Turn writes, in the order of its moves. The journal gets it before the dispatcher's lock is released.
//
//   Parts     A part takes effect as a whole or not at all, also when the daemon is killed meanwhile. What a submission
//             accepts is a part of its own, as nothing else may be refused; everything else that a Turn writes is one
//             part.
//   Records   Entries point to records, which are written as they are when the batch is handed over: of several changes
//             of a job in one Turn each says what the last one says.
//   Memory    A batch is used again and again, so that a Turn allocates none.
//   Threads   None of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "dispatch/record.h"

namespace millrace::dispatch {

// Told how a part ended.
class CommitWaiter {
 public:
  virtual ~CommitWaiter() = default;
  // On any thread, with no lock of the journal held, in the order of the parts; only a refusal may be told early.
  virtual void OnCommitted(const Status& status) = 0;
};

class Batch {
 public:
  enum class Kind : uint8_t {
    kAccept,       // A new job: record.
    kChange,       // Another state of one that has not ended: record.
    kEnd,          // The job has ended, and can be read in the journal from the commit on: ended.
    kRevive,       // A job that had ended lives again: record, was.
    kForget,       // A job that has ended is gone: was; of its request id, if it has one, `request` remains.
    kDropRequest,  // A request id is forgotten: request->request_id.
  };
  struct Entry {
    Kind kind = Kind::kAccept;
    const JobRecord* record = nullptr;  // kAccept, kChange, kRevive.
    // kEnd: the record, which does not change any more, so that a journal may hold on to it and encode it later.
    // kForget, kRevive, set by the journal: what is to be freed without the lock.
    std::shared_ptr<const JobRecord> ended;
    EndedJob was{};                                 // kRevive, kForget.
    std::unique_ptr<const SpentRequest> request{};  // Seldom there: the entries of a Turn stay small without.
  };
  struct Part {
    size_t begin = 0, end = 0;       // Its entries. None: `waiter` waits for the parts before it.
    CommitWaiter* waiter = nullptr;  // nullptr: nobody wants to know.
    // Set by the journal: the part is committed, or refused, already. Its waiter is not called then.
    std::optional<Status> answer{};
  };

  // ---- Entries of the part that is open
  void Accept(const JobRecord& record) { Add(Kind::kAccept).record = &record; }
  void Change(const JobRecord& record) { Add(Kind::kChange).record = &record; }
  void End(std::shared_ptr<const JobRecord> record) { Add(Kind::kEnd).ended = std::move(record); }
  void Revive(const JobRecord& record, const EndedJob& was) {
    Entry& entry = Add(Kind::kRevive);
    entry.record = &record;
    entry.was = was;
  }
  void Forget(const EndedJob& job, std::unique_ptr<const SpentRequest> request) {
    Entry& entry = Add(Kind::kForget);
    entry.was = job;
    entry.request = std::move(request);
  }
  void DropRequest(std::string request_id) {
    Add(Kind::kDropRequest).request =
        std::make_unique<const SpentRequest>(SpentRequest{.request_id = std::move(request_id)});
  }
  bool open() const { return entries_used_ > begin_; }  // It has entries.
  Kind first_kind() const { return entries_[begin_].kind; }
  // Ends the part; another one is open then.
  void Close(CommitWaiter* waiter) {
    if (parts_used_ == parts_.size()) parts_.emplace_back();
    Part& part = parts_[parts_used_++];
    part.begin = std::exchange(begin_, entries_used_);
    part.end = entries_used_;
    part.waiter = waiter;
  }

  // ---- For the journal
  std::span<Part> parts() { return {parts_.data(), parts_used_}; }
  std::span<Entry> entries(const Part& part) { return {entries_.data() + part.begin, part.end - part.begin}; }

  void Clear() {
    for (Entry& entry : std::span(entries_.data(), entries_used_)) {
      entry.ended.reset();
      entry.request.reset();
    }
    for (Part& part : parts()) part.answer.reset();
    entries_used_ = parts_used_ = begin_ = 0;
  }

 private:
  Entry& Add(Kind kind) {
    if (entries_used_ == entries_.size()) entries_.emplace_back();
    Entry& entry = entries_[entries_used_++];
    entry.kind = kind;
    return entry;
  }

  // The first so many of each are in use; the others hold nothing and are there to be used again. So an entry is filled
  // in where it is, and neither made nor destroyed: a Turn writes a few of them, and there are 200,000 Turns a second.
  std::vector<Entry> entries_;
  std::vector<Part> parts_;
  size_t entries_used_ = 0, parts_used_ = 0;
  size_t begin_ = 0;  // Where the open part begins.
};

}  // namespace millrace::dispatch
