#include "tests/crash/checker.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>

namespace millrace::crash {

namespace {

constexpr int kToldMax = 5;  // So many of each kind are told.
constexpr int kLossesMax = 3;
constexpr int kHistoryMax = 10;

int CountResults(const v1::Job& job, v1::AttemptResult result) {
  return static_cast<int>(std::count_if(job.attempt_history().begin(), job.attempt_history().end(),
                                        [&](const v1::Attempt& attempt) { return attempt.result() == result; }));
}

std::string Name(const Request& request) { return "request " + std::to_string(request.number); }

using Time = std::pair<int64_t, int32_t>;
Time FinishOf(const v1::Job& job) { return {job.finish_time().seconds(), job.finish_time().nanos()}; }

// Why it cannot have ended so; nullptr: it can.
const char* WhyNot(const Request& request, const Known& known, v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
      // What is far runs at once when it was cancelled and is retried.
      if (request.wish == Wish::kFail || (request.wish == Wish::kFar && !known.retried)) return "it cannot succeed";
      return nullptr;
    case v1::JOB_STATE_FAILED:
      return request.wish == Wish::kFail || request.wish == Wish::kOnce ? nullptr : "nothing made it fail";
    case v1::JOB_STATE_CANCELLED:
      return request.wish == Wish::kFar ? nullptr : "nobody cancelled it";
    case v1::JOB_STATE_QUARANTINED:
      return nullptr;
    default:
      return "it cannot end so";
  }
}

// How a job of this request may end, and how it may have come to that.
void CheckEnd(const Request& request, const Known& known, const v1::Job& job, Findings* findings) {
  if (!IsTerminal(job.state())) {
    return findings->Add(Fault::kLost, Name(request) + " did not end: " + Describe(job));
  }
  const char* wrong = WhyNot(request, known, job.state());
  if (job.state() == v1::JOB_STATE_SUCCEEDED && wrong == nullptr) {
    if (job.result() != request.payload) wrong = "the result is not its payload";
    if (wrong == nullptr && CountResults(job, v1::ATTEMPT_RESULT_SUCCEEDED) != 1) {
      findings->Add(Fault::kFinishedTwice, Name(request) + ": " + Describe(job));
    }
  }
  if (job.state() == v1::JOB_STATE_FAILED && request.wish == Wish::kOnce &&
      CountResults(job, v1::ATTEMPT_RESULT_LOST) != 1) {
    wrong = "nothing made it fail";
  }
  if (job.state() == v1::JOB_STATE_QUARANTINED && job.losses() < kLossesMax) wrong = "quarantined without losses";
  if (wrong == nullptr) return;
  findings->Add(Fault::kWrongEnd, Name(request) + ": " + wrong + ": " + Describe(job));
}

// So often the program of a job may have been started of whose attempts nothing is known: once, once more after it
// failed, and after each loss but the last one.
size_t StartsMax(const Request& request) {
  if (request.wish == Wish::kOnce) return 1;
  return (request.wish == Wish::kFailFirst ? 2 : 1) + kLossesMax - 1;
}

class Checker {
 public:
  Checker(const Facts& facts, Totals* totals) : facts_(facts), totals_(*totals) {}

  Findings Run() {
    for (const Execution& execution : facts_.executions) programs_[execution.job].push_back(&execution);
    for (const v1::Job& job : facts_.jobs) CheckJob(job);
    for (const auto& [request, known] : Requests()) {
      if (!known->job.empty()) by_acknowledged_id_[known->job] = {request, known};
    }
    for (const bool dead : {false, true}) CheckRoom(dead);
    for (const auto& [request, known] : Requests()) {
      if (!known->job.empty()) CheckAcknowledged(*request, *known);
    }
    for (const std::string& id : facts_.at_rest) {
      if (by_id_.count(id) == 0) {
        findings_.Add(Fault::kLost, "job " + id + " was there until the daemon was stopped and started, at rest");
      }
    }
    for (const auto& [id, lines] : programs_) CheckProgram(id, lines);
    return std::move(findings_);
  }

 private:
  using Asked = std::pair<const Request*, const Known*>;
  struct Shelf {
    int64_t there = 0;
    Time oldest{INT64_MAX, 0};
  };

  std::vector<Asked> Requests() const {
    std::vector<Asked> all;
    for (const auto& [number, request] : facts_.requests) all.emplace_back(&request.first, &request.second);
    return all;
  }
  const v1::Job* Find(const std::string& id) const {
    const auto found = by_id_.find(id);
    return found != by_id_.end() ? found->second : nullptr;
  }
  Shelf& ShelfOf(v1::JobState state) { return shelves_[IsDeadLetter(state) ? 1 : 0]; }
  const Limit& LimitOf(v1::JobState state) const { return IsDeadLetter(state) ? facts_.dead_letters : facts_.finished; }
  bool RanToItsEnd(const std::string& id) const {
    const auto found = programs_.find(id);
    return found != programs_.end() &&
           std::any_of(found->second.begin(), found->second.end(), [](const Execution* each) { return each->ended; });
  }

