#include "tests/crash/checker.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <set>

namespace millrace::crash {

namespace {

constexpr int kToldMax = 5;  // Of each kind.
constexpr int kLossesMax = 3;
constexpr int kHistoryMax = 10;

int CountResults(const v1::Job& job, v1::AttemptResult result) {
  return static_cast<int>(std::count_if(job.attempt_history().begin(), job.attempt_history().end(),
                                        [&](const v1::Attempt& attempt) { return attempt.result() == result; }));
}

std::string Name(const Request& request) { return "request " + std::to_string(request.number); }

// How a job of this request may end.
void CheckEnd(const Request& request, const v1::Job& job, Findings* findings) {
  auto wrong = [&](const std::string& why) {
    findings->Add(Fault::kWrongEnd, Name(request) + ": " + why + ": " + Describe(job));
  };
  const bool starts_once = request.wish == Wish::kOnce;
  switch (job.state()) {
    case v1::SUCCEEDED:
      if (request.wish == Wish::kFail || request.wish == Wish::kFar) return wrong("it cannot succeed");
      if (job.result() != request.payload) return wrong("the result is not its payload");
      if (CountResults(job, v1::ATTEMPT_SUCCEEDED) != 1) {
        findings->Add(Fault::kFinishedTwice, Name(request) + ": " + Describe(job));
      }
      return;
    case v1::FAILED:
      if (request.wish == Wish::kFail || (starts_once && CountResults(job, v1::ATTEMPT_LOST) == 1)) return;
      return wrong("nothing made it fail");
    case v1::QUARANTINED:
      return job.losses() >= kLossesMax ? void() : wrong("quarantined without losses");
    case v1::CANCELLED:
      return request.wish == Wish::kFar ? void() : wrong("nobody cancelled it");
    default:
      findings->Add(Fault::kLost, Name(request) + " did not end: " + Describe(job));
  }
}

void CheckExecutions(const Facts& facts, const std::map<std::string, const v1::Job*>& by_id, Findings* findings,
                     Totals* totals) {
  std::map<std::string, std::multiset<int>> executed;
  for (const Execution& execution : facts.executions) executed[execution.job].insert(execution.attempt);
  for (const auto& [id, attempts] : executed) {
    totals->executed += static_cast<int64_t>(attempts.size());
    totals->executed_again += static_cast<int64_t>(attempts.size()) - 1;
    if (facts.starts_may_be_lost) continue;
    const auto found = by_id.find(id);
    if (found == by_id.end()) {
      findings->Add(Fault::kLost, "job " + id + " was executed and is not there");
      continue;
    }
    const v1::Job& job = *found->second;
    if (static_cast<int>(attempts.size()) > job.attempts() + job.losses()) {
      findings->Add(Fault::kRanAgain, "executed " + std::to_string(attempts.size()) + " times: " + Describe(job));
    }
    for (int attempt : std::set<int>(attempts.begin(), attempts.end())) {
      const bool known = job.attempt_history_size() >= kHistoryMax ||
                         std::any_of(job.attempt_history().begin(), job.attempt_history().end(),
                                     [&](const v1::Attempt& each) { return each.number() == attempt; });
      if (attempts.count(attempt) > 1 || !known) {
        findings->Add(Fault::kRanAgain, "attempt " + std::to_string(attempt) + " was executed " +
                                            std::to_string(attempts.count(attempt)) + " times: " + Describe(job));
      }
    }
  }
  for (const auto& [id, job] : by_id) {
    const auto request = facts.requests.find(NumberOf(*job));
    if (request == facts.requests.end() || !request->second.first.records() || job->state() != v1::SUCCEEDED) continue;
    if (executed.count(id) == 0) {
      findings->Add(Fault::kWrongEnd, "it succeeded and was never executed: " + Describe(*job));
    }
  }
}

}  // namespace

const char* ToString(Fault fault) {
  constexpr std::array<const char*, static_cast<size_t>(Fault::kCount)> kNames = {
      "lost",           "two jobs",  "half a batch", "changed", "stranger",
      "finished twice", "ran again", "wrong end",    "answer",  "daemon"};
  return kNames[static_cast<size_t>(fault)];
}

void Findings::Add(Fault fault, std::string what) {
  if (++counts_[static_cast<size_t>(fault)] <= kToldMax) told_.push_back(std::string(ToString(fault)) + ": " + what);
}

void Findings::Add(Findings more) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += more.counts_[i];
  std::move(more.told_.begin(), more.told_.end(), std::back_inserter(told_));
}

bool Findings::none() const {
  return std::all_of(counts_.begin(), counts_.end(), [](int count) { return count == 0; });
}

bool IsTerminal(v1::JobState state) { return state >= v1::SUCCEEDED; }

std::string Describe(const v1::Job& job) {
  std::string text = "job " + job.id() + " " + v1::JobState_Name(job.state()) + ", attempts " +
                     std::to_string(job.attempts()) + ", losses " + std::to_string(job.losses()) + ", history";
  for (const v1::Attempt& attempt : job.attempt_history()) {
    text += " " + std::to_string(attempt.number()) + ":" + v1::AttemptResult_Name(attempt.result());
  }
  if (job.has_finish_time()) {
    text += ", at " + std::to_string(job.finish_time().seconds()) + "." + std::to_string(job.finish_time().nanos());
  }
  return text + (job.error().empty() ? "" : ", " + job.error());
}

bool SameEnd(const v1::Job& a, const v1::Job& b) { return google::protobuf::util::MessageDifferencer::Equals(a, b); }

Findings Check(const Facts& facts, Totals* totals) {
  Findings findings;
  std::map<std::string, const v1::Job*> by_id;
  std::map<int64_t, const v1::Job*> by_number;
  for (const v1::Job& job : facts.jobs) {
    ++totals->jobs;
    totals->losses += job.losses();
    totals->quarantined += job.state() == v1::QUARANTINED ? 1 : 0;
    by_id[job.id()] = &job;
    const auto request = facts.requests.find(NumberOf(job));
    if (request == facts.requests.end() || job.spec().payload() != request->second.first.payload) {
      findings.Add(Fault::kStranger, "nobody sent this: " + Describe(job));
      continue;
    }
    const auto [first, fresh] = by_number.emplace(NumberOf(job), &job);
    if (!fresh) {
      findings.Add(Fault::kTwoJobs,
                   Name(request->second.first) + ": " + Describe(*first->second) + "; " + Describe(job));
    }
    CheckEnd(request->second.first, job, &findings);
  }
  for (const auto& [number, request] : facts.requests) {
    const Known& known = request.second;
    if (known.job.empty()) continue;
    ++totals->acknowledged;
    const auto found = by_id.find(known.job);
    if (found == by_id.end()) {
      findings.Add(Fault::kLost, Name(request.first) + " was acknowledged as job " + known.job);
    } else if (known.end && !SameEnd(*known.end, *found->second)) {
      findings.Add(Fault::kChanged,
                   Name(request.first) + " was: " + Describe(*known.end) + "; is: " + Describe(*found->second));
    }
  }
  CheckExecutions(facts, by_id, &findings, totals);
  return findings;
}

}  // namespace millrace::crash
