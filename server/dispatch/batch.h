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
    Kind kind;
    const JobRecord* record = nullptr;
    // kEnd: the record, which does not change any more, so that a journal may hold on to it and encode it later.
    // kForget, set by the journal: what is to be freed without the lock.
    std::shared_ptr<const JobRecord> ended;
    EndedJob was{};
    std::unique_ptr<const SpentRequest> request{};  // Seldom there: the entries of a Turn stay small without.
  };
  struct Part {
    size_t begin = 0, end = 0;       // Its entries. None: `waiter` waits for the parts before it.
    CommitWaiter* waiter = nullptr;  // nullptr: nobody wants to know.
    // Set by the journal: the part is committed, or refused, already. Its waiter is not called then.
    std::optional<Status> answer{};
  };

  // ---- Entries of the part that is open
  void Accept(const JobRecord& record) { Add({.kind = Kind::kAccept, .record = &record}); }
  void Change(const JobRecord& record) { Add({.kind = Kind::kChange, .record = &record}); }
  void End(std::shared_ptr<const JobRecord> record) { Add({.kind = Kind::kEnd, .ended = std::move(record)}); }
  void Revive(const JobRecord& record, const EndedJob& was) {
    Add({.kind = Kind::kRevive, .record = &record, .was = was});
  }
  void Forget(const EndedJob& job, std::unique_ptr<const SpentRequest> request) {
    Add({.kind = Kind::kForget, .was = job, .request = std::move(request)});
  }
  void DropRequest(std::string request_id) {
    Add({.kind = Kind::kDropRequest,
         .request = std::make_unique<const SpentRequest>(SpentRequest{.request_id = std::move(request_id)})});
  }
  bool open() const { return entries_.size() > begin(); }  // It has entries.
  Kind first_kind() const { return entries_[begin()].kind; }
  // Ends the part; another one is open then.
  void Close(CommitWaiter* waiter) {
    const size_t first = begin();
    parts_.push_back({.begin = first, .end = entries_.size(), .waiter = waiter});
  }

  // ---- For the journal
  std::span<Part> parts() { return parts_; }
  std::span<Entry> entries(const Part& part) { return std::span(entries_).subspan(part.begin, part.end - part.begin); }

  void Clear() {
    entries_.clear();
    parts_.clear();
  }

 private:
  size_t begin() const { return parts_.empty() ? 0 : parts_.back().end; }
  void Add(Entry entry) { entries_.push_back(std::move(entry)); }

  std::vector<Entry> entries_;
  std::vector<Part> parts_;
};

}  // namespace millrace::dispatch
