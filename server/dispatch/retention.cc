#include "dispatch/retention.h"

#include <algorithm>

namespace millrace::dispatch {

void Retention::Add(JobEntry* entry, MonoTime now) {
  entry->finished_at = now;
  ShelfOf(*entry).jobs.PushBack(entry);
}

void Retention::Remove(JobEntry* entry) { ShelfOf(*entry).jobs.Remove(entry); }

JobEntry* Retention::PopTrimmed(MonoTime now) {
  for (Shelf* shelf : {&finished_, &dead_}) {
    JobEntry* oldest = shelf->jobs.front();
    if (oldest == nullptr) continue;
    if (shelf->jobs.size() <= shelf->limit.jobs_max && now - oldest->finished_at < shelf->limit.age_max) continue;
    shelf->jobs.Remove(oldest);
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
