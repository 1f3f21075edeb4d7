#include "tests/crash/ledger.h"

#include <time.h>

#include <algorithm>
#include <unordered_map>

namespace millrace::crash {

namespace {

constexpr size_t kBatchMax = 20;

// A client that is told this cannot know whether it was accepted.
bool SaysNothing(const Status& status) {
  return status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kCancelled ||
         status.code() == StatusCode::kDeadlineExceeded;
}

}  // namespace

int64_t MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

void Ledger::Allow(int64_t requests) {
  std::lock_guard guard(lock_);
  allowed_ = requests;
}

Ledger::Group Ledger::MakeNew(size_t count) {
  Group group;
  for (; group.size() < count; --allowed_) {
    const Request request = RequestOf(options_.seed, next_++, options_.payload_bytes);
    requests_[request.number] = {request, {.sent_at = MonotonicNow()}};
    group.push_back(request);
  }
  return group;
}

std::optional<Ledger::Group> Ledger::Next(Form form, Random& random) {
  std::lock_guard guard(lock_);
  std::deque<Group>& unanswered = form == Form::kSingle ? singles_ : batches_;
  if (!unanswered.empty() && (random() % 2 == 0 || allowed_ <= 0)) {
    Group group = std::move(unanswered.front());
    unanswered.pop_front();
    ++repeats_;
    return group;
  }
  if (!acknowledged_.empty() && (random() % 16 == 0 || allowed_ <= 0)) {
    ++repeats_;
    return Group{requests_[acknowledged_[random() % acknowledged_.size()]].first};
  }
  if (allowed_ <= 0) return std::nullopt;
  return MakeNew(form == Form::kSingle ? 1 : 1 + random() % kBatchMax);
}

std::optional<Ledger::Group> Ledger::NextUnanswered() {
  std::lock_guard guard(lock_);
  for (std::deque<Group>* unanswered : {&singles_, &batches_}) {
    if (unanswered->empty()) continue;
    Group group = std::move(unanswered->front());
    unanswered->pop_front();
    ++repeats_;
    return group;
  }
  return std::nullopt;
}

void Ledger::Answered(const Group& group, const std::vector<v1::SubmitJobResponse>& answers) {
  std::lock_guard guard(lock_);
  const int64_t now = MonotonicNow();
  size_t unknown = 0, existing = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    const v1::SubmitJobResponse& answer = answers.at(i);
    const std::string name = "request " + std::to_string(group[i].number);
    auto& [request, known] = requests_[group[i].number];
    request = group[i];
    if (known.job.empty()) {
      ++unknown;
      existing += answer.existing() ? 1 : 0;
      known.job = answer.id();
      known.acknowledged_at = last_acknowledged_at_ = now;
      acknowledged_.push_back(group[i].number);
    } else if (known.job != answer.id()) {
      findings_.Add(Fault::kTwoJobs, name + " was job " + known.job + " and is now " + answer.id());
    } else if (!answer.existing()) {
      findings_.Add(Fault::kTwoJobs, name + " was taken for a new one, though it is job " + known.job);
    }
  }
  if (unknown == group.size() && existing != 0 && existing != unknown) {
    findings_.Add(Fault::kHalfABatch, std::to_string(existing) + " of " + std::to_string(group.size()) +
                                          " were there, from request " + std::to_string(group[0].number) + " on");
  }
}

void Ledger::Unanswered(Group group, const Status& status) {
  std::lock_guard guard(lock_);
  if (!SaysNothing(status)) {
    findings_.Add(Fault::kAnswer, "request " + std::to_string(group[0].number) + ": " + status.ToString());
    return;
  }
  // A repeat of what was acknowledged needs no further one.
  if (group.size() == 1 && !requests_[group[0].number].second.job.empty()) return;
  (group.size() == 1 ? singles_ : batches_).push_back(std::move(group));
}

void Ledger::Saw(const v1::Job& job) {
  std::lock_guard guard(lock_);
  const auto found = requests_.find(NumberOf(job));
  if (found == requests_.end()) return findings_.Add(Fault::kStranger, "nobody sent this: " + Describe(job));
  Known& known = found->second.second;
  if (known.end && !SameEnd(*known.end, job)) {
    findings_.Add(Fault::kChanged, "it was: " + Describe(*known.end) + "; is: " + Describe(job));
  }
  if (known.end || !IsTerminal(job.state())) return;
  known.end = job;
  known.seen_at = MonotonicNow();
}

void Ledger::Missed(int64_t number, const std::string& job) {
  std::lock_guard guard(lock_);
  findings_.Add(Fault::kLost, "request " + std::to_string(number) + " was acknowledged as job " + job);
}

std::optional<std::pair<Request, std::string>> Ledger::Pick(Random& random) const {
  std::lock_guard guard(lock_);
  if (acknowledged_.empty()) return std::nullopt;
  // Half of them among the last 200.
  const size_t all = acknowledged_.size(), among = random() % 2 == 0 ? std::min<size_t>(all, 200) : all;
  const auto& [request, known] = requests_.at(acknowledged_[all - 1 - random() % among]);
  if (known.job.empty()) return std::nullopt;
  return std::pair(request, known.job);
}

Ledger::Forgiven Ledger::Forgive(int64_t promised_until, const std::vector<v1::Job>& jobs) {
  std::lock_guard guard(lock_);
  std::unordered_map<std::string, const v1::Job*> by_id;
  int64_t newest_sent = 0, newest = 0;  // Of what is there: when it was sent, and its number.
  for (const v1::Job& job : jobs) {
    by_id[job.id()] = &job;
    const auto sent = requests_.find(NumberOf(job));
    if (sent == requests_.end() || sent->second.second.sent_at <= newest_sent) continue;
    newest_sent = sent->second.second.sent_at;
    newest = sent->first;
  }
  Forgiven forgiven;
  for (auto& [number, request] : requests_) {
    Known& known = request.second;
    if (known.job.empty()) continue;
    const auto found = by_id.find(known.job);
    if (known.end && (found == by_id.end() || !SameEnd(*known.end, *found->second)) &&
        known.seen_at >= promised_until) {
      known.end.reset();
      ++forgiven.ends;
    }
    if (found != by_id.end() || known.acknowledged_at < promised_until) continue;
    if (known.acknowledged_at < newest_sent) {
      findings_.Add(Fault::kLost, "request " + std::to_string(number) + " was acknowledged before request " +
                                      std::to_string(newest) + " was sent, and only this one is there");
    }
    ++forgiven.requests;
    forgiven.oldest_at = std::min(forgiven.oldest_at, known.acknowledged_at);
    known = {.sent_at = known.sent_at};
    singles_.push_back({request.first});
  }
  std::erase_if(acknowledged_, [&](int64_t number) { return requests_.at(number).second.job.empty(); });
  return forgiven;
}

int64_t Ledger::repeats() const {
  std::lock_guard guard(lock_);
  return repeats_;
}

int64_t Ledger::last_acknowledged_at() const {
  std::lock_guard guard(lock_);
  return last_acknowledged_at_;
}

std::map<int64_t, std::pair<Request, Known>> Ledger::requests() const {
  std::lock_guard guard(lock_);
  return requests_;
}

Findings Ledger::findings() const {
  std::lock_guard guard(lock_);
  return findings_;
}

}  // namespace millrace::crash
