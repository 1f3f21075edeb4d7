// Ledger: what the clients of a run have sent, were told and have seen. It outlives the daemons.
//   Threads   All calls from any.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "millrace/v1/job_service.pb.h"
#include "tests/crash/checker.h"
#include "tests/crash/power_cut.h"
#include "tests/crash/requests.h"

namespace millrace::crash {

class Ledger {
 public:
  // Requests that are sent together, and again together until they are answered: one, or the items of a batch.
  using Group = std::vector<Request>;
  enum class Form { kSingle, kBatch };

  struct Options {
    uint64_t seed = 0;
    size_t payload_bytes = 40'000;
  };
  explicit Ledger(Options options) : options_(options) {}

  // New requests that may be made from now on; the rest are repeats.
  void Allow(int64_t requests);
  // What to send next: something new, something that was not answered, something that was. nullopt: nothing is left.
  std::optional<Group> Next(Form form, Random& random);
  // Only what was not answered.
  std::optional<Group> NextUnanswered();

  // ---- What came of a group
  void Answered(const Group& group, const std::vector<v1::SubmitJobResponse>& answers);
  // It was not answered, or nobody can know whether it was accepted; anything else that a daemon said is a finding.
  void Unanswered(Group group, const Status& status);

  // ---- What was seen
  void Saw(const v1::Job& job);
  void Missed(int64_t number, const std::string& job);
  // An acknowledged request, rather a late one.
  std::optional<std::pair<Request, std::string>> Pick(Random& random) const;

  // The power was cut where the mode does not promise all: of what was told or seen since `promised_until`, what is not among
  // `jobs` is forgotten and counted. What was acknowledged before one of them was sent at all is a finding: only the newest may go.
  struct Forgiven {
    int64_t requests = 0, ends = 0;
    int64_t oldest_at = INT64_MAX;  // Of the requests: when the first was acknowledged.
  };
  Forgiven Forgive(int64_t promised_until, const std::vector<v1::Job>& jobs);

  int64_t repeats() const;
  // When the last acknowledgement came.
  int64_t last_acknowledged_at() const;
  std::map<int64_t, std::pair<Request, Known>> requests() const;
  Findings findings() const;

 private:
  Group MakeNew(size_t count);

  const Options options_;
  mutable std::mutex lock_;
  std::map<int64_t, std::pair<Request, Known>> requests_;
  std::vector<int64_t> acknowledged_;    // In order; may name what was forgiven.
  std::deque<Group> singles_, batches_;  // Not answered.
  int64_t allowed_ = 0, next_ = 0, repeats_ = 0, last_acknowledged_at_ = 0;
  Findings findings_;
};

int64_t MonotonicNow();

}  // namespace millrace::crash
