#include "store/memory_journal.h"

#include <algorithm>
#include <utility>

namespace millrace::store {

using dispatch::EndedJob;
using dispatch::JobRecord;
using dispatch::SpentRequest;

Status MemoryJournal::Load(const std::function<void(JobRecord)>& each) {
  std::vector<JobRecord> living;
  {
    rt::LockGuard guard(lock_);
    for (const auto& [id, record] : living_) living.push_back(record);
  }
  for (JobRecord& record : living) each(std::move(record));
  return OkStatus();
}

Status MemoryJournal::LoadEnded(const std::function<void(const EndedJob&)>& each) {
  std::vector<EndedJob> ended;
  {
    rt::LockGuard guard(lock_);
    for (const auto* next = ended_.FirstAfter({}); next != nullptr; next = ended_.FirstAfter(ended.back().id)) {
      ended.push_back(dispatch::EndedOf(**next));
    }
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [](const EndedJob& a, const EndedJob& b) { return a.finished < b.finished; });
  for (const EndedJob& job : ended) each(job);
  return OkStatus();
}

Status MemoryJournal::LoadRequests(const std::function<void(SpentRequest)>& each) {
  std::vector<SpentRequest> requests;
  {
    rt::LockGuard guard(lock_);
    for (const auto& [request_id, request] : requests_) requests.push_back(request);
  }
  for (SpentRequest& request : requests) each(std::move(request));
  return OkStatus();
}

void MemoryJournal::Commit(dispatch::Batch& batch) {
  rt::LockGuard guard(lock_);
  for (dispatch::Batch::Part& part : batch.parts()) {
    for (dispatch::Batch::Entry& entry : batch.entries(part)) Take(entry);
    part.answer = OkStatus();
  }
}

void MemoryJournal::Change(const JobRecord& record) {
  JobRecord& kept = living_[record.id];
  std::shared_ptr<const JobSpec> whole = dispatch::PayloadLeftOut(record) ? kept.spec : record.spec;
  kept = record;
  kept.spec = std::move(whole);
}

void MemoryJournal::Take(dispatch::Batch::Entry& entry) {
  using enum dispatch::Batch::Kind;
  const bool all = keep_ == Keep::kAll;
  switch (entry.kind) {
    case kAccept:
      if (all) living_.insert_or_assign(entry.record->id, *entry.record);
      break;
    case kChange:
      if (all) Change(*entry.record);
      break;
    case kEnd: {
      if (all && dispatch::PayloadLeftOut(*entry.ended)) {
        auto whole = std::make_shared<JobRecord>(*entry.ended);
        whole->spec = living_.at(whole->id).spec;
        entry.ended = std::move(whole);
      }
      const JobRecord& record = *entry.ended;
      if (all) {
        living_.erase(record.id);
        if (!record.request_id.empty()) {
          requests_.insert_or_assign(record.request_id, SpentRequest{.request_id = record.request_id,
                                                                     .job = record.id,
                                                                     .fingerprint = record.fingerprint,
                                                                     .final_state = record.life.state});
        }
      }
      ended_.Insert(record.id, std::move(entry.ended));
      break;
    }
    case kRevive:
      // Freed later, as whoever forgets a job does.
      entry.ended = ended_.Erase(entry.record->id);
      if (all) living_.insert_or_assign(entry.record->id, *entry.record);
      break;
    case kForget:
      if (entry.request && all) requests_.insert_or_assign(entry.request->request_id, *entry.request);
      entry.ended = ended_.Erase(entry.was.id);
      break;
    case kDropRequest:
      requests_.erase(entry.request->request_id);
      break;
  }
}

Result<std::shared_ptr<const JobRecord>> MemoryJournal::Read(const JobId& id, Part) {
  JobRecord living;
  {
    rt::LockGuard guard(lock_);
    if (const auto* ended = ended_.FindShared(id)) return *ended;
    auto found = living_.find(id);
    if (found == living_.end()) return NotFound("JOB_UNKNOWN", "the journal has no job " + id.ToString());
    living = found->second;
  }
  return std::make_shared<const JobRecord>(std::move(living));
}

Result<Bytes> MemoryJournal::ReadResult(const JobId& id) {
  rt::LockGuard guard(lock_);
  if (const auto* ended = ended_.FindShared(id)) return (*ended)->result;
  return NotFound("JOB_UNKNOWN", "the journal has no job " + id.ToString() + " that has ended");
}

Result<std::vector<std::shared_ptr<const JobRecord>>> MemoryJournal::ReadEnded(const Range& range) {
  const bool backwards = range.last < range.after;
  std::vector<std::shared_ptr<const JobRecord>> records;
  records.reserve(range.limit);
  JobId at = range.after;
  rt::LockGuard guard(lock_);
  while (records.size() < range.limit) {
    const auto* next = backwards ? ended_.LastBefore(at) : ended_.FirstAfter(at);
    if (next == nullptr) break;
    at = (*next)->id;
    if (backwards ? at < range.last : range.last < at) break;
    records.push_back(*next);
  }
  return records;
}

size_t MemoryJournal::size() const {
  rt::LockGuard guard(lock_);
  return ended_.size() + living_.size();
}

}  // namespace millrace::store
