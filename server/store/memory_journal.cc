#include "store/memory_journal.h"

namespace millrace::store {

Status MemoryJournal::Load(const std::function<void(dispatch::JobRecord)>& each) {
  for (const auto& [id, record] : records_) each(record);
  return OkStatus();
}

std::optional<Status> MemoryJournal::Append(std::span<const dispatch::JobRecord* const> records, Accepting, Waiter*) {
  if (keep_ == Keep::kRecords) {
    for (const dispatch::JobRecord* record : records) records_.insert_or_assign(record->id, *record);
  }
  return OkStatus();
}

void MemoryJournal::Erase(std::span<const JobId> ids) {
  for (const JobId& id : ids) records_.erase(id);
}

void MemoryJournal::KeepRequest(const dispatch::SpentRequest& request) {
  if (keep_ == Keep::kRecords) requests_.insert_or_assign(request.request_id, request);
}

Status MemoryJournal::LoadRequests(const std::function<void(dispatch::SpentRequest)>& each) {
  for (const auto& [request_id, request] : requests_) each(request);
  return OkStatus();
}

}  // namespace millrace::store
