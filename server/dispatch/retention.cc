#include "dispatch/retention.h"

#include <algorithm>

#include "dispatch/dispatcher.h"

namespace millrace::dispatch {

namespace {

int64_t BytesOf(const JobRecord& record) {
  auto size = [](const Bytes& bytes) { return bytes ? static_cast<int64_t>(bytes->size()) : 0; };
  return kJobOverheadBytes + size(record.spec->payload) + size(record.result) + size(record.log_tail);
}

}  // namespace

void Retention::Shelf::Take(JobEntry* entry) {
  jobs.Remove(entry);
  bytes -= BytesOf(entry->record);
}

void Retention::Add(JobEntry* entry, MonoTime now) {
  entry->finished_at = now;
  Shelf& shelf = ShelfOf(*entry);
  shelf.jobs.PushBack(entry);
  shelf.bytes += BytesOf(entry->record);
}

void Retention::Remove(JobEntry* entry) { ShelfOf(*entry).Take(entry); }

JobEntry* Retention::PopTrimmed(MonoTime now) {
  for (Shelf* shelf : {&finished_, &dead_}) {
    JobEntry* oldest = shelf->jobs.front();
    if (oldest == nullptr) continue;
    const Limit& limit = shelf->limit;
    if (shelf->jobs.size() <= limit.jobs_max && shelf->bytes <= limit.bytes_max &&
        now - oldest->finished_at < limit.age_max) {
      continue;
    }
    shelf->Take(oldest);
    ++shelf->trimmed;
    return oldest;
  }
  return nullptr;
}

MonoTime Retention::Next() const {
  MonoTime next = MonoTime::max();
  for (const Shelf* shelf : {&finished_, &dead_}) {
    if (!shelf->jobs.empty()) next = std::min(next, shelf->jobs.front()->finished_at + shelf->limit.age_max);
  }
  return next;
}

}  // namespace millrace::dispatch
