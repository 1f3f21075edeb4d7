// Ledger: what the clients of a run have sent, were told and have seen. It outlives the daemons.
//   Threads   All calls from any.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
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
    bool forgets = false;  // The daemon forgets jobs that ended; the checker says which it may.
  };
  explicit Ledger(Options options) : options_(options) {}

  // New requests that may be made from now on; the rest are repeats.
  void Allow(int64_t requests);
  // What to send next: something new, something that was not answered, something that was. nullopt: nothing is left.
  std::optional<Group> Next(Form form, Random& random);
  // Only what was not answered.
  std::optional<Group> NextUnanswered();
  // Something new, whatever is allowed.
  Group NextNew();
  // All that was acknowledged, to be sent once more.
  std::vector<Group> Acknowledged();

  // ---- What came of a group
  void Answered(const Group& group, const std::vector<v1::SubmitJobResponse>& answers);
  // It was not answered, or nobody can know whether it was accepted; anything else that a daemon said is a finding.
  void Unanswered(Group group, const Status& status);

  // ---- What was seen, of one job in the order in which it was seen
  void Saw(const v1::Job& job);
  // The daemon does not know it.
  void Missed(int64_t number);
  // On any thread, at any time.
  void Heard(const v1::JobEvent& event);

  // ---- What came of a verb that was sent by somebody who had seen how the job ended
  enum class Verb { kRetry, kDelete };
  void Changed(int64_t number, Verb verb, const Status& status);

  // An acknowledged request, rather a late one.
  struct Picked {
    Request request;
    std::string job;
    v1::JobState ended = v1::JOB_STATE_UNSPECIFIED;  // UNSPECIFIED: nobody has seen its end.
    bool gone = false, retried = false;
  };
  std::optional<Picked> Pick(Random& random) const;

  // The power was cut where the mode does not promise all: of what was told or seen since `kept_until`, what is not
  // among `jobs` is forgotten and counted. What was acknowledged before one of them was sent at all is a finding: only
  // the newest may go. So is what was acknowledged longer than `age_max` before the cut.
  struct Promise {
    int64_t kept_until = 0, cut_at = 0;
    int64_t age_max = INT64_MAX;
  };
  struct Forgiven {
    int64_t requests = 0, ends = 0;
    int64_t oldest_at = INT64_MAX;  // When the first of the requests was acknowledged.
  };
  Forgiven Forgive(const Promise& promise, const std::vector<v1::Job>& jobs);

  int64_t repeats() const;
  // How many of the finished, or of the dead letters, a verb took away, or may have.
  int64_t removed(bool dead_letters) const;
  std::map<int64_t, std::pair<Request, Known>> requests() const;
  Findings findings() const;

 private:
  Group MakeNew(size_t count);
  void Miss(int64_t number);
  void CheckRetry(const Known::Retry& retry, const v1::Job& job);

  const Options options_;
  mutable std::mutex lock_;
  std::map<int64_t, std::pair<Request, Known>> requests_;
  std::vector<int64_t> acknowledged_;    // In order; may name what was forgiven.
  std::deque<Group> singles_, batches_;  // Not answered.
  struct End {
    v1::JobState state;
    int64_t first_at;
  };
  std::unordered_map<std::string, End> heard_;  // By job: an event may come before the answer to the submit.
  std::array<int64_t, 2> removed_{};            // Finished, dead letters.
  int64_t allowed_ = 0, next_ = 0, repeats_ = 0;
  Findings findings_;
};

int64_t MonotonicNow();

}  // namespace millrace::crash
