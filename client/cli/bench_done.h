// DoneSampler: how long jobs take from submit to done, measured without a second stream of events: the server stamps
// each job when it is accepted and when it finishes, and a sample of jobs is asked for these stamps.
//
//   Clocks    The stamps are the server's. It accepted each job between our send and our receipt of the answer, so
//             every sample bounds the difference of the two clocks; their intersection is off by half the fastest round
//             trip at most. When it contains zero, as on one machine, nothing is corrected.
//   Cost      Up to kInTime jobs the sample is asked for after the load; longer runs ask as they go, since the server
//             forgets old jobs.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <stop_token>
#include <vector>

#include "client/cli/bench_load.h"
#include "client/cli/follow.h"

namespace millrace::cli {

struct DoneSample {
  int64_t due_ns, sent_ns, acknowledged_ns;  // Our wall clock.
  int64_t accepted_ns = 0, finished_ns = 0;  // The server's; 0: not known.
};

struct DoneResult {
  LatencyHistogram latency;
  int64_t failed = 0;          // Sampled jobs that did not succeed.
  int64_t unknown = 0;         // Sampled jobs that did not finish in time, or were forgotten.
  int64_t last_finish_ns = 0;  // Our wall clock.
  int64_t clock_offset_ns = 0;
};

// Server clock minus ours, by the bounds above. 0 for no samples.
int64_t ClockOffset(const std::vector<DoneSample>& samples);

class DoneSampler {
 public:
  static constexpr int64_t kInTime = 50'000;

  // About `samples` of `jobs`, spread evenly, and the last one.
  DoneSampler(client::Client& client, int64_t jobs, int64_t samples, std::stop_token stop);

  void OnAcknowledged(const Acknowledged& job);  // Any thread.

  // Waits for the sampled jobs, at most `timeout`.
  std::unique_ptr<DoneResult> Collect(std::optional<std::chrono::milliseconds> timeout);

  int64_t WallOf(SteadyTime time) const;

 private:
  void OnFinished(size_t index, const Result<v1::Job>& job);

  const int64_t jobs_;
  const int64_t every_;
  const bool follow_at_once_;
  const SteadyTime steady_ = std::chrono::steady_clock::now();
  const std::chrono::system_clock::time_point wall_ = std::chrono::system_clock::now();

  std::mutex mutex_;
  std::vector<DoneSample> samples_;
  std::vector<std::string> ids_;
  int64_t failed_ = 0;
  JobFollower follower_;  // Last: ends first, and with it the calls to OnFinished.
};

}  // namespace millrace::cli
