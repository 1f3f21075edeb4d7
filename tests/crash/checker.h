// Checker: whether what a daemon has in the end, and what was executed, agrees with what its clients were told. Plain values in,
// findings out, so that every kind of finding can be planted (checker_test.cc).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
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
  kChanged,        // How a job ended was seen by a client, and is different now.
  kStranger,       // A job that no client asked for, or not with this content.
  kFinishedTwice,  // It succeeded more than once.
  kRanAgain,       // Executed more often than its attempts and losses tell.
  kWrongEnd,       // It ended in a way that nobody asked for.
  kAnswer,         // A client was given an answer that it could not have expected.
  kDaemon,         // The daemon ended by itself, or did not start.
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
};

struct Execution {
  std::string job;
  int attempt = 0;
};

struct Facts {
  std::map<int64_t, std::pair<Request, Known>> requests;  // By number; those that were sent.
  std::vector<v1::Job> jobs;                              // All that are there in the end, in full.
  std::vector<Execution> executions;
  // Starts may be forgotten: the mode does not promise to keep them, and power was cut.
  bool starts_may_be_lost = false;
};

struct Totals {
  int64_t acknowledged = 0, jobs = 0, executed = 0, executed_again = 0, losses = 0, quarantined = 0;
};

Findings Check(const Facts& facts, Totals* totals);

bool IsTerminal(v1::JobState state);
// Told in one line.
std::string Describe(const v1::Job& job);
// The same to the last bit?
bool SameEnd(const v1::Job& a, const v1::Job& b);

}  // namespace millrace::crash
