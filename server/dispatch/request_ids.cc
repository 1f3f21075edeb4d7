#include "dispatch/request_ids.h"

#include <utility>

#include "base/check.h"
#include "dispatch/weight.h"

namespace millrace::dispatch {

const RequestIds::Entry* RequestIds::Find(const std::string& request_id) const {
  auto found = entries_.find(request_id);
  return found == entries_.end() ? nullptr : &found->second;
}

const std::string* RequestIds::Add(const std::string& request_id, const Entry& entry) {
  return &entries_.insert_or_assign(request_id, entry).first->first;
}

void RequestIds::Remove(const std::string& request_id) { entries_.erase(request_id); }

const std::string* RequestIds::JobEnded(const std::string& request_id, JobState state) {
  auto found = entries_.find(request_id);
  MR_CHECK(found != entries_.end(), "request id '%s' was forgotten before its job", request_id.c_str());
  found->second.final_state = state;
  return &found->first;
}

void RequestIds::JobForgotten(const std::string& request_id, MonoTime now) {
  Leave(now + kKeptAfter, &entries_.find(request_id)->first);
}

void RequestIds::Leave(MonoTime when, const std::string* request_id) {
  leaving_.push_back({when, request_id});
  leaving_bytes_ += RequestIdWeight(*request_id);
}

void RequestIds::AddForgotten(const std::string& request_id, const Entry& entry, MonoTime leaves) {
  auto [added, is_new] = entries_.try_emplace(request_id, entry);
  if (is_new) Leave(leaves, &added->first);
}

std::optional<std::string> RequestIds::PopExpired(MonoTime now) {
  if (leaving_.empty()) return std::nullopt;
  if (leaving_.front().when > now) {
    if (!over()) return std::nullopt;
    ++dropped_;
  }
  leaving_bytes_ -= RequestIdWeight(*leaving_.front().request_id);
  auto expired = entries_.extract(*leaving_.front().request_id);
  leaving_.pop_front();
  return std::move(expired.key());
}

MonoTime RequestIds::Next() const {
  if (leaving_.empty()) return MonoTime::max();
  return over() ? MonoTime::min() : leaving_.front().when;
}

}  // namespace millrace::dispatch
