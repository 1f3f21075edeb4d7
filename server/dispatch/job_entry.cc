#include "dispatch/job_entry.h"

#include "dispatch/pool.h"

namespace millrace::dispatch {

EventLog::Source JobEntry::source() const {
  return {.job = record.id,
          .pool = &pool->name(),
          .kind = &kind->name,
          .band = record.spec->band,
          .attempt = record.life.claim.attempt,
          .labels = labels};
}

void EntryList::PushBack(JobEntry* entry) {
  entry->previous = back_;
  entry->next = nullptr;
  (back_ != nullptr ? back_->next : front_) = entry;
  back_ = entry;
  ++size_;
}

void EntryList::Remove(JobEntry* entry) {
  (entry->previous != nullptr ? entry->previous->next : front_) = entry->next;
  (entry->next != nullptr ? entry->next->previous : back_) = entry->previous;
  entry->previous = entry->next = nullptr;
  --size_;
}

JobSnapshot SnapshotOf(const JobEntry& entry, bool full) {
  const JobRecord& record = entry.visible();
  JobSnapshot snapshot{.id = record.id,
                       .spec = record.spec,
                       .state = record.life.state,
                       .created = record.created,
                       .due = record.due,
                       .finished = record.finished,
                       .attempts = record.attempts,
                       .losses = record.losses,
                       .progress = record.progress,
                       .error = record.error,
                       .log_bytes = record.log_bytes,
                       .cancel_requested = record.cancel_requested};
  if (full) {
    snapshot.history = record.history;
    snapshot.result = record.result;
    if (record.log_tail) snapshot.log_tail = *record.log_tail;
  }
  if (entry.live) {
    snapshot.progress = entry.live->ReadProgress();
    rt::LockGuard guard(entry.live->lock);
    snapshot.log_bytes = entry.live->log.bytes_ever();
    if (full) snapshot.log_tail = entry.live->log.Content();
  }
  return snapshot;
}

}  // namespace millrace::dispatch
