// BandedChannel: a pool's bounded channel of jobs, in four bands.
//
//   Bound     By count and by payload bytes, over all bands. A place is reserved before the job is acknowledged and filled by
//             Push. A job that was acknowledged before (due, retried, handed back) needs no reservation: it always gets in, and
//             the channel then refuses new jobs until it is below its bound again. Capacity 0: a rendezvous; the pool counts
//             its idle workers instead of places.
//   Order     FIFO inside a band. Pop takes the best band, but every kAgeingTurns-th Pop the job that was pushed first of all
//             bands: so a job waits for at most kAgeingTurns Pops for each job that was there before it, whatever keeps
//             arriving in better bands.
//   Aside     A job that has to be read before it can run is set aside by the worker that took it: it keeps its place in the
//             bound and is out of line.
//   Removal   From anywhere, in constant time: a cancelled job frees its place at once. That is why this is not four
//             sync::Channels, whose values can only leave at the front.
//   Threads   Guarded by the dispatcher's lock. Who waits for a job or for room is the pool's and the admission's business.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "dispatch/job_entry.h"
#include "job/job.h"

namespace millrace::dispatch {

class BandedChannel {
 public:
  static constexpr uint64_t kAgeingTurns = 16;

  BandedChannel(int64_t capacity_jobs, int64_t capacity_bytes);

  bool rendezvous() const { return capacity_jobs_ == 0; }
  // Room for this much more, next to what is queued and reserved? Says nothing of a rendezvous' jobs.
  bool HasRoom(int64_t jobs, int64_t bytes) const;
  // Could it ever, when empty?
  bool CouldHold(int64_t jobs, int64_t bytes) const;
  void SetCapacity(int64_t jobs, int64_t bytes);

  void Reserve(int64_t jobs, int64_t bytes);
  void Unreserve(int64_t jobs, int64_t bytes);  // Given up, or about to be filled by Push.

  void Push(JobEntry* entry);
  JobEntry* Pop();               // nullptr: nobody is in line.
  void Remove(JobEntry* entry);  // In line or aside.
  // One that Pop gave comes back, aside; then into line again, as the first.
  void SetAside(JobEntry* entry);
  void PutBack(JobEntry* entry);

  bool empty() const { return jobs_ == 0; }
  bool anyone_in_line() const { return jobs_ > aside_; }
  int64_t jobs() const { return jobs_; }
  int64_t bytes() const { return bytes_; }
  int64_t jobs_of(Band band) const { return jobs_of_[static_cast<size_t>(band)]; }
  int64_t reserved_jobs() const { return reserved_jobs_; }
  int64_t capacity_jobs() const { return capacity_jobs_; }
  int64_t capacity_bytes() const { return capacity_bytes_; }
  std::optional<WallTime> oldest() const;  // When the job that was pushed first was pushed.
  std::optional<Nanos> oldest_age(MonoTime now) const;

 private:
  JobEntry* Oldest() const;
  void Count(const JobEntry& entry, int64_t jobs);

  std::array<EntryList, kBands> bands_;
  std::array<int64_t, kBands> jobs_of_{};
  int64_t capacity_jobs_, capacity_bytes_;
  int64_t jobs_ = 0, bytes_ = 0;
  int64_t aside_ = 0;
  int64_t reserved_jobs_ = 0, reserved_bytes_ = 0;
  uint64_t pushes_ = 0, pops_ = 0;
};

}  // namespace millrace::dispatch
