#include "dispatch/banded_channel.h"

#include "base/check.h"

namespace millrace::dispatch {

BandedChannel::BandedChannel(int64_t capacity_jobs, int64_t capacity_bytes)
    : capacity_jobs_(capacity_jobs), capacity_bytes_(capacity_bytes) {}

void BandedChannel::SetCapacity(int64_t jobs, int64_t bytes) {
  capacity_jobs_ = jobs;
  capacity_bytes_ = bytes;
}

bool BandedChannel::HasRoom(int64_t jobs, int64_t bytes) const {
  return (rendezvous() || jobs_ + reserved_jobs_ + jobs <= capacity_jobs_) &&
         bytes_ + reserved_bytes_ + bytes <= capacity_bytes_;
}

bool BandedChannel::CouldHold(int64_t jobs, int64_t bytes) const {
  return (rendezvous() || jobs <= capacity_jobs_) && bytes <= capacity_bytes_;
}

void BandedChannel::Reserve(int64_t jobs, int64_t bytes) {
  reserved_jobs_ += jobs;
  reserved_bytes_ += bytes;
}

void BandedChannel::Unreserve(int64_t jobs, int64_t bytes) {
  reserved_jobs_ -= jobs;
  reserved_bytes_ -= bytes;
  MR_CHECK(reserved_jobs_ >= 0 && reserved_bytes_ >= 0, "more places were given up than reserved");
}

void BandedChannel::Push(JobEntry* entry) {
  entry->push_number = pushes_++;
  bands_[static_cast<size_t>(entry->band)].PushBack(entry);
  Count(*entry, 1);
}

void BandedChannel::Count(const JobEntry& entry, int64_t jobs) {
  jobs_ += jobs;
  jobs_of_[static_cast<size_t>(entry.band)] += jobs;
  bytes_ += jobs * static_cast<int64_t>(entry.bytes);
}

JobEntry* BandedChannel::Oldest() const {
  JobEntry* oldest = nullptr;
  for (const EntryList& band : bands_) {
    if (!band.empty() && (oldest == nullptr || band.front()->push_number < oldest->push_number)) oldest = band.front();
  }
  return oldest;
}

std::optional<WallTime> BandedChannel::oldest() const {
  const JobEntry* entry = Oldest();
  return entry != nullptr ? std::optional(entry->queued_wall) : std::nullopt;
}

std::optional<Nanos> BandedChannel::oldest_age(MonoTime now) const {
  const JobEntry* entry = Oldest();
  return entry != nullptr ? std::optional(Nanos(now - entry->queued_at)) : std::nullopt;
}

JobEntry* BandedChannel::Pop() {
  JobEntry* entry = nullptr;
  if (++pops_ % kAgeingTurns == 0) {
    entry = Oldest();
  } else {
    for (const EntryList& band : bands_) {
      if ((entry = band.front()) != nullptr) break;
    }
  }
  if (entry != nullptr) Remove(entry);
  return entry;
}

void BandedChannel::Remove(JobEntry* entry) {
  if (entry->aside) {
    entry->aside = false;
    --aside_;
  } else {
    bands_[static_cast<size_t>(entry->band)].Remove(entry);
  }
  Count(*entry, -1);
}

void BandedChannel::SetAside(JobEntry* entry) {
  entry->aside = true;
  ++aside_;
  Count(*entry, 1);
}

void BandedChannel::PutBack(JobEntry* entry) {
  entry->aside = false;
  --aside_;
  bands_[static_cast<size_t>(entry->band)].PushFront(entry);
}

}  // namespace millrace::dispatch
