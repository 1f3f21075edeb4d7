// MemoryJournal: dispatch/journal.h without a disk. Everything is committed at once and gone with the process.
#pragma once

#include <map>
#include <string>

#include "dispatch/journal.h"

namespace millrace::store {

class MemoryJournal final : public dispatch::Journal {
 public:
  enum class Keep : bool {
    kNothing,  // What a daemon uses: nobody could read the records.
    kRecords,  // What a test uses that starts a second dispatcher on the records of the first.
  };
  explicit MemoryJournal(Keep keep = Keep::kNothing) : keep_(keep) {}

  Durability durability() const override { return Durability::kNone; }
  bool CommitsAtOnce() const override { return true; }
  Status Load(const std::function<void(dispatch::JobRecord)>& each) override;
  std::optional<Status> Append(std::span<const dispatch::JobRecord* const> records, Accepting accepting,
                               Waiter* waiter) override;
  void Erase(std::span<const JobId> ids) override;
  void KeepRequest(const dispatch::SpentRequest& request) override;
  void DropRequest(const std::string& request_id) override { requests_.erase(request_id); }
  Status LoadRequests(const std::function<void(dispatch::SpentRequest)>& each) override;

  size_t size() const { return records_.size(); }

 private:
  const Keep keep_;
  std::map<JobId, dispatch::JobRecord> records_;
  std::map<std::string, dispatch::SpentRequest> requests_;
};

}  // namespace millrace::store
