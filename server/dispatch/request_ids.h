// RequestIds: which job a request id was accepted as, so that a client that repeats a submit gets the first job instead of a
// second one. Kept as long as the job and kKeptAfter more.
//   Memory    Some 150 bytes for an id of 32 characters, and nothing bounds how many come in a day: millrace_request_ids tells.
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

  struct Entry {
    JobId job;
    std::optional<uint64_t> fingerprint;  // Of the spec. nullopt: not known, so any content is taken for a repeat.
    JobState final_state = JobState::kSucceeded;  // Of a job that has ended.
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
  // Takes out and returns one whose time is over; nullopt: none is.
  std::optional<std::string> PopExpired(MonoTime now);
  MonoTime Next() const;  // When PopExpired has something to do.

  size_t size() const { return entries_.size(); }

 private:
  struct Leaving {
    MonoTime when;
    const std::string* request_id;  // Of entries_.
  };
  std::unordered_map<std::string, Entry> entries_;
  std::deque<Leaving> leaving_;  // In time order.
};

}  // namespace millrace::dispatch
