#include "dispatch/request_ids.h"

#include <utility>

namespace millrace::dispatch {

const RequestIds::Entry* RequestIds::Find(const std::string& request_id) const {
  auto found = entries_.find(request_id);
  return found == entries_.end() ? nullptr : &found->second;
}

void RequestIds::Add(const std::string& request_id, const JobId& job, uint64_t fingerprint) {
  entries_.insert_or_assign(request_id, Entry{.job = job, .fingerprint = fingerprint});
}

void RequestIds::Remove(const std::string& request_id) { entries_.erase(request_id); }

void RequestIds::JobForgotten(const std::string& request_id, JobState final_state, MonoTime now) {
  auto found = entries_.find(request_id);
  if (found == entries_.end()) return;
  found->second.forgotten = true;
  found->second.final_state = final_state;
  leaving_.push_back({now + kKeptAfter, request_id});
}

void RequestIds::AddForgotten(const std::string& request_id, const Entry& entry, MonoTime leaves) {
  if (entries_.try_emplace(request_id, entry).second) leaving_.push_back({leaves, request_id});
}

std::optional<std::string> RequestIds::PopExpired(MonoTime now) {
  if (leaving_.empty() || leaving_.front().when > now) return std::nullopt;
  std::string request_id = std::move(leaving_.front().request_id);
  leaving_.pop_front();
  entries_.erase(request_id);
  return request_id;
}

MonoTime RequestIds::Next() const { return leaving_.empty() ? MonoTime::max() : leaving_.front().when; }

}  // namespace millrace::dispatch
