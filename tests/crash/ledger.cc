#include "tests/crash/ledger.h"

#include <time.h>

#include <algorithm>

namespace millrace::crash {

namespace {

constexpr size_t kBatchMax = 20;

// A client that is told this cannot know whether it was accepted.
bool SaysNothing(const Status& status) {
  return status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kCancelled ||
         status.code() == StatusCode::kDeadlineExceeded;
}

// The number of the newest attempt; they go on where a job is retried.
int NewestAttempt(const v1::Job& job) {
  return job.attempt_history().empty() ? 0 : job.attempt_history().rbegin()->number();
}

// When a client first knew that it had ended.
void NoteOver(Known& known, int64_t at) {
  if (known.over_at == 0 || at < known.over_at) known.over_at = at;
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

Ledger::Group Ledger::NextNew() {
  std::lock_guard guard(lock_);
  return MakeNew(1);
}

std::vector<Ledger::Group> Ledger::Acknowledged() {
  std::lock_guard guard(lock_);
  std::vector<Group> groups;
  for (const auto& [number, request] : requests_) {
    if (request.second.job.empty()) continue;
    if (groups.empty() || groups.back().size() == kBatchMax) groups.emplace_back();
    groups.back().push_back(request.first);
  }
  repeats_ += static_cast<int64_t>(groups.size());
  return groups;
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
      known.acknowledged_at = now;
      acknowledged_.push_back(group[i].number);
    } else if (known.job != answer.id()) {
      known.repeated = v1::JOB_STATE_UNSPECIFIED;
      findings_.Add(Fault::kTwoJobs, name + " was job " + known.job + " and is now " + answer.id());
    } else if (!answer.existing()) {
      findings_.Add(Fault::kTwoJobs, name + " was taken for a new one, though it is job " + known.job);
    }
    if (known.job == answer.id()) known.repeated = answer.state();
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
  if (!known.job.empty() && known.job != job.id()) return;  // A second one: the checker tells of it.
  if (known.gone) findings_.Add(Fault::kChanged, "it was gone, and is there: " + Describe(job));
  if (known.end && !SameEnd(*known.end, job)) {
    findings_.Add(Fault::kChanged, "it was: " + Describe(*known.end) + "; is: " + Describe(job));
  }
  // A client asked for it, was not answered before the daemon was gone, and it was not done.
  if (!known.gone) known.deleted = false;
  if (known.end || !IsTerminal(job.state())) return;
  if (known.retry) CheckRetry(*known.retry, job);
  known.retry.reset();
  known.end = job;
  known.seen_at = MonotonicNow();
  NoteOver(known, known.seen_at);
}

void Ledger::CheckRetry(const Known::Retry& retry, const v1::Job& job) {
  if (NewestAttempt(job) > NewestAttempt(retry.before)) return;
  if (retry.told) {
    findings_.Add(Fault::kLost, "it was retried, and did not run again: " + Describe(job));
  } else if (!SameEnd(retry.before, job)) {
    findings_.Add(Fault::kChanged, "it was: " + Describe(retry.before) + "; is: " + Describe(job));
  }
}

void Ledger::Miss(int64_t number) {
  Known& known = requests_.at(number).second;
  if (!options_.forgets && !known.deleted) {
    findings_.Add(Fault::kLost, "request " + std::to_string(number) + " was acknowledged as job " + known.job);
  }
  known.gone = true;
  NoteOver(known, MonotonicNow());
}

void Ledger::Missed(int64_t number) {
  std::lock_guard guard(lock_);
  Miss(number);
}

void Ledger::Heard(const v1::JobEvent& event) {
  if (event.event_case() != v1::JobEvent::kState || !IsTerminal(event.state())) return;
  std::lock_guard guard(lock_);
  const auto [end, first] = heard_.try_emplace(event.job_id(), End{event.state(), MonotonicNow()});
  if (!first) end->second.state = event.state();  // It was retried.
}

void Ledger::Changed(int64_t number, Verb verb, const Status& status) {
  std::lock_guard guard(lock_);
  Known& known = requests_.at(number).second;
  if (status.code() == StatusCode::kNotFound) return Miss(number);
  // Nothing was done, and nothing is wrong.
  if (status.reason() == "JOB_MOVES" || status.code() == StatusCode::kResourceExhausted) return;
  if (!status.ok() && !SaysNothing(status)) {
    return findings_.Add(Fault::kAnswer, (verb == Verb::kRetry ? "a retry of " : "a delete of ") +
                                             Describe(*known.end) + ": " + status.ToString());
  }
  ++removed_[IsDeadLetter(known.end->state()) ? 1 : 0];
  if (verb == Verb::kDelete) {
    known.deleted = true;
    if (status.ok()) Miss(number);
    return;
  }
  if (status.ok()) known.deleted = false;  // Nor had one before that was not answered.
  known.retried = true;
  known.retry = Known::Retry{.before = *known.end, .told = status.ok()};
  known.end.reset();
}

std::optional<Ledger::Picked> Ledger::Pick(Random& random) const {
  std::lock_guard guard(lock_);
  if (acknowledged_.empty()) return std::nullopt;
  // Half of them among the last 200.
  const size_t all = acknowledged_.size(), among = random() % 2 == 0 ? std::min<size_t>(all, 200) : all;
  const auto& [request, known] = requests_.at(acknowledged_[all - 1 - random() % among]);
  if (known.job.empty()) return std::nullopt;
  return Picked{request, known.job, known.end ? known.end->state() : v1::JOB_STATE_UNSPECIFIED, known.gone,
                known.retried};
}

Ledger::Forgiven Ledger::Forgive(const Promise& promise, const std::vector<v1::Job>& jobs) {
  std::lock_guard guard(lock_);
  std::unordered_map<std::string, const v1::Job*> by_id;
  int64_t newest_sent = 0, newest = 0;  // The newest that is there: when it was sent, and its number.
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
        known.seen_at >= promise.kept_until) {
      known.end.reset();
      ++forgiven.ends;
    }
    if (found != by_id.end() || known.acknowledged_at < promise.kept_until) continue;
    if (known.acknowledged_at < newest_sent) {
      findings_.Add(Fault::kLost, "request " + std::to_string(number) + " was acknowledged before request " +
                                      std::to_string(newest) + " was sent, and only this one is there");
    }
    if (promise.cut_at - known.acknowledged_at > promise.age_max) {
      findings_.Add(Fault::kLost, "request " + std::to_string(number) + " was acknowledged " +
                                      std::to_string((promise.cut_at - known.acknowledged_at) / 1'000'000) +
                                      " ms before the cut");
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

int64_t Ledger::removed(bool dead_letters) const {
  std::lock_guard guard(lock_);
  return removed_[dead_letters ? 1 : 0];
}

std::map<int64_t, std::pair<Request, Known>> Ledger::requests() const {
  std::lock_guard guard(lock_);
  std::map<int64_t, std::pair<Request, Known>> requests = requests_;
  for (auto& [number, request] : requests) {
    Known& known = request.second;
    const auto heard = heard_.find(known.job);
    if (heard == heard_.end()) continue;
    known.heard = heard->second.state;
    NoteOver(known, heard->second.first_at);
  }
  return requests;
}

Findings Ledger::findings() const {
  std::lock_guard guard(lock_);
  return findings_;
}

}  // namespace millrace::crash
