// RequestIds: which job a request id was accepted as, so that a client that repeats a submit gets the first job instead
// of a second one. Kept as long as the job and kKeptAfter more.
//   Memory    Some 200 bytes for an id of 32 characters (weight.h). Those of jobs that are remembered are bounded with
//             the jobs; those that stay after them have a bound of their own, beyond which the oldest go before their
//             day is over, and are counted: a submit that was accepted a while ago and is repeated after that becomes a
//             second job.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "job/job.h"

namespace millrace::dispatch {

class RequestIds {
 public:
  static constexpr Nanos kKeptAfter = std::chrono::hours(24);

  explicit RequestIds(int64_t leaving_bytes_max) : leaving_bytes_max_(leaving_bytes_max) {}

  void SetLeavingBytesMax(int64_t bytes) { leaving_bytes_max_ = bytes; }

  struct Entry {
    JobId job;
    std::optional<uint64_t> fingerprint;  // The spec's. nullopt: not known, so any content is taken for a repeat.
    JobState final_state = JobState::kSucceeded;  // If the job has ended.
  };

  const Entry* Find(const std::string& request_id) const;
  // What is given stays where it is until Remove or PopExpired.
  const std::string* Add(const std::string& request_id, const Entry& entry);
  void Remove(const std::string& request_id);  // Not accepted after all.
  const std::string* JobEnded(const std::string& request_id, JobState state);

  // The job is being forgotten, but not its request id yet.
  void JobForgotten(const std::string& request_id, MonoTime now);
  // As Add and JobForgotten, of an earlier run of the daemon; in the order of `leaves`.
  void AddForgotten(const std::string& request_id, const Entry& entry, MonoTime leaves);
  // Takes out and returns one whose time is over, or that must make room; nullopt: none.
  std::optional<std::string> PopExpired(MonoTime now);
  MonoTime Next() const;  // When PopExpired has something to do.

  size_t size() const { return entries_.size(); }
  uint64_t dropped() const { return dropped_; }  // Before their time.
  void CountDropped() { ++dropped_; }            // One that was never added.

 private:
  struct Leaving {
    MonoTime when;
    const std::string* request_id;  // A key of entries_.
  };
  std::unordered_map<std::string, Entry> entries_;
  void Leave(MonoTime when, const std::string* request_id);
  bool over() const { return leaving_bytes_ > leaving_bytes_max_; }

  int64_t leaving_bytes_max_;
  std::deque<Leaving> leaving_;  // In time order.
  int64_t leaving_bytes_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace millrace::dispatch