  // ---- One that is there
  void CheckJob(const v1::Job& job) {
    ++totals_.jobs;
    totals_.losses += job.losses();
    totals_.quarantined += job.state() == v1::JOB_STATE_QUARANTINED ? 1 : 0;
    by_id_[job.id()] = &job;
    if (IsTerminal(job.state())) {
      Shelf& shelf = ShelfOf(job.state());
      ++shelf.there;
      shelf.oldest = std::min(shelf.oldest, FinishOf(job));
    }
    const auto found = facts_.requests.find(NumberOf(job));
    if (found == facts_.requests.end() || job.spec().payload() != found->second.first.payload) {
      return findings_.Add(Fault::kStranger, "nobody sent this: " + Describe(job));
    }
    const auto& [request, known] = found->second;
    const auto [first, fresh] = by_number_.emplace(request.number, &job);
    if (!fresh) {
      findings_.Add(Fault::kTwoJobs, Name(request) + ": " + Describe(*first->second) + "; " + Describe(job));
    } else if (!known.job.empty() && known.job != job.id()) {
      findings_.Add(Fault::kTwoJobs, Name(request) + " was acknowledged as job " + known.job + ": " + Describe(job));
    }
    CheckEnd(request, known, job, &findings_);
    if (request.records() && job.state() == v1::JOB_STATE_SUCCEEDED && !RanToItsEnd(job.id())) {
      findings_.Add(Fault::kWrongEnd, "it succeeded and its program never came to its end: " + Describe(job));
    }
  }

  void CheckRoom(bool dead) {
    const int64_t there = shelves_[dead ? 1 : 0].there, most = (dead ? facts_.dead_letters : facts_.finished).jobs_max;
    if (there <= most) return;
    findings_.Add(Fault::kKept, std::to_string(there) + (dead ? " dead letters" : " finished jobs") +
                                    " are remembered, more than " + std::to_string(most));
  }

  // ---- One that was acknowledged
  void CheckAcknowledged(const Request& request, const Known& known) {
    ++totals_.acknowledged;
    const v1::Job* job = Find(known.job);
    if (job == nullptr) return CheckForgotten(request, known);
    if (known.gone) {
      findings_.Add(Fault::kChanged, Name(request) + " was gone, and is there: " + Describe(*job));
    } else if (known.end && !SameEnd(*known.end, *job)) {
      findings_.Add(Fault::kChanged, Name(request) + " was: " + Describe(*known.end) + "; is: " + Describe(*job));
    } else {
      CheckWords(request, known, job->state());
    }
  }

  void CheckForgotten(const Request& request, const Known& known) {
    auto lost = [&](const std::string& why) {
      findings_.Add(Fault::kLost, Name(request) + " was acknowledged as job " + known.job + ", " + why);
    };
    const v1::JobState state = known.repeated;
    if (!IsTerminal(state)) return lost("which never ended, as a repeat is told");
    if (!known.deleted) {
      const Shelf& shelf = ShelfOf(state);
      const Limit& limit = LimitOf(state);
      if (shelf.there + limit.removed < limit.jobs_max) return lost("and there is room for it");
      if (known.end && known.end->state() == state && FinishOf(*known.end) > shelf.oldest) {
        return lost("and one that ended before it is there");
      }
    }
    ++totals_.forgotten;
    if (!known.end && known.heard == v1::JOB_STATE_UNSPECIFIED && !RanToItsEnd(known.job)) ++totals_.unseen;
    CheckWords(request, known, state);
    if (known.end) {
      CheckEnd(request, known, *known.end, &findings_);
    } else if (const char* wrong = WhyNot(request, known, state)) {
      findings_.Add(Fault::kWrongEnd, Name(request) + ", forgotten: " + wrong + ": " + v1::JobState_Name(state));
    }
    if (request.records() && state == v1::JOB_STATE_SUCCEEDED && !RanToItsEnd(known.job)) {
      findings_.Add(Fault::kWrongEnd, Name(request) + ", forgotten as a success: its program never came to its end");
    }
    if (known.retry && known.retry->told && request.wish == Wish::kFar && state == v1::JOB_STATE_CANCELLED) {
      lost("and did not run when it was retried");
    }
  }

  // Who ended, and was not retried, ended in one state whoever tells of it.
  void CheckWords(const Request& request, const Known& known, v1::JobState state) {
    if (facts_.starts_may_be_lost || known.retried) return;
    auto check = [&](const char* who, v1::JobState told) {
      if (!IsTerminal(told) || told == state) return;
      findings_.Add(Fault::kChanged, Name(request) + ", job " + known.job + ": " + who + " told " +
                                         v1::JobState_Name(told) + ", and it is " + v1::JobState_Name(state));
    };
    check("an event", known.heard);
    check("a repeat", known.repeated);
    if (known.end) check("a look", known.end->state());
  }

