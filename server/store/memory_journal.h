// MemoryJournal: dispatch/journal.h without a disk. Everything is committed at once and gone with the process. Jobs
// that have ended are kept as they are handed over: no copy.
//   Threads   As the contract asks: a lock of its own, held for some dozen instructions an entry.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dispatch/id_table.h"
#include "dispatch/journal.h"
#include "runtime/lock.h"

namespace millrace::store {

class MemoryJournal final : public dispatch::Journal {
 public:
  enum class Keep : bool {
    kEnded,  // What a daemon uses: jobs that have not ended are in its memory anyway.
    kAll,    // What a test uses that starts a second dispatcher on the records of the first, or lets jobs go cold.
  };
  explicit MemoryJournal(Keep keep = Keep::kEnded) : keep_(keep) {}

  Durability durability() const override { return Durability::kNone; }
  bool CommitsAtOnce() const override { return true; }
  bool KeepsUnfinished() const override { return keep_ == Keep::kAll; }

  Status Load(const std::function<void(dispatch::JobRecord)>& each) override;
  Status LoadEnded(const std::function<void(const dispatch::EndedJob&)>& each) override;
  Status LoadRequests(const std::function<void(dispatch::SpentRequest)>& each) override;

  void Commit(dispatch::Batch& batch) override;

  Result<std::shared_ptr<const dispatch::JobRecord>> Read(const JobId& id, Part part) override;
  Result<Bytes> ReadResult(const JobId& id) override;
  Result<std::vector<std::shared_ptr<const dispatch::JobRecord>>> ReadEnded(const Range& range) override;

  size_t size() const;

 private:
  void Take(dispatch::Batch::Entry& entry) MR_REQUIRES(lock_);
  void Change(const dispatch::JobRecord& record) MR_REQUIRES(lock_);

  const Keep keep_;
  mutable rt::Lock lock_;
  dispatch::IdTable<const dispatch::JobRecord> ended_ MR_GUARDED_BY(lock_);
  std::map<JobId, dispatch::JobRecord> living_ MR_GUARDED_BY(lock_);  // kAll.
  std::map<std::string, dispatch::SpentRequest> requests_ MR_GUARDED_BY(lock_);
};

}  // namespace millrace::store
