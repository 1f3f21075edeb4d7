// Checker: whether what a daemon has in the end, and what was executed, agrees with what its clients were told. Plain
// values in, findings out, so that every kind of finding can be planted (checker_test.cc).
//
// A job that was acknowledged and is not there was forgotten, and not lost, if all of this holds. A job that was lost
// before it had ended fails at the first.
//   Word    In the end a repeat of its request was told the same id and a state in which jobs end. The daemon writes
//           that down when a job ends and at no other time; of one that it lost it knows nothing, and takes the repeat
//           for a new one.
//   Sight   What clients saw and heard of its end says the same, and a program that succeeded ran to its end, as it
//           wrote down itself, outside of the daemon.
//   Room    The oldest are forgotten, and only when there are too many: of its sort (finished, or dead letters) as many
//           as may be are there, less those that clients took away; and none of these ended before it, if its end was
//           seen.
// It never comes back, and is not executed again. Finish times are compared, so the wall clock may not be set back in a
// run.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/v1/job.pb.h"
#include "tests/crash/requests.h"

namespace millrace::crash {

enum class Fault {
  kLost,           // Acknowledged, or executed, and it is not there or did not end.
  kTwoJobs,        // One request id, two jobs.
  kHalfABatch,     // Some of its jobs were there, others not.
  kChanged,        // How a job ended, or that it is gone, was told to a client, and is different now.
  kStranger,       // A job that no client asked for, or not with this content.
  kFinishedTwice,  // It succeeded more than once.
  kRanAgain,       // Executed more often than its attempts and losses tell.
  kWrongEnd,       // It ended in a way that nobody asked for.
  kAnswer,         // A client was given an answer that it could not have expected.
  kDaemon,         // The daemon ended by itself, or did not start.
  kKept,           // More jobs are remembered than should be.
  kCount,
};
const char* ToString(Fault fault);

class Findings {
 public:
  void Add(Fault fault, std::string what);
  void Add(Findings more);
  int count(Fault fault) const { return counts_[static_cast<size_t>(fault)]; }
  bool none() const;
  // The first few of each kind.
  const std::vector<std::string>& told() const { return told_; }

 private:
  std::array<int, static_cast<size_t>(Fault::kCount)> counts_{};
  std::vector<std::string> told_;
};

// What a client knows of one request that was sent.
struct Known {
  std::string job;      // Empty: never acknowledged.
  int64_t sent_at = 0;  // The first time. CLOCK_MONOTONIC, in nanoseconds, as the others.
  int64_t acknowledged_at = 0;
  std::optional<v1::Job> end;  // Seen in a terminal state.
  int64_t seen_at = 0;

  v1::JobState repeated = v1::JOB_STATE_UNSPECIFIED;  // What the newest submit of it was told.
  v1::JobState heard = v1::JOB_STATE_UNSPECIFIED;     // The terminal state that the newest such event told.
  int64_t over_at =
      0;              // When a client first knew that it had ended: saw or heard so, or that it is not there. 0: never.
  bool gone = false;  // A client was told that it is not there, or that it is deleted now.
  bool deleted = false;  // A client was told so, or was not answered.
  bool retried = false;  // The same.
  // Nobody has seen how it ended after that.
  struct Retry {
    v1::Job before;
    bool told = false;
  };
  std::optional<Retry> retry;
};

// What a program says of itself: that an attempt began, or that it came to a good end.
struct Execution {
  std::string job;
  int attempt = 0;
  bool ended = false;
  int64_t at = 0;
};

// How many of the jobs that ended are remembered, of one sort.
struct Limit {
  int64_t jobs_max = INT64_MAX;
  int64_t removed = 0;  // So many were deleted or retried by clients that were told so or not answered.
};

struct Facts {
  std::map<int64_t, std::pair<Request, Known>> requests;  // By number; those that were sent.
  std::vector<v1::Job> jobs;                              // All that are there in the end, in full.
  std::set<std::string> at_rest;  // Were there before the last stop and start, when nothing was left to be done.
  std::vector<Execution> executions;
  Limit finished, dead_letters;
  // Starts may be forgotten: the mode does not promise to keep them, and power was cut.
  bool starts_may_be_lost = false;
};

struct Totals {
  int64_t acknowledged = 0, jobs = 0, executed = 0, executed_again = 0, losses = 0, quarantined = 0;
  int64_t forgotten = 0, unseen = 0;  // Unseen: of the forgotten, those whose end only a repeat tells of.
};

Findings Check(const Facts& facts, Totals* totals);

bool IsTerminal(v1::JobState state);
// As against finished; of a terminal state.
bool IsDeadLetter(v1::JobState state);
// Told in one line.
std::string Describe(const v1::Job& job);
// The same to the last bit?
bool SameEnd(const v1::Job& a, const v1::Job& b);

}  // namespace millrace::crash
