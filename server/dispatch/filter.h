// Filter: which jobs, as a client writes it: a subset of AIP-160.
//
//   pool = "thumbs" AND state != SUCCEEDED AND labels.team = "a" AND create_time >= "2026-01-01T00:00:00Z"
//
// Fields pool, kind, band, state and labels.NAME compare with = and !=; create_time with <, <=, >, >=. A job without
// the label compares as the empty string. Values that are plain words need no quotes; inside quotes \" and \\ stand for
// themselves.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "dispatch/event_log.h"
#include "job/job.h"

namespace millrace::dispatch {

class Filter {
 public:
  // Matches every job.
  Filter() = default;

  // INVALID_ARGUMENT BAD_FILTER (field "filter") tells the position, what was found there and what could stand there.
  static Result<Filter> Parse(std::string_view text);

  bool empty() const { return terms_.empty(); }
  bool uses_create_time() const;
  bool uses_labels() const;
  bool Allows(JobState state) const;  // Could a job in this state match?

  // What a filter looks at.
  struct Subject {
    std::string_view pool;
    std::string_view kind;
    Band band;
    JobState state;
    const std::map<std::string, std::string>* labels;  // nullptr: none.
    WallTime created;
    bool labels_unknown = false;  // Every term about labels holds then.
  };
  bool Matches(const Subject& subject) const;
  bool MatchesLabels(const Labels& labels) const;  // The terms about labels only.
  bool Matches(const JobSnapshot& job) const;
  // By the event's own state; create_time terms hold for every event. A gap always matches.
  bool Matches(const JobEvent& event) const;

 private:
  friend class FilterParser;
  enum class Field : uint8_t { kPool, kKind, kBand, kState, kLabel, kCreateTime };
  enum class Op : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
  struct Term {
    Field field;
    Op op;
    std::string label;  // kLabel: its name.
    std::string text;
    Band band{};
    JobState state{};
    WallTime time{};
  };
  static bool Holds(const Term& term, const Subject& subject);

  std::vector<Term> terms_;
};

inline constexpr size_t kFilterBytesMax = 4096;

}  // namespace millrace::dispatch
