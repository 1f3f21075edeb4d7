#include "dispatch/job_entry.h"

#include <cstddef>
#include <type_traits>

#include "base/check.h"
#include "dispatch/pool.h"

namespace millrace::dispatch {

// There may be a million of these, and each costs 256 bytes as it is: 16 more where a field more does not fit, and 300
// at most.
constexpr size_t kSlot = 32, kControlBlock = 16, kMallocWord = 8, kMallocStep = 16;
constexpr size_t kAllocated =
    (sizeof(JobEntry) + kControlBlock + kMallocWord + kMallocStep - 1) / kMallocStep * kMallocStep;
static_assert(sizeof(JobEntry) <= 200 && kSlot + kAllocated <= 300);

const std::shared_ptr<const Labels> kNoLabels;

JobEntry& JobEntry::Of(Alarm& alarm) {
  static_assert(std::is_standard_layout_v<JobEntry>, "for offsetof");
  MR_CHECK(alarm.purpose != Alarm::Purpose::kOwn, "an alarm was taken for that of a job");
  const size_t at = alarm.purpose == Alarm::Purpose::kDeadline ? offsetof(JobEntry, deadline) : offsetof(JobEntry, due);
  return *reinterpret_cast<JobEntry*>(reinterpret_cast<std::byte*>(&alarm) - at);
}

EventLog::Source JobEntry::source() const {
  return {.job = id,
          .pool = &pool->name(),
          .kind = &kind->name,
          .band = band,
          .attempt = life.claim.attempt,
          .labels = hot ? record().spec->labels.shared() : kNoLabels};
}

void EntryList::PushBack(JobEntry* entry) {
  entry->previous = back_;
  entry->next = nullptr;
  (back_ != nullptr ? back_->next : front_) = entry;
  back_ = entry;
}

void EntryList::PushBefore(JobEntry* next, JobEntry* entry) {
  if (next == nullptr) return PushBack(entry);
  entry->previous = next->previous;
  entry->next = next;
  (next->previous != nullptr ? next->previous->next : front_) = entry;
  next->previous = entry;
}

void EntryList::Remove(JobEntry* entry) {
  (entry->previous != nullptr ? entry->previous->next : front_) = entry->next;
  (entry->next != nullptr ? entry->next->previous : back_) = entry->previous;
  entry->previous = entry->next = nullptr;
}

JobSnapshot SnapshotOf(const HotJob& job, bool full) {
  JobSnapshot snapshot = SnapshotOf(job.visible(), full);
  if (job.live) {
    snapshot.progress = job.live->ReadProgress();
    rt::LockGuard guard(job.live->lock);
    snapshot.log_bytes = job.live->log.bytes_ever();
    if (full) snapshot.log_tail = job.live->log.Content();
  }
  return snapshot;
}

}  // namespace millrace::dispatch
