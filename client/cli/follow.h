// JobFollower: waits for many jobs at once by long polls of each, so that a daemon with a million jobs is asked about
// these only.
//
//   Absence   Once the daemon was reached, it may be away for half a minute, as for a restart: the polls go on when it
//             is back.
//   Threads   Add from any thread, also from a callback of the client. `on_finished` runs on the client's threads, once
//             for each job that was added, with the finished job or the reason why it is not known; not after the
//             destructor has returned.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "client/client.h"

namespace millrace::cli {

class JobFollower {
 public:
  using OnFinished = std::function<void(size_t index, const Result<v1::Job>& job)>;

  // Polls `in_flight` jobs at once; the others wait. `view`: what on_finished gets of a job.
  JobFollower(client::Client& client, OnFinished on_finished, v1::JobView view, std::stop_token stop,
              size_t in_flight = 64);
  ~JobFollower();  // Gives up on what is not finished.
  JobFollower(const JobFollower&) = delete;
  JobFollower& operator=(const JobFollower&) = delete;

  void Add(size_t index, std::string id);

  // Waits until every job that was added has been reported. False: the time passed first, and the unfinished ones were
  // reported as DEADLINE.
  bool WaitAll(std::optional<std::chrono::milliseconds> timeout);

 private:
  using Clock = std::chrono::steady_clock;

  void Poll(size_t index, std::string id);
  void Pace();
  bool MayBeAway(const Status& status) const;  // Under the lock.
  bool Paused() const;                         // Under the lock.
  void Answer(size_t index, const std::string& id, const Result<v1::Job>& job);

  client::Client& client_;
  const OnFinished on_finished_;
  const v1::JobView view_;
  const size_t in_flight_max_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> forward_stop_;

  std::atomic<bool> timed_out_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<size_t, std::string>> queue_;
  size_t in_flight_ = 0;
  Clock::time_point last_answer_ = Clock::now();
  Clock::time_point paused_until_{};
  bool ending_ = false;
  std::thread pacer_;  // Begins the polls that follow a pause. Started by the first one.
};

}  // namespace millrace::cli