  // ---- What was executed
  void CheckProgram(const std::string& id, const std::vector<const Execution*>& lines) {
    std::multiset<int> started;
    for (const Execution* line : lines) {
      if (!line->ended) started.insert(line->attempt);
    }
    totals_.executed += static_cast<int64_t>(started.size());
    totals_.executed_again += started.empty() ? 0 : static_cast<int64_t>(started.size()) - 1;
    if (facts_.starts_may_be_lost) return;
    const auto asked = by_acknowledged_id_.find(id);
    const bool acknowledged = asked != by_acknowledged_id_.end();
    // How it ended does not change once it has.
    const v1::Job* job = Find(id);
    if (job == nullptr && acknowledged && asked->second.second->end) job = &*asked->second.second->end;
    if (job != nullptr) {
      CheckStarts(started, *job);
    } else if (acknowledged) {
      CheckStarts(started, *asked->second.first, id);
    } else {
      return findings_.Add(Fault::kLost, "job " + id + " was executed and is not there");
    }
    if (acknowledged) CheckNoneAfterTheEnd(id, lines, *asked->second.second);
  }

  void CheckStarts(const std::multiset<int>& started, const v1::Job& job) {
    if (static_cast<int>(started.size()) > job.attempts() + job.losses()) {
      findings_.Add(Fault::kRanAgain, "executed " + std::to_string(started.size()) + " times: " + Describe(job));
    }
    for (int attempt : std::set<int>(started.begin(), started.end())) {
      const bool known = job.attempt_history_size() >= kHistoryMax ||
                         std::any_of(job.attempt_history().begin(), job.attempt_history().end(),
                                     [&](const v1::Attempt& each) { return each.number() == attempt; });
      if (started.count(attempt) > 1 || !known) {
        findings_.Add(Fault::kRanAgain, "attempt " + std::to_string(attempt) + " was executed " +
                                            std::to_string(started.count(attempt)) + " times: " + Describe(job));
      }
    }
  }

  // A job that was forgotten before anybody saw how it ended.
  void CheckStarts(const std::multiset<int>& started, const Request& request, const std::string& id) {
    if (started.size() > StartsMax(request)) {
      findings_.Add(Fault::kRanAgain,
                    Name(request) + ", job " + id + ", was executed " + std::to_string(started.size()) + " times");
    }
    for (int attempt : std::set<int>(started.begin(), started.end())) {
      if (started.count(attempt) == 1) continue;
      findings_.Add(Fault::kRanAgain, Name(request) + ", job " + id + ": attempt " + std::to_string(attempt) +
                                          " was executed " + std::to_string(started.count(attempt)) + " times");
    }
  }

  // The program of the attempt that succeeded had begun before anybody could know that the job has ended. One that
  // begins later can only be of an earlier attempt, whose daemon was killed while it was being started.
  void CheckNoneAfterTheEnd(const std::string& id, const std::vector<const Execution*>& lines, const Known& known) {
    const v1::Job* job = Find(id);
    if (known.over_at == 0 || (job != nullptr ? job->state() : known.repeated) != v1::JOB_STATE_SUCCEEDED) return;
    int before = 0, after = 0;
    for (const Execution* line : lines) {
      if (line->ended) continue;
      int& newest = line->at <= known.over_at ? before : after;
      newest = std::max(newest, line->attempt);
    }
    if (after <= before) return;
    findings_.Add(Fault::kRanAgain, "attempt " + std::to_string(after) + " of job " + id +
                                        " was executed after a client knew that the job had ended");
  }

  const Facts& facts_;
  Totals& totals_;
  Findings findings_;
  std::map<std::string, const v1::Job*> by_id_;
  std::map<int64_t, const v1::Job*> by_number_;
  std::map<std::string, Asked> by_acknowledged_id_;
  std::map<std::string, std::vector<const Execution*>> programs_;
  std::array<Shelf, 2> shelves_;  // Finished, dead letters.
};

}  // namespace

const char* ToString(Fault fault) {
  constexpr std::array<const char*, static_cast<size_t>(Fault::kCount)> kNames = {
      "lost",      "two jobs",  "half a batch", "changed", "stranger", "finished twice",
      "ran again", "wrong end", "answer",       "daemon",  "kept"};
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

bool IsTerminal(v1::JobState state) { return state >= v1::JOB_STATE_SUCCEEDED; }

bool IsDeadLetter(v1::JobState state) {
  return state == v1::JOB_STATE_FAILED || state == v1::JOB_STATE_EXPIRED || state == v1::JOB_STATE_QUARANTINED;
}

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

Findings Check(const Facts& facts, Totals* totals) { return Checker(facts, totals).Run(); }

}  // namespace millrace::crash
